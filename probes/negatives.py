"""Hard negatives: windows that look like the feature's and hold no firing of it.

A label that only names the token, the topic or the neighbourhood fails on them (Bricken et al. 2023;
Paulo et al. 2024, https://arxiv.org/abs/2410.13928, found detection near chance against them).

Three sources: the tokens that it fires on most, where it is silent; windows of neighbouring
features; and windows near its own by sentence embedding, from a pool that is embedded once per view
and shared by all features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Bool, Float, Int

from glossator.probes.split_view import AnyView
from glossator.probes.text_embedder import TextEmbedder
from glossator.probes.windows import (
    WIDTH,
    WindowBatch,
    firing_windows,
    is_silent,
    join_windows,
    window_texts,
    windows_at,
)

_TOKENS = 24
_QUERIES = 8
_NEIGHBOUR_SHARE = 0.3


class NegativeKind(StrEnum):
    """Why a negative is hard."""

    SAME_TOKEN = "same_token"
    """Centred on a token that the feature often fires on."""
    NEIGHBOUR_DIRECTION = "neighbour_direction"
    """A feature with a similar direction fires strongly."""
    NEIGHBOUR_COACTIVATION = "neighbour_coactivation"
    """A feature that often fires together with it fires strongly."""
    EMBEDDING_NEAR = "embedding_near"
    """Near the feature's strongest windows by sentence embedding."""


KINDS = tuple(NegativeKind)


@dataclass(frozen=True)
class WindowPool:
    """Windows drawn uniformly over a view's eligible tokens, with their embeddings."""

    windows: WindowBatch
    vectors: Float[np.ndarray, "windows d"]

    @classmethod
    def draw(
        cls, view: AnyView, embedder: TextEmbedder, *, size: int, seed: int, width: int = WIDTH
    ) -> WindowPool:
        """Draw and embed up to `size` windows; do it once per view."""
        eligible = np.flatnonzero(view.text.eligible)
        drawn = np.random.default_rng(seed).choice(eligible, min(size, len(eligible)), replace=False)
        windows = windows_at(view.text, drawn, width=width, wanted=size)
        return cls(windows, embedder.embed(window_texts(view, windows)))


@dataclass(frozen=True)
class HardNegatives:
    """Hard negatives of one feature, grouped by kind."""

    windows: WindowBatch
    kind: Int[np.ndarray, " windows"]
    """Index into `KINDS`."""
    wanted: Mapping[NegativeKind, int]
    """How many of each kind were asked for."""

    @property
    def found(self) -> dict[NegativeKind, int]:
        """How many of each wanted kind there are."""
        return {kind: int(np.count_nonzero(self.kind == KINDS.index(kind))) for kind in self.wanted}


def hard_negatives(
    view: AnyView,
    feature: int,
    n: int,
    seed: int,
    *,
    by_direction: Sequence[int] = (),
    by_coactivation: Sequence[int] = (),
    pool: WindowPool | None = None,
    embedder: TextEmbedder | None = None,
    width: int = WIDTH,
) -> HardNegatives:
    """Up to `n` windows without any firing of `feature`: half on its tokens, the rest from the other sources.

    A source that is not given leaves its part to the others in equal shares; a source that runs dry
    does not, so that `found` against `wanted` tells how hard the set is.
    """
    seeds = np.random.default_rng(seed).integers(2**31, size=4)
    sources = [
        (k, ids) for k, ids in zip(KINDS[1:3], (by_direction, by_coactivation), strict=True) if len(ids)
    ]
    batches: dict[NegativeKind, WindowBatch] = {}
    wanted = _shares(n, [k for k, _ in sources], pool is not None and embedder is not None)
    first = wanted[NegativeKind.SAME_TOKEN]
    batches[NegativeKind.SAME_TOKEN] = same_token_windows(view, feature, first, int(seeds[0]), width=width)
    for (kind, ids), source_seed in zip(sources, seeds[1:3], strict=False):
        batches[kind] = neighbour_windows(view, feature, ids, wanted[kind], int(source_seed), width=width)
    if pool is not None and embedder is not None:
        near = embedding_near_windows(
            view, feature, pool, embedder, wanted[NegativeKind.EMBEDDING_NEAR], int(seeds[3])
        )
        batches[NegativeKind.EMBEDDING_NEAR] = near
    return _without_repeats(batches, wanted, n)


