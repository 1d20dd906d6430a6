"""Ranks of all features at once agree with one at a time, and chance is not taken for a concept."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import Float
from scipy.stats import mannwhitneyu

from glossator.probes.concept_separation import TextRanks, activation_table, discoveries
from glossator.probes.text_activations import FeatureMaxima


def maxima_of(table: Float[np.ndarray, "texts features"]) -> FeatureMaxima:
    text, feature = np.nonzero(table)
    return FeatureMaxima(text, feature, table[text, feature].astype(np.float32))


def sparse_table(
    rng: np.random.Generator, texts: int, features: int, share: float
) -> Float[np.ndarray, "texts features"]:
    firing = rng.random((texts, features)) < share
    return np.where(firing, rng.integers(1, 9, (texts, features)), 0).astype(np.float32)


def test_aucs_and_p_values_are_those_of_one_feature_at_a_time() -> None:
    rng = np.random.default_rng(0)
    table = sparse_table(rng, 60, 40, 0.5)
    has = rng.permutation(np.arange(60) < 25)
    ranks = TextRanks.of(maxima_of(table), 60, np.arange(40))
    aucs, p = ranks.auc(has), ranks.p_values(has, np.arange(60))
    for k in range(40):
        told = mannwhitneyu(
            table[has, k], table[~has, k], alternative="greater", method="asymptotic", use_continuity=False
        )
        assert aucs[k] == pytest.approx(told.statistic / (25 * 35))
        assert p[k] == pytest.approx(told.pvalue, rel=1e-6)


def test_silent_and_unknown_features_say_nothing() -> None:
    table = np.zeros((6, 3), np.float32)
    table[:3, 1] = [1, 2, 3]
    has = np.arange(6) < 3
    ranks = TextRanks.of(maxima_of(table), 6, np.arange(3))
    np.testing.assert_allclose(ranks.auc(has), [0.5, 1, 0.5])
    np.testing.assert_allclose(ranks.p_values(has, np.arange(6)), [1, 1 / 20, 1], atol=1e-9)
    assert ranks.firing_on(3).tolist() == [1]
    assert TextRanks.of(maxima_of(np.zeros((6, 3))), 6).auc(has).shape == (0,)


def test_values_of_a_few_features_in_any_order() -> None:
    table = sparse_table(np.random.default_rng(1), 10, 12, 0.4)
    np.testing.assert_array_equal(
        activation_table(maxima_of(table), 10, np.array([7, 2, 11])), table[:, [7, 2, 11]]
    )


def test_chance_finds_nothing() -> None:
    """Families of nothing but nulls, of 9 + 9 to 60 + 60 texts: any discovery is a false one."""
    false = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(9, 60)) * 2
        table = sparse_table(rng, n, 500, float(rng.uniform(0.05, 0.8)))
        ranks = TextRanks.of(maxima_of(table), n)
        p = ranks.p_values(rng.permutation(np.arange(n) < n // 2), np.arange(n))
        false += bool(discoveries(p, 0.05).any())
    assert false <= 12  # 6 expected at a rate of 5 %; more than 12 has a probability of 0.5 %


def test_false_discoveries_stay_below_their_share() -> None:
    shares: list[float] = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        has = rng.permutation(np.arange(60) < 30)
        table = sparse_table(rng, 60, 400, 0.3)
        table[has, :40] += 3 * (rng.random((30, 40)) < 0.9)
        found = np.flatnonzero(
            discoveries(TextRanks.of(maxima_of(table), 60).p_values(has, np.arange(60)), 0.05)
        )
        assert (found < 40).sum() > 25
        shares.append(float((found >= 40).mean()) if len(found) else 0.0)
    assert np.mean(shares) < 0.06


def test_texts_of_one_document_are_no_independent_witnesses() -> None:
    """Features that belong to documents, four texts each: chance alone, unless each text counts as one."""
    careful = careless = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        document = np.repeat(np.arange(24), 4)
        has = np.repeat(rng.permutation(np.arange(24) < 12), 4)
        table = np.repeat(sparse_table(rng, 24, 300, 0.4), 4, axis=0)
        ranks = TextRanks.of(maxima_of(table), 96)
        careful += bool(discoveries(ranks.p_values(has, document), 0.05).any())
        careless += bool(discoveries(ranks.p_values(has, np.arange(96)), 0.05).any())
    assert careful <= 4
    assert careless > 20
