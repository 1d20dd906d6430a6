from __future__ import annotations

import numpy as np
import pytest

from glossator.probes.intervals import (
    Counts,
    metric_intervals,
    metric_value,
    paired_difference,
    replicated_intervals,
    replicated_value,
    wilson,
)
from glossator.records import Metric


def counts(tp: list[int], fp: list[int], fn: list[int], tn: list[int]) -> Counts:
    return Counts(*(np.array(c, dtype=np.int64) for c in (tp, fp, fn, tn)))


def test_wilson_agrees_with_published_values() -> None:
    # Newcombe 1998, table I: 81/263 gives 0.2553..0.3662; 0/20 gives 0..0.1611.
    interval = wilson(81, 263)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 20).low == 0.0
    assert wilson(0, 20).high == pytest.approx(0.1611, abs=1e-4)
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


def test_metric_values_by_hand() -> None:
    c = counts([3, 1], [1, 0], [0, 2], [6, 7])
    assert metric_value(c, Metric.PRECISION) == pytest.approx(4 / 5)
    assert metric_value(c, Metric.RECALL) == pytest.approx(4 / 6)
    assert metric_value(c, Metric.F1) == pytest.approx(8 / 11)
    assert metric_value(c, Metric.BALANCED_ACCURACY) == pytest.approx((4 / 6 + 13 / 14) / 2)
    nothing = counts([0], [0], [0], [9])
    assert metric_value(nothing, Metric.PRECISION) is None
    assert metric_value(nothing, Metric.F1) is None


def _coverage(metric: Metric, documents: int, truth: float, seed: int) -> float:
    """Share of simulated samples whose interval holds the truth; documents differ in their rates."""
    rng, hits, trials = np.random.default_rng(seed), 0, 300
    for trial in range(trials):
        rates = rng.beta(6, 2, size=(2, documents))
        sizes = rng.integers(2, 8, size=(2, documents))
        right = rng.binomial(sizes, rates)
        tp, fn, tn, fp = right[0], sizes[0] - right[0], right[1], sizes[1] - right[1]
        (interval,) = metric_intervals(Counts(tp, fp, fn, tn), [metric], seed=trial, draws=400)
        hits += interval.low <= truth <= interval.high
    return hits / trials


@pytest.mark.parametrize("documents", [8, 40])
@pytest.mark.parametrize("metric", [Metric.RECALL, Metric.PRECISION, Metric.F1, Metric.BALANCED_ACCURACY])
def test_bootstrap_over_documents_covers_the_truth(metric: Metric, documents: int) -> None:
    # tp and tn rates are 0.75 each on as many positives as negatives, so all four metrics are 0.75.
    assert _coverage(metric, documents, 0.75, seed=documents) >= 0.92


def test_many_tokens_of_few_documents_do_not_narrow_the_interval() -> None:
    few = counts([1000, 10], [0, 0], [0, 990], [0, 0])
    many = counts([50] * 20 + [1] * 20, [0] * 40, [0] * 20 + [49] * 20, [0] * 40)
    (wide,) = metric_intervals(few, [Metric.RECALL], seed=0)
    (narrow,) = metric_intervals(many, [Metric.RECALL], seed=0)
    assert wide.high - wide.low > 0.9
    assert narrow.high - narrow.low < 0.4


@pytest.mark.parametrize("metric", [Metric.RECALL, Metric.F1, Metric.PRECISION, Metric.BALANCED_ACCURACY])
def test_degenerate_counts_give_wide_intervals(metric: Metric) -> None:
    one = counts([400], [0], [0], [400])
    (interval,) = metric_intervals(one, [metric], seed=0)
    assert interval.low < 0.6
    assert interval.high == pytest.approx(1.0)
    (nothing,) = metric_intervals(counts([], [], [], []), [metric], seed=0)
    assert nothing.low <= 0.15
    assert nothing.high >= 0.85
    (perfect,) = metric_intervals(counts([2] * 30, [0] * 30, [0] * 30, [2] * 30), [metric], seed=0)
    assert 0.85 < perfect.low < 1.0


def test_the_same_seed_gives_the_same_interval() -> None:
    c = counts([1, 2, 0, 3], [1, 0, 0, 1], [0, 1, 2, 0], [3, 3, 3, 3])
    assert metric_intervals(c, [Metric.F1], seed=4) == metric_intervals(c, [Metric.F1], seed=4)
    assert metric_intervals(c, [Metric.F1], seed=4, draws=50) != metric_intervals(
        c, [Metric.F1], seed=5, draws=50
    )


def test_paired_differences_are_narrower_than_unpaired_ones() -> None:
    rng = np.random.default_rng(0)
    tp = rng.integers(0, 11, size=40)
    better = counts(list(tp), [0] * 40, list(10 - tp), [0] * 40)
    worse_tp = np.maximum(tp - 1, 0)
    worse = counts(list(worse_tp), [0] * 40, list(10 - worse_tp), [0] * 40)
    paired = paired_difference(better, worse, Metric.RECALL, seed=0)
    assert 0.0 < paired.low < paired.high < 0.11
    same = paired_difference(better, better, Metric.RECALL, seed=0)
    assert same.low < 0 < same.high


def test_replicates_widen_the_interval_by_their_own_spread() -> None:
    def right(tp: int) -> Counts:
        return counts([tp] * 40, [10 - tp] * 40, [10 - tp] * 40, [tp] * 40)

    replicates = [right(2), right(8), right(5)]
    assert replicated_value(replicates, Metric.BALANCED_ACCURACY) == pytest.approx(0.5)
    (interval,) = replicated_intervals(replicates, [Metric.BALANCED_ACCURACY], seed=0)
    assert interval.low <= 0.25
    assert interval.high >= 0.75
    (alone,) = replicated_intervals([right(5)], [Metric.BALANCED_ACCURACY], seed=0)
    assert alone.high - alone.low < 0.25
