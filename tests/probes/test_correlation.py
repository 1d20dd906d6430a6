"""Correlations against numpy's, and intervals that hold what they should."""

from __future__ import annotations

import numpy as np
import pytest

from glossator.probes.correlation import correlation_interval, correlation_value


def clustered(rng: np.random.Generator, documents: int = 30, each: int = 20) -> tuple[np.ndarray, ...]:
    document = np.repeat(np.arange(documents), each)
    true = rng.standard_normal(len(document)) + rng.standard_normal(documents)[document]
    predicted = 0.6 * true + rng.standard_normal(len(document))
    return predicted, true, document


def test_it_is_pearsons() -> None:
    predicted, true, _ = clustered(np.random.default_rng(0))
    wanted = float(np.corrcoef(predicted, true)[0, 1])
    assert correlation_value(predicted, true) == pytest.approx(wanted)
    assert correlation_value(predicted * 10 + 1e4, true * 100) == pytest.approx(wanted)


def test_a_constant_prediction_explains_nothing_and_a_constant_truth_cannot_be_explained() -> None:
    true = np.array([0.0, 0.0, 3.0, 1.0])
    assert correlation_value(np.full(4, 7.3), true) == 0.0
    assert correlation_value(np.zeros(4), true) == 0.0
    assert correlation_value(true, np.zeros(4)) is None
    assert correlation_value(np.zeros(0), np.zeros(0)) is None
    nothing = correlation_interval(true, np.zeros(4), np.arange(4), seed=0)
    assert (nothing.low, nothing.high) == (-1.0, 1.0)


def test_without_spread_the_interval_stays_wide() -> None:
    true, document = np.tile([0.0, 0.0, 3.0, 1.0], 5), np.repeat(np.arange(5), 4)
    perfect = correlation_interval(true * 2, true, document, seed=0)
    assert perfect.high == pytest.approx(1.0)
    assert 0 < perfect.low < 0.5
    none = correlation_interval(np.ones(20), true, document, seed=0)
    assert none.low < -0.3 < 0.3 < none.high
    one = correlation_interval(true + np.arange(20), true, np.zeros(20, dtype=np.int64), seed=0)
    assert one.high - one.low > 0.8


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    large = [v for v in clustered(rng, documents=20_000)]
    truth = float(np.corrcoef(large[0], large[1])[0, 1])
    held = 0
    for seed in range(200):
        predicted, true, document = clustered(rng)
        interval = correlation_interval(predicted, true, document, seed=seed, draws=300)
        held += interval.low <= truth <= interval.high
    assert held >= 180


def test_the_same_seed_gives_the_same_interval() -> None:
    predicted, true, document = clustered(np.random.default_rng(2))
    first, second = (correlation_interval(predicted, true, document, seed=3) for _ in range(2))
    assert first == second
