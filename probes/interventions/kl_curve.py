"""KL against strength as far as it is measured, and what to measure next to find where it meets a target.

Pure: the search is decided here and runs elsewhere. Strengths are above 0; the sign is the caller's. KL at
strength 0 is 0. Points double from one to the next before anything is refined, so a rise and fall within
one doubling can be missed; what is found is the first crossing of the curve as measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from glossator.records import KlPoint

GRID = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Where most features of most dictionaries reach 0.1 to 3 nats; the grid goes on where it must."""
_AIM = 0.3
"""Share of the tolerance that is aimed at."""
_NARROW = 1.01
"""Ratio of two strengths between which nothing more is sought."""
_STEEP = 8.0
"""A log-log slope above which interpolation is worse than cutting into quarters. Weak steering has 2."""
_FLOOR = 1e-9


class Outcome(NamedTuple):
    """How a target was met."""

    strength: float
    kl: float
    reached: bool
    reason: str


class _Point(NamedTuple):
    strength: float
    kl: float
    """Infinity where the subject gave no finite numbers."""


class _Bracket(NamedTuple):
    """Neighbouring strengths, below and from which on the target is exceeded."""

    low: _Point
    high: _Point

    @property
    def narrow(self) -> bool:
        return self.high.strength <= self.low.strength * _NARROW


class KlCurve:
    """Mean next-token KL by strength."""

    def __init__(self) -> None:
        self._kl: dict[float, float] = {}

    def add(self, strengths: Sequence[float], kls: Float[np.ndarray, " strengths"]) -> None:
        """Add what was measured; NaN and infinity are the same: the subject gave no finite numbers."""
        for strength, kl in zip(strengths, kls.tolist(), strict=True):
            self._kl[strength] = kl if math.isfinite(kl) else math.inf

    def points(self, sign: int) -> tuple[KlPoint, ...]:
        """Everything that was measured, by strength."""
        return tuple(
            KlPoint(multiple=sign * p.strength, kl=p.kl if math.isfinite(p.kl) else None)
            for p in self.measured()
        )

    def measured(self) -> list[_Point]:
        """All points, by strength."""
        return [_Point(s, self._kl[s]) for s in sorted(self._kl)]

    def safe(self) -> list[_Point]:
        """The points below the first at which the subject gave no finite numbers."""
        points = self.measured()
        return points[: next((i for i, p in enumerate(points) if p.kl == math.inf), len(points))]

    def largest_safe(self) -> float | None:
        """The largest strength that gave finite numbers, below one that did not; None where all did. 0 where
        none did."""
        if math.inf not in self._kl.values():
            return None
        return max((p.strength for p in self.safe()), default=0.0)

    def bracket(self, target: float) -> _Bracket | None:
        """Where the curve first exceeds `target`; None where it does not."""
        low = _Point(0.0, 0.0)
        for point in self.measured():
            if point.kl >= target:
                return _Bracket(low, point)
            low = point
        return None

    def nearest(self, target: float) -> _Point:
        """The point up to the first crossing whose KL is nearest; of equals, the weakest."""
        bracket = self.bracket(target)
        last = math.inf if bracket is None else bracket.high.strength
        points = [p for p in self.safe() if p.strength <= last] or [_Point(0.0, 0.0)]
        return min(points, key=lambda p: (abs(_log(p.kl) - _log(target)), p.strength))


def wanted_strengths(
    curve: KlCurve, targets: Sequence[float], tolerance: float, weakest: float, strongest: float
) -> list[float]:
    """Strengths to measure next, for all targets together; none where the search is over."""
    if not curve.measured():
        return [s for s in GRID if weakest <= s <= strongest]
    wanted: set[float] = set()
    for target in targets:
        if not _within(curve.nearest(target), target, _AIM * tolerance):
            wanted.update(_next(curve, target, weakest, strongest))
    measured = {p.strength for p in curve.measured()}
    return sorted(wanted - measured)


def outcome(curve: KlCurve, target: float, tolerance: float) -> Outcome:
    """What came of the search for `target`."""
    best, bracket = curve.nearest(target), curve.bracket(target)
    if _within(best, target, tolerance):
        return Outcome(best.strength, best.kl, True, "")
    if bracket is None:
        points = curve.safe()
        reason = f"too weak at any strength up to {points[-1].strength:.4g} multiples"
    elif bracket.high.kl == math.inf:
        reason = f"no finite numbers from {bracket.high.strength:.4g} multiples on, and too weak below"
    elif bracket.low.strength == 0:
        reason = f"too strong even at {bracket.high.strength:.4g} multiples"
    else:
        low, high = bracket
        reason = (
            f"jumps over it: KL {low.kl:.3g} at {low.strength:.4g} multiples, "
            f"{high.kl:.3g} at {high.strength:.4g}"
        )
    return Outcome(best.strength, best.kl, False, reason)


def _next(curve: KlCurve, target: float, weakest: float, strongest: float) -> Iterable[float]:
    bracket, points = curve.bracket(target), curve.measured()
    if bracket is None:
        last = points[-1].strength
        return _stronger(last, strongest) if last < strongest else _beside_the_peak(points, target)
    if bracket.low.strength == 0:
        first = bracket.high.strength
        return [max(weakest, first / 2), max(weakest, first / 4)] if first > weakest else []
    return [] if bracket.narrow else _inside(bracket, target)


def _stronger(last: float, strongest: float) -> list[float]:
    return [min(strongest, last * 2), min(strongest, last * 4)]


def _inside(bracket: _Bracket, target: float) -> list[float]:
    """The point that a power law through both ends gives; of a steep or unsafe stretch, its quarters."""
    low, high = bracket
    width = math.log(high.strength / low.strength)
    rise = _log(high.kl) - _log(low.kl)
    if not rise <= _STEEP * width:  # holds for an infinite rise, too
        return [low.strength * math.exp(width * share) for share in (0.25, 0.5, 0.75)]
    share = (_log(target) - _log(low.kl)) / rise if rise > 0 else 0.5
    return [low.strength * math.exp(width * min(0.98, max(0.02, share)))]


def _beside_the_peak(points: Sequence[_Point], target: float) -> list[float]:
    """Halfway to both neighbours of the highest point, where that might yet be a peak of `target`."""
    top = max(range(len(points)), key=lambda i: points[i].kl)
    if points[top].kl < target / 2 or not 0 < top < len(points) - 1:
        return []
    around = [points[top - 1].strength, points[top].strength, points[top + 1].strength]
    if around[2] / around[0] < 1.2:
        return []
    return [math.sqrt(around[0] * around[1]), math.sqrt(around[1] * around[2])]


def _within(point: _Point, target: float, tolerance: float) -> bool:
    return abs(point.kl / target - 1) <= tolerance


def _log(kl: float) -> float:
    return math.log(max(kl, _FLOOR))
