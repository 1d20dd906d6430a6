"""Scales of a drawing: from a value to its place, and the ticks beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

_APART = 34.0
"""Drawing units between two labels."""


class Tick(NamedTuple):
    """One label of an axis."""

    at: float
    words: str


class Bend(StrEnum):
    """How a scale is bent."""

    LINEAR = "linear"
    LOG = "log"
    """For values above 0; others stand at the lower end."""
    SYMMETRIC_LOG = "symmetric_log"
    """asinh: linear near 0, logarithmic on both sides."""


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` between the places `start` and `stop`, which may run backwards."""

    low: float
    high: float
    start: float
    stop: float
    bend: Bend = Bend.LINEAR
    unit: float = 1.0
    """Of `SYMMETRIC_LOG`: where it turns from linear to logarithmic."""

    def at(self, value: float) -> float:
        """The place of `value`, kept inside the drawing."""
        low, high = self._bent(self.low), self._bent(self.high)
        share = (self._bent(value) - low) / (high - low) if high > low else 0.5
        return round(self.start + min(max(share, 0.0), 1.0) * (self.stop - self.start), 2)

    def ticks(self, values: Iterable[float]) -> tuple[Tick, ...]:
        """Labels at those of `values` that lie inside and leave room for one another."""
        kept: list[Tick] = []
        for value in values:
            inside = self.low <= value <= self.high
            if inside and all(abs(self.at(value) - t.at) >= self._room for t in kept):
                kept.append(Tick(self.at(value), f"{value:.3g}".replace("-", "−")))
        return tuple(sorted(kept))

    @property
    def _room(self) -> float:
        return _APART if self.stop > self.start else _APART / 2

    def _bent(self, value: float) -> float:
        if self.bend is Bend.LOG:
            return math.log(max(value, self.low))
        return math.asinh(value / self.unit) if self.bend is Bend.SYMMETRIC_LOG else value


def round_values(low: float, high: float, wanted: int = 5) -> Sequence[float]:
    """Round numbers from `low` to `high`."""
    if not high > low:
        return (low,)
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    first = math.ceil(low / step)
    return tuple(i * step for i in range(first, math.floor(high / step) + 1))


def log_values(low: float, high: float) -> Sequence[float]:
    """Powers of ten from `low` to `high`, then 3 and others between them where there is room."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return tuple(m * 10.0**d for m in (1, 3, 2, 5) for d in decades)
