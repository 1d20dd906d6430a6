"""When enough has been read: the rule that ends a method's stages early.

After each stage a look is taken at balanced accuracy against each kind of negatives. A kind is settled

- `precise`: the half-width of its 95 % interval is small enough;
- `clear`: the interval stretched to 99.5 % at each look lies wholly above or below the threshold of the
  written rule. Pocock's bound (1977, https://doi.org/10.1093/biomet/64.2.191) for ten looks at an overall
  error of 5 % is z = 2.555 at each; 2.807 is stricter, so looking often does not make a decision rash.

Reading ends when all kinds are settled (`exhausted` where the windows end first), or after a stage
without any usable answer (`unanswered`). Only the scored explanation's readings are looked at, never a
baseline's. What early stopping does to the interval's coverage is measured in `test_sequential.py`.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Int8

from glossator.agents.scorers.examples import Group
from glossator.agents.verdict import ACCEPT_DETECTION
from glossator.probes.intervals import Counts, metric_intervals, metric_value, wilson_ends
from glossator.records import Metric

_STRETCH = 2.807 / 1.96
"""From a 95 % interval to one of 99.5 %."""


class Stopped(StrEnum):
    """Why no more was read."""

    PRECISE = "precise"
    CLEAR = "clear"
    EXHAUSTED = "exhausted"
    UNANSWERED = "unanswered"


class Bootstrap(NamedTuple):
    """How intervals are drawn."""

    seed: int
    draws: int


class _Around(NamedTuple):
    """A value and its interval's ends."""

    value: float
    low: float
    high: float

    def settled(self, half_width: float, threshold: float) -> Stopped | None:
        if (self.high - self.low) / 2 <= half_width:
            return Stopped.PRECISE
        down, up = _STRETCH * (self.value - self.low), _STRETCH * (self.high - self.value)
        clear = self.value - down > threshold or self.value + up < threshold
        return Stopped.CLEAR if clear else None


def counts_against(
    fires: Int8[np.ndarray, " items"],
    group: Int[np.ndarray, " items"],
    document: Int[np.ndarray, " items"],
    negatives: Group,
) -> Counts | None:
    """Outcomes per document of the firing items and one group of negatives; None if either has no answer."""
    chosen = (fires >= 0) & ((group == Group.FIRING) | (group == negatives))
    true, said = group[chosen] == Group.FIRING, fires[chosen] == 1
    if not true.any() or true.all():
        return None
    documents, number = np.unique(document[chosen], return_inverse=True)
    sides = (true & said, ~true & said, true & ~said, ~true & ~said)
    return Counts(*(np.bincount(number[side], minlength=len(documents)) for side in sides))


def settled(
    counts: Counts, bootstrap: Bootstrap, half_width: float, threshold: float = ACCEPT_DETECTION
) -> Stopped | None:
    """`PRECISE` or `CLEAR`; None where more should be read.

    The reported interval is never narrower than the combined Wilson intervals, which are quick: only
    where those settle it is the interval itself drawn.
    """
    least = _combined_wilson(counts)
    if least.settled(half_width, threshold) is None:
        return None
    value = metric_value(counts, Metric.BALANCED_ACCURACY)
    (interval,) = metric_intervals(counts, [Metric.BALANCED_ACCURACY], **bootstrap._asdict())
    if value is None:
        return None
    return _Around(value, interval.low, interval.high).settled(half_width, threshold)


def _combined_wilson(counts: Counts) -> _Around:
    """Balanced accuracy with windows as n (MOVER, https://doi.org/10.1002/sim.3095)."""
    rates: list[_Around] = []
    for right, wrong in ((counts.tp, counts.fn), (counts.tn, counts.fp)):
        hits, n = int(right.sum()), int(right.sum() + wrong.sum())
        rates.append(_Around(hits / n, *wilson_ends(hits / n, n)))
    middle = sum(r.value for r in rates) / 2
    down = math.hypot(*(r.value - r.low for r in rates)) / 2
    up = math.hypot(*(r.high - r.value for r in rates)) / 2
    return _Around(middle, max(0.0, middle - down), min(1.0, middle + up))