def same_token_windows(view: AnyView, feature: int, n: int, seed: int, *, width: int = WIDTH) -> WindowBatch:
    """Silent windows centred on the tokens that carry most of the feature's activation.

    Tokens are drawn in proportion to the activation that they carry, whatever their frequency.
    """
    text, firings = view.text, view.firings(feature)
    mass = np.bincount(text.ids[firings.position], firings.activation, minlength=len(text.vocabulary))
    mass[np.argsort(-mass, kind="stable")[_TOKENS:]] = 0
    centres = np.flatnonzero((mass > 0)[text.ids] & text.eligible)
    centres = centres[is_silent(firings, windows_at(text, centres, width=width))]
    token = text.ids[centres]
    weight = mass[token] / np.maximum(1, np.bincount(token, minlength=len(mass)))[token]
    # Exponential clocks: the n first to ring are a weighted draw without replacement.
    clock = np.random.default_rng(seed).exponential(size=len(centres)) / np.maximum(weight, 1e-30)
    return windows_at(text, centres[np.argsort(clock, kind="stable")[:n]], width=width, wanted=n)


def neighbour_windows(
    view: AnyView, feature: int, neighbours: Sequence[int], n: int, seed: int, *, width: int = WIDTH
) -> WindowBatch:
    """Windows around strong firings of the neighbours in which `feature` is silent, neighbours in turn."""
    rng, parts, turns = (
        np.random.default_rng(seed),
        [windows_at(view.text, np.zeros(0, np.int64))],
        [np.zeros(0)],
    )
    for neighbour in neighbours:
        peak = float(view.firings(neighbour).activation.max(initial=0.0))
        threshold, drawn_seed = _NEIGHBOUR_SHARE * peak, int(rng.integers(2**31))
        found = firing_windows(
            view, neighbour, threshold=threshold, n=2 * n, seed=drawn_seed, sampling="random", width=width
        )
        found = found.take(rng.permutation(len(found)))
        found = found.take(is_silent(view.firings(feature), found))
        parts.append(found)
        turns.append(np.arange(len(found), dtype=float))
    everything = join_windows(parts, wanted=n)
    in_turn = everything.take(np.argsort(np.concatenate(turns), kind="stable"))
    return windows_at(view.text, _distinct(in_turn.centre)[:n], width=width, wanted=n)


def embedding_near_windows(
    view: AnyView, feature: int, pool: WindowPool, embedder: TextEmbedder, n: int, seed: int
) -> WindowBatch:
    """The pool's windows nearest to any of the feature's strongest windows, where it is silent."""
    firings = view.firings(feature)
    width = int(np.max(pool.windows.stop - pool.windows.start, initial=1))
    top = firing_windows(view, feature, threshold=0.0, n=_QUERIES, seed=seed, sampling="top", width=width)
    # A window that overlaps a query shares its text, and one that starts where another does is that other.
    apart = (pool.windows.start[:, None] >= top.stop) | (pool.windows.stop[:, None] <= top.start)
    usable = is_silent(firings, pool.windows) & apart.all(axis=1) & _first_of_each(pool.windows.start)
    silent = np.flatnonzero(usable)
    if not len(top) or not len(silent):
        return windows_at(view.text, np.zeros(0, np.int64), wanted=n)
    nearness = (pool.vectors[silent] @ embedder.embed(window_texts(view, top)).T).max(axis=1)
    nearest = silent[np.argsort(-nearness, kind="stable")[:n]]
    return windows_at(view.text, pool.windows.centre[nearest], width=width, wanted=n)


def _shares(n: int, neighbour_kinds: list[NegativeKind], embedding: bool) -> dict[NegativeKind, int]:
    others = [*neighbour_kinds, *([NegativeKind.EMBEDDING_NEAR] if embedding else [])]
    if not others:
        return {NegativeKind.SAME_TOKEN: n}
    each, extra = divmod(n // 2, len(others))
    shares = {NegativeKind.SAME_TOKEN: n - n // 2}
    return shares | {kind: each + (i < extra) for i, kind in enumerate(others)}


def _without_repeats(
    batches: Mapping[NegativeKind, WindowBatch], wanted: Mapping[NegativeKind, int], n: int
) -> HardNegatives:
    """All batches as one; a centre found twice keeps its first kind."""
    joined = join_windows(list(batches.values()), wanted=n)
    codes = [np.full(len(batch), KINDS.index(kind)) for kind, batch in batches.items()]
    kept = np.flatnonzero(_first_of_each(joined.centre))
    return HardNegatives(joined.take(kept), np.concatenate(codes)[kept].astype(np.int64), dict(wanted))


def _first_of_each(values: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    first = np.zeros(len(values), dtype=bool)
    first[np.unique(values, return_index=True)[1]] = True
    return first


def _distinct(values: Int[np.ndarray, " n"]) -> Int[np.ndarray, " kept"]:
    return values[_first_of_each(values)]
