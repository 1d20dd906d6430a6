from __future__ import annotations

import numpy as np
import pytest

from glossator.probes.feature_estimates import mean_estimate, median_estimate


def test_the_mean_of_few_features_has_a_wide_interval_and_of_one_none() -> None:
    assert mean_estimate(np.zeros(0), seed=0).value is None
    assert mean_estimate(np.array([0.4]), seed=0).interval is None
    few = mean_estimate(np.array([0.2, 0.9, 0.5]), seed=0)
    many = mean_estimate(np.tile([0.2, 0.9, 0.5], 100), seed=0)
    assert few.interval is not None
    assert many.interval is not None
    assert few.interval.high - few.interval.low > 5 * (many.interval.high - many.interval.low)
    assert few.value == pytest.approx(1.6 / 3)
    assert few.n == 3


@pytest.mark.parametrize(("n", "repeats"), [(7, 800), (40, 800), (200, 400)])
def test_the_median_is_covered_as_often_as_it_says(n: int, repeats: int) -> None:
    rng = np.random.default_rng(n)
    truth, inside = float(np.exp(0.0)), 0
    for _ in range(repeats):
        interval = median_estimate(np.exp(rng.standard_normal(n))).interval
        assert interval is not None
        inside += interval.low <= truth <= interval.high
    assert inside / repeats >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / repeats)


@pytest.mark.parametrize("n", [30, 400])
def test_the_mean_is_covered_nearly_as_often_as_it_says(n: int) -> None:
    rng, inside = np.random.default_rng(n), 0
    for i in range(200):
        interval = mean_estimate(rng.random(n), seed=i).interval
        assert interval is not None
        inside += interval.low <= 0.5 <= interval.high
    assert 0.90 <= inside / 200 <= 0.99


def test_five_features_say_nothing_of_a_median() -> None:
    assert median_estimate(np.arange(5.0)).interval is None
    six = median_estimate(np.arange(6.0)).interval
    assert six is not None
    assert (six.low, six.high) == (0.0, 5.0)
