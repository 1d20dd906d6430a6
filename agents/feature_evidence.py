"""What is shown of a feature, measured on `explore` alone, each measurement as evidence with an id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from glossator.agents.scorers.examples import seed_of
from glossator.agents.scorers.room import FeatureNeighbours
from glossator.probes.activation_index import ActivationIndex
from glossator.probes.negatives import WindowPool, hard_negatives
from glossator.probes.text_embedder import TextEmbedder
from glossator.probes.token_effects import TokenEffects
from glossator.probes.windows import firing_windows, join_windows, to_windows
from glossator.records import Evidence, EvidenceKind, FeatureRef, Window

RECIPE_VERSION = 1
"""Raised whenever the same recipe would measure something else."""


@dataclass(frozen=True)
class EvidenceSettings:
    """How much of a feature is shown."""

    n_top: int = 8
    """Strongest windows."""
    n_quantiles: int = 20
    """Windows spread evenly over the strength of firing."""
    n_silent: int = 12
    """Hard negatives."""


class Histogram(NamedTuple):
    """Firings per activation bin; one edge more than counts, empty bins at both ends left out."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class FeatureEvidence(NamedTuple):
    """The `explore` side of a card."""

    density: float
    n_firings: int
    max_activation: float
    histogram: Histogram
    windows: tuple[Window, ...]
    silent_windows: tuple[Window, ...]
    effects: TokenEffects
    evidence: tuple[Evidence, ...]


def gather_evidence(
    index: ActivationIndex,
    ref: FeatureRef,
    effects: TokenEffects,
    neighbours: FeatureNeighbours,
    *,
    pool: WindowPool | None,
    embedder: TextEmbedder | None,
    settings: EvidenceSettings,
) -> FeatureEvidence:
    """Windows, silent windows, statistics, output tokens and neighbours of one feature.

    Raises:
        UnknownNameError: if the index has no such feature.
    """
    view, feature, stats = index.explore, ref.index, index.statistics
    seed = seed_of(ref, "evidence")
    top = firing_windows(view, feature, threshold=0.0, n=settings.n_top, seed=seed, sampling="top")
    spread = firing_windows(view, feature, threshold=0.0, n=settings.n_quantiles, seed=seed)
    joined = join_windows([top, spread], settings.n_top + settings.n_quantiles)
    _, first = np.unique(joined.centre, return_index=True)
    joined = joined.take(np.sort(first))
    joined = joined.take(np.argsort(-joined.activation, kind="stable"))
    near = hard_negatives(
        view, feature, settings.n_silent, seed, by_direction=neighbours.by_direction,
        by_coactivation=neighbours.by_coactivation, pool=pool, embedder=embedder,
    )  # fmt: skip
    windows, silent = to_windows(view, feature, joined), to_windows(view, feature, near.windows)
    histogram = _histogram(index, feature)
    density, n_firings = float(stats.density[feature]), int(stats.count[feature])
    maximum = float(stats.max[feature])
    facts = {
        "density": density,
        "n_firings": n_firings,
        "max_activation": maximum,
        "edges": list(histogram.edges),
        "counts": list(histogram.counts),
    }
    tokens = {
        "promoted": [e.model_dump(mode="json") for e in effects.promoted],
        "suppressed": [e.model_dump(mode="json") for e in effects.suppressed],
    }
    nearest = {"direction": list(neighbours.by_direction), "coactivation": list(neighbours.by_coactivation)}
    recipe = {
        "recipe_version": RECIPE_VERSION,
        "index": index.identity,
        "split": view.split.value,
        "seed": seed,
    }
    shown = {"n_top": settings.n_top, "n_quantiles": settings.n_quantiles}
    asked = {
        "n_silent": settings.n_silent,
        "embedder": None if embedder is None else embedder.name,
        **nearest,
    }
    evidence = (
        Evidence.of(ref, EvidenceKind.WINDOWS, {**recipe, **shown}, window_payload(windows)),
        Evidence.of(ref, EvidenceKind.SILENT_WINDOWS, {**recipe, **asked}, window_payload(silent)),
        Evidence.of(ref, EvidenceKind.STATISTICS, recipe, facts),
        Evidence.of(ref, EvidenceKind.TOKEN_EFFECTS, recipe, tokens),
        Evidence.of(ref, EvidenceKind.NEIGHBOURS, recipe, nearest),
    )
    return FeatureEvidence(
        density=density,
        n_firings=n_firings,
        max_activation=maximum,
        histogram=histogram,
        windows=windows,
        silent_windows=silent,
        effects=effects,
        evidence=evidence,
    )


def _histogram(index: ActivationIndex, feature: int) -> Histogram:
    counts, edges = index.statistics.histogram[feature], index.statistics.edges
    used = np.flatnonzero(counts)
    if not len(used):
        return Histogram((), ())
    first, last = int(used[0]), int(used[-1]) + 1
    return Histogram(
        tuple(float(e) for e in edges[first : last + 1]), tuple(int(c) for c in counts[first:last])
    )


def window_payload(windows: Sequence[Window]) -> list[object]:
    """Where each window is and what fires in it; the text itself is the corpus'."""
    return [
        {"document": w.document, "start": w.start, "length": len(w.tokens), "peak": w.peak,
         "activations": [round(a, 4) for a in w.activations]}
        for w in windows
    ]  # fmt: skip
