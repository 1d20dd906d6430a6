"""Where the marks of a run's drawings stand: histograms of scores, and features ended over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from glossator.records import PacePoint, ScoreDistribution
from glossator.report.activation_shade import block_bars
from glossator.report.plot_scales import Scale
from glossator.report.plots import Bar, bars_of
from glossator.report.wording import chance, count, number, value_words

_WIDTH, _HEIGHT = 320.0, 84.0
_PACE_WIDTH, _PACE_HEIGHT = 720.0, 110.0


class Mark(NamedTuple):
    """A median on the histogram's axis, with its interval."""

    name: str
    at: float
    low: float
    high: float
    words: str
    is_baseline: bool


class ScorePlot(NamedTuple):
    """The scores of all features for one question, above what baselines reach."""

    title: str
    against: str
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    chance: float | None
    """Where guessing lies; None where that depends."""
    low: str
    high: str
    words: str
    """The drawing in words."""
    blocks: str
    """The histogram in characters."""
    width: float = _WIDTH
    height: float = _HEIGHT


class PaceTick(NamedTuple):
    """A time on the axis."""

    x: float
    words: str
    anchor: str


class PacePlot(NamedTuple):
    """Features ended over time."""

    bars: tuple[Bar, ...]
    ticks: tuple[PaceTick, ...]
    most: str
    """The fastest stretch."""
    words: str
    blocks: str
    width: float = _PACE_WIDTH
    height: float = _PACE_HEIGHT


def score_plot(distribution: ScoreDistribution, title: str, against: str) -> ScorePlot | None:
    """The drawing of a distribution; None where nothing was measured."""
    if not any(distribution.bins):
        return None
    axis = Scale(distribution.low, distribution.high, 0.0, _WIDTH)
    marks = _marks(distribution, axis)
    level = chance(distribution.question.metric)
    words = "; ".join(m.words for m in marks)
    return ScorePlot(
        title=title,
        against=against,
        bars=_bars(distribution),
        marks=marks,
        chance=None if level is None else axis.at(level),
        low=number(distribution.low, 0).replace("-", "−"),
        high=number(distribution.high, 0),
        words=f"{title}, {against}: {words}",
        blocks=block_bars([float(n) for n in distribution.bins]),
    )


def pace_plot(points: Sequence[PacePoint]) -> PacePlot | None:
    """Features ended per minute; None without any."""
    if not points:
        return None
    rates = [p.features / p.minutes for p in points]
    words = [
        f"{_clock(p.at)}: {count(p.features)} features in {number(p.minutes, 1)} minutes" for p in points
    ]
    bars = bars_of(rates, words, _PACE_WIDTH, _PACE_HEIGHT)
    most = f"{number(max(rates), 1)} features a minute"
    span = f"{_clock(points[0].at)} to {_clock(points[-1].at)} UTC"
    ticks = _pace_ticks(points)
    return PacePlot(bars, ticks, most, f"Features ended, {span}; at most {most}", block_bars(rates))


def _bars(distribution: ScoreDistribution) -> tuple[Bar, ...]:
    n, span = len(distribution.bins), distribution.high - distribution.low
    words: list[str] = []
    for i, held in enumerate(distribution.bins):
        left, right = (distribution.low + span * (i + k) / n for k in (0, 1))
        words.append(f"{number(left)} to {number(right)}: {count(held)} features")
    return bars_of([float(n) for n in distribution.bins], words, _WIDTH, _HEIGHT)


def _marks(distribution: ScoreDistribution, axis: Scale) -> tuple[Mark, ...]:
    """The median first, then those of the baselines."""
    named = [("median", distribution.median, False)]
    named += [(b.name, b.median, True) for b in distribution.baselines]
    marks: list[Mark] = []
    for name, estimate, is_baseline in named:
        if estimate.value is None:
            continue
        ends = estimate.interval
        low, high = (ends.low, ends.high) if ends else (estimate.value, estimate.value)
        words = f"{name} {value_words(estimate.value, ends)}, n = {count(estimate.n)}"
        at, left, right = (axis.at(v) for v in (estimate.value, low, high))
        marks.append(Mark(name, at, left, right, words, is_baseline))
    return tuple(marks)


def _pace_ticks(points: Sequence[PacePoint]) -> tuple[PaceTick, ...]:
    if len(points) < 3:
        return (PaceTick(0.0, _clock(points[0].at), "start"),)
    middle = len(points) // 2
    return (
        PaceTick(0.0, _clock(points[0].at), "start"),
        PaceTick(round(_PACE_WIDTH * middle / len(points), 2), _clock(points[middle].at), "middle"),
        PaceTick(_PACE_WIDTH, _clock(points[-1].at), "end"),
    )


def _clock(at: str) -> str:
    """`2026-11-28 03:10` of an ISO time."""
    return at[:16].replace("T", " ")
