"""Where the marks of the causal drawings stand; `causal.jinja` turns them into SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from glossator.records import DosePoint, KlPoint, StrengthCalibration
from glossator.report.causal_wording import beyond_null, dose_words, figure, multiple_words, target_words
from glossator.report.plot_scales import Bend, Scale, Tick, log_values, round_values

_WIDTH, _HEIGHT = 460.0, 230.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 12.0, 14.0, 38.0


class Frame(NamedTuple):
    """Size and axes of a drawing."""

    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    left: float = _LEFT
    right: float = _WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = _HEIGHT - _BOTTOM
    width: float = _WIDTH
    height: float = _HEIGHT


class Dot(NamedTuple):
    """A measured strength with its interval."""

    x: float
    y: float
    low: float
    high: float
    beyond: bool
    """Outside the null band: drawn filled."""
    words: str


class DosePlot(NamedTuple):
    """Change of the concept's log-odds against strength, with the null band."""

    frame: Frame
    band: str
    """Corners of the null band, for a polygon."""
    line: str
    """Corners of the curve."""
    zero_x: float | None
    """Where strength 0 is; None where the curve has one sign."""
    zero_y: float
    dots: tuple[Dot, ...]
    words: str
    """The same in words, for those who cannot see it."""


class KlLine(NamedTuple):
    """KL against strength, in one sign."""

    down: bool
    runs: tuple[str, ...]
    """Corners of each unbroken stretch."""
    dots: tuple[Dot, ...]


class TargetMark(NamedTuple):
    """A target, where it was reached or nearly."""

    x: float
    y: float
    reached: bool
    down: bool
    words: str


class KlPlot(NamedTuple):
    """KL against strength on logarithmic axes, with the targets."""

    frame: Frame
    lines: tuple[KlLine, ...]
    targets: tuple[TargetMark, ...]
    levels: tuple[float, ...]
    """Heights of the targets."""
    broken: tuple[Dot, ...]
    """Strengths at which the subject gave no finite numbers, at the upper edge."""
    words: str


def dose_plot(dose: Sequence[DosePoint]) -> DosePlot | None:
    """The dose–response curve; None where it has no points.

    Strength 0 changes nothing, to the bit, so curve and band pass through the origin.
    """
    points = sorted((p for p in dose if _finite(p) and p.multiple != 0), key=lambda p: p.multiple)
    if not points:
        return None
    multiples = [p.multiple for p in points]
    unit = min(abs(m) for m in multiples)
    low, high = min(0.0, *multiples), max(0.0, *multiples)
    x = Scale(low, high, _LEFT + 8, _WIDTH - _RIGHT - 8, Bend.SYMMETRIC_LOG, unit)
    ends = [v for p in points for v in (p.interval.low, p.interval.high, p.change, p.null_low, p.null_high)]
    y = Scale(min(0.0, *ends), max(0.0, *ends), _HEIGHT - _BOTTOM - 4, _TOP + 4)
    dots = tuple(_dot(p, x, y) for p in points)
    origin = (x.at(0.0), y.at(0.0))
    upper = sorted([(x.at(p.multiple), y.at(p.null_high)) for p in points] + [origin])
    lower = sorted([(x.at(p.multiple), y.at(p.null_low)) for p in points] + [origin], reverse=True)
    words = "Change of the concept's log-odds by strength. " + "; ".join(map(dose_words, points))
    frame = Frame(
        x.ticks([0.0, *sorted(multiples, key=abs, reverse=True)]), y.ticks(round_values(y.low, y.high))
    )
    return DosePlot(
        frame=frame,
        band=_corners(upper + lower),
        line=_corners(sorted([(d.x, d.y) for d in dots] + [origin])),
        zero_x=origin[0] if low < 0 < high else None,
        zero_y=origin[1],
        dots=dots,
        words=words,
    )


def kl_plot(calibrations: Sequence[StrengthCalibration]) -> KlPlot | None:
    """KL against strength, up and down in one drawing; None where nothing was measured."""
    curve = [p for c in calibrations for p in c.curve if p.multiple != 0 and math.isfinite(p.multiple)]
    found = [p.kl for p in curve if p.kl is not None and p.kl > 0 and math.isfinite(p.kl)]
    if not found:
        return None
    wanted = [t.target for c in calibrations for t in c.targets]
    multiples = [abs(p.multiple) for p in curve]
    x = Scale(min(multiples) / 1.15, max(multiples) * 1.15, _LEFT, _WIDTH - _RIGHT, Bend.LOG)
    lowest = max(min(*found, *wanted) / 1.3, max(found) / 1e6)
    y = Scale(lowest, max(*found, *wanted) * 1.5, _HEIGHT - _BOTTOM, _TOP, Bend.LOG)
    marks = tuple(
        TargetMark(
            x.at(abs(t.multiple)),
            y.at(t.kl),
            t.reached,
            c.sign < 0,
            f"target {figure(t.target)}: {target_words(t)}",
        )
        for c in calibrations
        for t in c.targets
    )
    broken = tuple(_broken(p, x) for p in curve if p.kl is None)
    levels = tuple(y.at(t) for t in sorted(set(wanted)))
    frame = Frame(x.ticks(log_values(x.low, x.high)), y.ticks((*wanted, *log_values(y.low, y.high))))
    lines = tuple(_kl_line(c, x, y) for c in calibrations)
    return KlPlot(frame, lines, marks, levels, broken, _kl_words(calibrations))


def _kl_line(calibration: StrengthCalibration, x: Scale, y: Scale) -> KlLine:
    """Stretches of finite KL; a strength without numbers breaks the line."""
    runs: list[list[tuple[float, float]]] = [[]]
    dots: list[Dot] = []
    for point in sorted(calibration.curve, key=lambda p: abs(p.multiple)):
        if point.kl is None or not math.isfinite(point.kl):
            runs.append([])
        elif point.multiple != 0:
            at = (x.at(abs(point.multiple)), y.at(point.kl))
            runs[-1].append(at)
            words = f"{multiple_words(point.multiple)}: KL {figure(point.kl)}"
            dots.append(Dot(*at, at[1], at[1], True, words))
    return KlLine(calibration.sign < 0, tuple(_corners(r) for r in runs if len(r) > 1), tuple(dots))


def _kl_words(calibrations: Sequence[StrengthCalibration]) -> str:
    parts = [
        f"{'down' if c.sign < 0 else 'up'}, target {figure(t.target)} {target_words(t)}"
        for c in calibrations
        for t in c.targets
    ]
    return "KL of the next token by strength, log–log. " + "; ".join(parts)


def _broken(point: KlPoint, x: Scale) -> Dot:
    words = f"{multiple_words(point.multiple)}: the subject gave infinities or NaN"
    return Dot(x.at(abs(point.multiple)), _TOP, _TOP, _TOP, False, words)


def _dot(point: DosePoint, x: Scale, y: Scale) -> Dot:
    interval = point.interval
    return Dot(
        x.at(point.multiple),
        y.at(point.change),
        y.at(interval.low),
        y.at(interval.high),
        beyond_null(point),
        dose_words(point),
    )


def _finite(point: DosePoint) -> bool:
    values = (point.multiple, point.change, point.null_low, point.null_high)
    return all(math.isfinite(v) for v in (*values, point.interval.low, point.interval.high))


def _corners(places: Sequence[tuple[float, float]]) -> str:
    """Corners for a polygon or polyline, without repetitions."""
    kept = [places[0], *(b for a, b in pairwise(places) if a != b)] if places else []
    return " ".join(f"{px:g},{py:g}" for px, py in kept)
