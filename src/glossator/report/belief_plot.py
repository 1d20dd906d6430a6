"""Where the curves of beliefs stand: a line per hypothesis, a place per time that beliefs were told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from glossator.agents.trace.reading import beliefs_in
from glossator.records import TraceEvent
from glossator.report.plot_scales import Scale, Tick

_WIDTH, _HEIGHT = 640.0, 240.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, 44.0, 12.0, 34.0
_APART = 13.0
_COLOURS = 7
"""Colours that the style has; further lines share them, with another dash."""


class BeliefDot(NamedTuple):
    """One belief."""

    x: float
    y: float
    words: str


class BeliefLine(NamedTuple):
    """What was believed of one hypothesis over time."""

    name: str
    """`H1`, or `none` for none of them."""
    colour: int
    """Number of its colour, from 1; 0 for none of them."""
    points: str
    """Corners of the line."""
    dots: tuple[BeliefDot, ...]
    label_y: float
    """Where its name stands, moved so that names do not cover each other."""


class BeliefPlot(NamedTuple):
    """All curves in one drawing."""

    lines: tuple[BeliefLine, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    words: str
    """The last beliefs in words, for those who cannot see the drawing."""
    left: float = _LEFT
    right: float = _WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = _HEIGHT - _BOTTOM
    width: float = _WIDTH
    height: float = _HEIGHT


class _Told(NamedTuple):
    step: str
    believed: dict[str, float]


def belief_plot(events: Sequence[TraceEvent], names: dict[str, str]) -> BeliefPlot | None:
    """The curves; None where no belief in them was ever told.

    Args:
        events: the trace, in order.
        names: short names of hypotheses by id, in the order in which they entered.
    """
    told = [t for t in map(_told, events) if t.believed]
    order = [i for i in names if any(i in t.believed for t in told)]
    if not order:
        return None
    x = Scale(1.0, float(max(2, len(told))), _LEFT + 12, _WIDTH - _RIGHT - 6)
    y = Scale(0.0, 1.0, _HEIGHT - _BOTTOM, _TOP)
    lines = [_line(i, names[i], 1 + list(names).index(i) % _COLOURS, told, x, y) for i in order]
    lines = _spread(lines, y.at(1.0), y.at(0.0))
    last = told[-1].believed
    words = ", ".join(f"{names[i]} {last[i]:.2f}" for i in order if i in last)
    ticks = tuple(Tick(x.at(float(n)), str(n)) for n in range(1, len(told) + 1)) if len(told) <= 20 else ()
    y_ticks = y.ticks((0.0, 0.25, 0.5, 0.75, 1.0))
    return BeliefPlot(tuple(lines), ticks, y_ticks, f"Probability after each update; in the end {words}")


def _told(event: TraceEvent) -> _Told:
    return _Told(event.step, {b.hypothesis: b.probability for b in beliefs_in(event)})


def _line(identity: str, name: str, colour: int, told: Sequence[_Told], x: Scale, y: Scale) -> BeliefLine:
    dots = tuple(
        BeliefDot(x.at(float(n)), y.at(t.believed[identity]), f"{name}, {t.step}: {t.believed[identity]:.3f}")
        for n, t in enumerate(told, 1)
        if identity in t.believed
    )
    points = " ".join(f"{d.x:g},{d.y:g}" for d in dots)
    return BeliefLine(name, colour, points, dots, dots[-1].y)


def _spread(lines: Sequence[BeliefLine], top: float, bottom: float) -> list[BeliefLine]:
    """Names from the top down, each below the one before; then from the bottom up, where they ran out."""
    order = sorted(range(len(lines)), key=lambda i: lines[i].label_y)
    places: list[float] = []
    for i in order:
        places.append(max(lines[i].label_y, places[-1] + _APART if places else top))
    limit = bottom
    for n in reversed(range(len(places))):
        places[n] = min(places[n], limit)
        limit = places[n] - _APART
    at = dict(zip(order, places, strict=True))
    return [line._replace(label_y=round(at[i], 2)) for i, line in enumerate(lines)]
