"""Windows that a reader with only a claim tells apart: firing, random and hard ones, in one random order.

The same windows serve every claim about a feature, so that the comparison is paired. Which split they
are from is up to the caller: claims are chosen on `validate` and corrected on `explore`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from glossator.agents.explainers.explainer_settings import ExplainerSettings
from glossator.agents.explainers.material import Material, OpenViews
from glossator.agents.firing_facts import STRONG
from glossator.agents.scorers.examples import seed_of
from glossator.agents.window_reading.reader import LlmReader, Readings
from glossator.probes.negatives import WindowPool, hard_negatives
from glossator.probes.split_view import OpenView
from glossator.probes.windows import (
    Sampling,
    WindowBatch,
    firing_windows,
    join_windows,
    silent_windows,
    window_texts,
)
from glossator.records import Window


class Value(NamedTuple):
    """How well a claim does."""

    accuracy: float | None
    """Balanced accuracy; None where nothing firing or nothing silent got an answer."""
    n: int
    """Windows that got an answer."""


@dataclass(frozen=True)
class JudgedWindows:
    """Windows in the order in which they are asked."""

    batch: WindowBatch
    texts: tuple[str, ...]
    fires: Bool[np.ndarray, " windows"]
    hard: Bool[np.ndarray, " windows"]
    """Which of the silent ones are hard negatives."""

    def value(self, readings: Readings) -> Value:
        """Balanced accuracy over the windows that got an answer."""
        said = np.asarray(readings.fires)
        firing, silent = (said >= 0) & self.fires, (said >= 0) & ~self.fires
        n = int(firing.sum() + silent.sum())
        if not firing.any() or not silent.any():
            return Value(None, n)
        return Value(float((np.mean(said[firing] == 1) + np.mean(said[silent] == 0)) / 2), n)


async def detection_value(reader: LlmReader, claim: str, windows: JudgedWindows) -> Value:
    """How well a reader with only `claim` tells the windows apart."""
    if not windows.fires.any() or windows.fires.all():
        return Value(None, 0)
    return windows.value(await reader.detect(claim, windows.texts))


def validate_windows(views: OpenViews, material: Material, settings: ExplainerSettings) -> JudgedWindows:
    """What candidates are compared on, over all strengths at which the feature fires strongly."""
    return _draw(
        views.validate, views.validate_pool, views, material,
        n=settings.n_validate, width=settings.width, sampling="quantiles", purpose="explainers validate",
    )  # fmt: skip


def further_windows(
    views: OpenViews, material: Material, settings: ExplainerSettings, number: int
) -> JudgedWindows:
    """Windows of `explore` that the material does not show, other ones for each `number`."""
    return _draw(
        views.explore, views.explore_pool, views, material,
        n=settings.n_judged, width=settings.width, sampling="random", purpose=f"explainers refine {number}",
        shown=(*material.windows, *material.silent),
    )  # fmt: skip


def _draw(
    view: OpenView,
    pool: WindowPool | None,
    views: OpenViews,
    material: Material,
    *,
    n: int,
    width: int,
    sampling: Sampling,
    purpose: str,
    shown: Sequence[Window] = (),
) -> JudgedWindows:
    feature, close = material.feature.index, views.neighbours
    seeds = [
        int(s) for s in np.random.default_rng(seed_of(material.feature, purpose)).integers(2**31, size=4)
    ]
    counts, extra = (n // 2, n // 4, n - n // 2 - n // 4), len(shown)
    firing = firing_windows(
        view, feature, threshold=STRONG * material.max_activation, n=counts[0] + extra, seed=seeds[0],
        sampling=sampling, width=width,
    )  # fmt: skip
    random = silent_windows(view, feature, counts[1] + counts[2] + extra, seeds[1], width=width)
    hard = hard_negatives(
        view, feature, counts[2] + extra, seeds[2], by_direction=close.by_direction,
        by_coactivation=close.by_coactivation, pool=pool, embedder=views.embedder, width=width,
    ).windows  # fmt: skip
    rng = np.random.default_rng(seeds[3])
    near = _fresh(hard, shown, counts[2], rng)
    # Where a feature leaves few hard negatives, random ones stand in: what is compared keeps its size.
    far = _fresh(random, shown, counts[1] + counts[2] - len(near), rng)
    parts = [_fresh(firing, shown, counts[0], rng), far, near]
    joined = join_windows(parts, wanted=n)
    group = np.repeat(np.arange(3), [len(p) for p in parts])
    order = rng.permutation(len(joined))
    joined, group = joined.take(order), group[order]
    return JudgedWindows(joined, tuple(window_texts(view, joined)), group == 0, group == 2)


def _fresh(batch: WindowBatch, shown: Sequence[Window], n: int, rng: np.random.Generator) -> WindowBatch:
    """`n` windows that overlap none of `shown`; all that there are is better than none."""
    if len(batch) <= n and not shown:
        return batch
    start = np.array([w.start for w in shown], dtype=np.int64)
    stop = start + np.array([len(w.tokens) for w in shown], dtype=np.int64)
    apart = (batch.start[:, None] >= stop) | (batch.stop[:, None] <= start)
    unseen = np.flatnonzero(np.all(apart, axis=1))
    fresh = batch.take(unseen) if len(unseen) else batch
    return fresh.take(np.sort(rng.permutation(len(fresh))[:n]))
