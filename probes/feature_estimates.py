"""Means and medians over features, each with a 95 % interval.

A mean's interval is a bootstrap over features, widened for few of them (Hesterberg 2015,
https://arxiv.org/abs/1411.5279, section 5.3). A median's is that of order statistics, which assumes
nothing of the distribution and covers at least 95 % (David and Nagaraja 2003, Order Statistics, 7.1).
Both take features as independent of one another; they share texts, so this is an approximation.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from glossator.probes.intervals import draw_totals, percentile_ends
from glossator.records import Estimate, Interval

_EXACT = 60
"""Up to so many features the ranks are found by summing binomial terms."""


def mean_estimate(values: Float[np.ndarray, " features"], *, seed: int, draws: int = 1000) -> Estimate:
    """The mean; no interval for fewer than two features."""
    n = len(values)
    if n == 0:
        return Estimate()
    mean = float(values.mean())
    table = np.stack([values.astype(np.float64), np.ones(n)], axis=1)
    totals = draw_totals(table, np.random.default_rng(seed), draws)
    ends = percentile_ends(totals[:, 0] / np.maximum(totals[:, 1], 1.0), n) if n > 1 else None
    if ends is None:
        return Estimate(value=mean, n=n)
    interval = Interval(low=ends.low, high=ends.high, method="bootstrap over features")
    return Estimate(value=mean, interval=interval, n=n)


def median_estimate(values: Float[np.ndarray, " features"]) -> Estimate:
    """The median; no interval for fewer than six features, which cannot give one of 95 %."""
    n = len(values)
    if n == 0:
        return Estimate()
    median, rank = float(np.median(values)), _rank(n)
    if rank < 1:
        return Estimate(value=median, n=n)
    ordered = np.sort(values)
    low, high = float(ordered[rank - 1]), float(ordered[n - rank])
    return Estimate(value=median, interval=Interval(low=low, high=high, method="order statistics"), n=n)


def _rank(n: int) -> int:
    """The largest k for which the k-th smallest and k-th largest value enclose the median with 95 %."""
    if n > _EXACT:
        return math.floor((n - 1.959963984540054 * math.sqrt(n)) / 2)
    tail, rank = 0.0, 0
    for below in range(n // 2):
        tail += math.comb(n, below) / 2**n
        if tail > 0.025:
            break
        rank = below + 1
    return rank
