"""Where the marks of the small drawings stand; `drawings.jinja` turns them into SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from glossator.records import Baseline, FeatureCard, Interval, Score
from glossator.report.activation_shade import occupied
from glossator.report.wording import (
    BASELINE_WORDS,
    activation_words,
    baseline_words,
    chance,
    count,
    value_words,
)

_HISTOGRAM_WIDTH, _HISTOGRAM_HEIGHT = 320.0, 90.0


class Whisker(NamedTuple):
    """A value on [0, 1] and its interval, in percent of the drawing's width."""

    name: str
    """What it is, for the tooltip."""
    at: float
    """The value's place."""
    low: float
    """The interval's lower end."""
    high: float
    """The interval's upper end."""
    is_baseline: bool
    """Drawn hollow and grey."""


class WhiskerPlot(NamedTuple):
    """A score and its baselines on one axis."""

    whiskers: tuple[Whisker, ...]
    """The score first."""
    chance: float | None
    """Where guessing lies, in percent; None if it depends."""
    words: str
    """The same in words, for those who cannot see it."""


class Bar(NamedTuple):
    """One bin of the histogram, in drawing units."""

    x: float
    y: float
    width: float
    height: float
    words: str


class Histogram(NamedTuple):
    """The histogram of firings on logarithmic axes; equal bins have equal widths."""

    bars: tuple[Bar, ...]
    edges: str
    """Edges separated by spaces, for the script that draws a token's value."""
    low: str
    high: str
    width: float = _HISTOGRAM_WIDTH
    height: float = _HISTOGRAM_HEIGHT


def score_plot(score: Score) -> WhiskerPlot | None:
    """The score against its baselines; None if it has no value."""
    return whisker_plot("score", score.value, score.interval, score.baselines, chance(score.metric))


def whisker_plot(
    name: str,
    value: float | None,
    interval: Interval | None,
    baselines: Sequence[Baseline] = (),
    chance_level: float | None = None,
) -> WhiskerPlot | None:
    """A value with its interval above its baselines; None if there is no value."""
    if value is None or not math.isfinite(value):
        return None
    marks = [_whisker(name, value, interval, is_baseline=False)]
    words = [f"{name} {value_words(value, interval)}"]
    for baseline in baselines:
        if baseline.value is not None and math.isfinite(baseline.value):
            name = BASELINE_WORDS[baseline.name]
            marks.append(_whisker(name, baseline.value, baseline.interval, is_baseline=True))
            words.append(baseline_words(baseline))
    return WhiskerPlot(tuple(marks), None if chance_level is None else 100 * chance_level, "; ".join(words))


def histogram(card: FeatureCard) -> Histogram | None:
    """The card's histogram without its empty ends; None if it never fired."""
    edges, counts = occupied(card)
    if not counts:
        return None
    words = [
        f"{activation_words(left)} to {activation_words(right)}: {count(n)} firings"
        for n, left, right in zip(counts, edges, edges[1:], strict=False)
    ]
    bars = bars_of([math.log1p(n) for n in counts], words, _HISTOGRAM_WIDTH, _HISTOGRAM_HEIGHT)
    joined = " ".join(f"{edge:.4g}" for edge in edges)
    return Histogram(bars, joined, activation_words(edges[0]), activation_words(edges[-1]))


def bars_of(values: Sequence[float], words: Sequence[str], width: float, height: float) -> tuple[Bar, ...]:
    """Bars side by side over the whole width, the tallest of the whole height; something is above 0."""
    step, tallest = width / len(values), max(values)
    return tuple(
        Bar(
            round(i * step, 2),
            round(height * (1 - value / tallest), 2),
            round(max(step - 1, 0.5), 2),
            round(height * value / tallest, 2),
            said,
        )
        for i, (value, said) in enumerate(zip(values, words, strict=True))
    )


def _whisker(name: str, value: float, interval: Interval | None, *, is_baseline: bool) -> Whisker:
    low, high = (value, value) if interval is None else (interval.low, interval.high)
    return Whisker(name, _percent(value), _percent(low), _percent(high), is_baseline)


def _percent(value: float) -> float:
    return round(100 * min(max(value, 0.0), 1.0), 2) if math.isfinite(value) else 0.0
