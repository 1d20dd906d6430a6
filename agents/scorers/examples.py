"""The windows on which all explanations of a feature are compared.

They are drawn once per feature, so that every comparison is paired.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Int

from glossator.agents.scorers.settings import ScoringSettings
from glossator.probes.negatives import NegativeKind, WindowPool, hard_negatives
from glossator.probes.split_view import AnyView
from glossator.probes.text_embedder import TextEmbedder
from glossator.probes.windows import (
    WindowBatch,
    firing_windows,
    is_silent,
    join_windows,
    silent_windows,
    windows_at,
)
from glossator.records import FeatureRef, Negatives


class Group(IntEnum):
    """Which part of the examples a window belongs to."""

    FIRING = 0
    RANDOM = 1
    HARD = 2


@dataclass(frozen=True)
class ScoringExamples:
    """Firing windows, random negatives and hard negatives of one feature, as one batch."""

    windows: WindowBatch
    group: Int[np.ndarray, " windows"]
    """`Group` of each window."""
    embedded: Bool[np.ndarray, " windows"]
    """Which windows the embedder reads: a random part of each group, all that come from the pool."""
    wanted: Mapping[Group, int]
    """How many of each group were asked for."""
    hard_found: Mapping[NegativeKind, int]
    """Hard negatives per kind."""
    recipe: Mapping[str, object]
    """What to do to draw them again."""

    def against(self, negatives: Negatives) -> Bool[np.ndarray, " windows"]:
        """The firing windows and one group of negatives."""
        wanted = Group.HARD if negatives is Negatives.HARD else Group.RANDOM
        return (self.group == Group.FIRING) | (self.group == wanted)

    @property
    def firing(self) -> Bool[np.ndarray, " windows"]:
        """Which windows fire."""
        return self.group == Group.FIRING


def seed_of(feature: FeatureRef, purpose: str) -> int:
    """A seed that belongs to a feature and a purpose, the same everywhere."""
    return int.from_bytes(hashlib.sha256(f"{feature} {purpose}".encode()).digest()[:4], "big")


def draw_examples(
    view: AnyView,
    feature: int,
    settings: ScoringSettings,
    *,
    threshold: float,
    seed: int,
    by_direction: Sequence[int] = (),
    by_coactivation: Sequence[int] = (),
    pool: WindowPool | None = None,
    embedder: TextEmbedder | None = None,
) -> ScoringExamples:
    """Windows whose peak is above `threshold` (absolute), and silent ones of both kinds.

    Random negatives come from the pool where there is one: uniform draws too, embedded already.
    """
    seeds = [int(s) for s in np.random.default_rng(seed).integers(2**31, size=4)]
    firing = firing_windows(view, feature, threshold=threshold, n=settings.n_firing, seed=seeds[0])
    random = _random_negatives(view, feature, settings.n_random, seeds[1], pool)
    hard = hard_negatives(
        view,
        feature,
        settings.n_hard,
        seeds[2],
        by_direction=by_direction,
        by_coactivation=by_coactivation,
        pool=pool,
        embedder=embedder,
    )
    parts = [firing, random, hard.windows]
    rng = np.random.default_rng(seeds[3])
    read = [settings.n_embedded, settings.n_embedded if pool is None else len(random), settings.n_embedded]
    return ScoringExamples(
        windows=join_windows(parts, wanted=sum(p.wanted for p in parts)),
        group=np.repeat(np.array([int(g) for g in Group]), [len(p) for p in parts]),
        embedded=np.concatenate([rng.permutation(len(p)) < n for p, n in zip(parts, read, strict=True)]),
        wanted=dict(zip(Group, (p.wanted for p in parts), strict=True)),
        hard_found=hard.found,
        recipe={
            "seed": seed,
            "sizes": asdict(settings),
            "threshold": threshold,
            "by_direction": list(by_direction),
            "by_coactivation": list(by_coactivation),
            "pool": None if pool is None else len(pool.windows),
            "embedder": None if embedder is None else embedder.name,
        },
    )


def _random_negatives(view: AnyView, feature: int, n: int, seed: int, pool: WindowPool | None) -> WindowBatch:
    if pool is not None:
        silent = pool.windows.centre[is_silent(view.firings(feature), pool.windows)]
        # A pool that is nearly all silent is enough, even if it was asked for whole.
        if len(silent) >= min(n, (len(pool.windows) + 1) // 2):
            drawn = np.random.default_rng(seed).permutation(silent)[:n]
            return windows_at(view.text, drawn, wanted=n)
    return silent_windows(view, feature, n, seed)
