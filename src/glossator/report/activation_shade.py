"""How strongly a token is shaded, which band a window belongs to, and the histogram of firings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from glossator.records import FeatureCard, Window

_BANDS = 5


def shade(activation: float, maximum: float) -> float:
    """Opacity of a token's background in [0, 1]: 0 where silent, else `0.05 + 0.95·log10(1 + 9·a/max)`.

    The curve is Neuronpedia's (`apps/webapp/lib/utils/activations.ts`): weak firings stay visible.
    """
    if not (activation > 0 and maximum > 0):
        return 0.0
    return 0.05 + 0.95 * math.log10(1 + 9 * min(activation / maximum, 1.0))


def peak_activation(window: Window) -> float:
    """The largest activation in a window; 0 if it is silent or empty."""
    return max(window.activations, default=0.0)


class Band(NamedTuple):
    """Windows whose peaks lie within one fifth of the feature's range."""

    low: float
    """Lower end, in activation."""
    high: float
    """Upper end."""
    share: float | None
    """About which share of the firings lies within, from the histogram; None if there is none."""
    windows: tuple[Window, ...]
    """The windows, strongest first."""


def bands(card: FeatureCard) -> tuple[Band, ...]:
    """The card's firing windows by fifths of its maximum, strongest first; empty bands are left out."""
    top = max([card.max_activation, *map(peak_activation, card.windows)])
    if top <= 0:
        return ()

    def fifth(window: Window) -> int:
        return min(int(_BANDS * peak_activation(window) / top), _BANDS - 1)

    ordered = sorted(card.windows, key=peak_activation, reverse=True)
    return tuple(
        Band(
            k * top / _BANDS,
            (k + 1) * top / _BANDS,
            firing_share(card, k / _BANDS, (k + 1) / _BANDS),
            tuple(members),
        )
        for k, members in groupby(ordered, key=fifth)
    )


def firing_share(card: FeatureCard, low: float, high: float) -> float | None:
    """About which share of firings lies between two shares of the maximum, each bin taken as even."""
    total = sum(card.histogram_counts)
    if not total or len(card.histogram_edges) != len(card.histogram_counts) + 1:
        return None
    a, b = low * card.max_activation, high * card.max_activation
    edges = card.histogram_edges
    inside = 0.0
    for left, right, n in zip(edges, edges[1:], card.histogram_counts, strict=False):
        if right > left:
            inside += n * max(0.0, min(b, right) - max(a, left)) / (right - left)
    return min(inside / total, 1.0)


_EIGHTHS = " ▁▂▃▄▅▆▇█"


def sparkline(counts: Sequence[int]) -> str:
    """`counts` as block characters on a logarithmic scale; any count above zero is seen."""
    return block_bars([math.log1p(max(n, 0)) for n in counts])


def block_bars(values: Sequence[float]) -> str:
    """Bars in characters; what is 0 is a space, what is not is seen; empty without anything above 0."""
    tallest = max(values, default=0)
    if tallest <= 0:
        return ""
    return "".join(_EIGHTHS[0 if v <= 0 else max(1, round(8 * v / tallest))] for v in values)


def occupied(card: FeatureCard) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """The histogram without empty bins at its ends: edges and counts (both empty if nothing fired)."""
    counts, edges = card.histogram_counts, card.histogram_edges
    filled = [i for i, n in enumerate(counts) if n > 0]
    if not filled or len(edges) != len(counts) + 1:
        return (), ()
    first, last = filled[0], filled[-1]
    return edges[first : last + 2], counts[first : last + 1]
