from __future__ import annotations

import numpy as np
import pytest

from glossator.agents.scorers.interventions.weak_activations import BOUND, weak_activations
from glossator.agents.scorers.room import ScoringRoom
from glossator.agents.scorers.settings import ScoringSettings
from glossator.probes.split_view import ArrayFirings, ExploreView, Firings, SealedView, ValidateView
from glossator.probes.token_text import DocumentInfo, TokenText
from glossator.probes.vocabulary import Vocabulary
from glossator.records import Explanation, FeatureRef, Predicate, StressCheck, TokenIn, TokenMatches

N_WORDS, LENGTH = 50, 64
VOCABULARY = Vocabulary(("<s>", *(f" w{i}" for i in range(1, N_WORDS))), frozenset({0}))


def room(weak_share: float) -> ScoringRoom:
    """One feature: at 1 on w1; at 0.2 on w1 or w2, `weak_share` of them w1; at 0.05 on w3."""
    views: list[ArrayFirings] = []
    for seed in (1, 2, 3):
        rng = np.random.default_rng(seed)
        ids = rng.integers(4, N_WORDS, size=100 * LENGTH).astype(np.int32)
        place = rng.permutation(np.setdiff1d(np.arange(len(ids)), np.arange(0, len(ids), LENGTH)))[:500]
        strong, weak, faint = place[:100], place[100:400], place[400:]
        ids[::LENGTH] = 0
        ids[strong], ids[faint] = 1, 3
        ids[weak] = np.where(np.arange(300) < 300 * weak_share, 1, 2)
        dense = np.zeros(len(ids), np.float32)
        dense[strong], dense[weak], dense[faint] = 1.0, 0.2, 0.05
        infos = [DocumentInfo(f"s{seed}d{i}", "", "") for i in range(100)]
        text = TokenText(ids, np.arange(0, len(ids) + 1, LENGTH), np.arange(100), infos, VOCABULARY)
        at = np.flatnonzero(dense)
        views.append(ArrayFirings(text, [Firings(at, dense[at]), Firings(at[:0], dense[:0])]))
    return ScoringRoom(
        ExploreView(views[0]),
        ValidateView(views[1]),
        SealedView(views[2]),
        index_identity="weak",
        settings=ScoringSettings(draws=300),
    )


W1 = TokenIn(tokens=(" w1",))


def label(predicate: Predicate | None = W1, feature: int = 0) -> Explanation:
    return Explanation.of(FeatureRef(subject="s", dictionary="d", index=feature), "test", "w1", predicate)


def value_of(check: StressCheck) -> float:
    assert check.value is not None, check.words
    return check.value


@pytest.mark.parametrize(("share", "passed"), [(0.9, True), (0.3, False), (0.52, None)])
def test_the_share_of_weak_firings_that_the_label_explains(share: float, passed: bool | None) -> None:
    checked = weak_activations(room(share), label())
    check = checked.check
    assert value_of(check) == pytest.approx(share)
    assert check.passed is passed
    assert check.n == 300
    assert check.bound == BOUND
    assert check.interval is not None
    assert check.interval.low < share < check.interval.high
    assert "0.5 to 1 of the maximum: 100% of 100" in check.words
    assert "0 to 0.1 of the maximum: 0% of 100" in check.words
    assert isinstance(checked.evidence.payload, dict)
    quantiles = checked.evidence.payload["quantiles"]
    assert isinstance(quantiles, list)
    shares = [q["value"] for q in quantiles if isinstance(q, dict)]
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_a_label_that_holds_everywhere_explains_nothing() -> None:
    check = weak_activations(room(0.9), label(TokenMatches(pattern="w"))).check
    assert check.value == 1.0
    assert check.bound == pytest.approx(1.0)
    assert check.passed is False


def test_what_cannot_be_measured_says_why() -> None:
    here = room(0.9)
    for explanation in (label(None), label(feature=1)):
        check = weak_activations(here, explanation).check
        assert (check.value, check.interval, check.passed) == (None, None, None)
        assert check.words.startswith("not measured: ")
