"""Windows of tokens cut from a view, as arrays: where a feature fires, and where it is silent.

A window lies within one row and is centred on its peak where the row allows; a row shorter than the
window is one window. Windows where a feature fires never overlap; they come from as many documents
as possible, and a window that repeats another's tokens around the peak (boilerplate) is only taken
when there are not enough others. Nothing becomes a Python object before `to_windows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from glossator.probes.split_view import AnyView, Firings
from glossator.probes.token_text import TokenText
from glossator.records import Window

WIDTH = 32
PER_DOCUMENT = 3
_ALIKE_BEFORE, _ALIKE_AFTER = 4, 4
_ROUNDS = 16
Sampling = Literal["quantiles", "top", "random"]


@dataclass(frozen=True)
class WindowBatch:
    """Windows as aligned arrays; `start` and `stop` are positions in the split's token stream."""

    start: Int[np.ndarray, " windows"]
    stop: Int[np.ndarray, " windows"]
    centre: Int[np.ndarray, " windows"]
    document: Int[np.ndarray, " windows"]
    """Document numbers."""
    activation: Float[np.ndarray, " windows"]
    """The feature's activation at the centre; 0 in silent windows."""
    wanted: int
    """How many were asked for; fewer are there where the text has no more."""

    def __len__(self) -> int:
        return len(self.start)

    def take(self, chosen: Int[np.ndarray, " chosen"] | Bool[np.ndarray, " windows"]) -> WindowBatch:
        """The chosen windows, in that order."""
        arrays = {f.name: getattr(self, f.name)[chosen] for f in fields(self) if f.name != "wanted"}
        return WindowBatch(**arrays, wanted=self.wanted)


def windows_at(
    text: TokenText,
    centre: Int[np.ndarray, " windows"],
    activation: Float[np.ndarray, " windows"] | None = None,
    *,
    width: int = WIDTH,
    wanted: int | None = None,
) -> WindowBatch:
    """The window around each centre."""
    centre = centre.astype(np.int64)
    row = text.row_of[centre]
    first, end = text.row_start[row].astype(np.int64), text.row_start[row + 1].astype(np.int64)
    start = np.clip(centre - width // 2, first, np.maximum(first, end - width))
    return WindowBatch(
        start=start,
        stop=np.minimum(start + width, end),
        centre=centre,
        document=text.row_document[row].astype(np.int64),
        activation=np.zeros(len(centre), np.float32) if activation is None else activation.astype(np.float32),
        wanted=len(centre) if wanted is None else wanted,
    )


def join_windows(parts: Sequence[WindowBatch], wanted: int) -> WindowBatch:
    """The windows of all parts, in order; needs at least one part."""
    names = [f.name for f in fields(WindowBatch) if f.name != "wanted"]
    return WindowBatch(**{k: np.concatenate([getattr(p, k) for p in parts]) for k in names}, wanted=wanted)


def firing_windows(
    view: AnyView,
    feature: int,
    *,
    threshold: float,
    n: int,
    seed: int,
    sampling: Sampling = "quantiles",
    width: int = WIDTH,
) -> WindowBatch:
    """Up to `n` windows whose peak is above `threshold` (an absolute activation), strongest first.

    `quantiles` takes one peak from each of `n` equal slices of the peaks by activation, `top` the
    strongest, `random` any. A document gives more than `PER_DOCUMENT` only when the others are used up.
    """
    peaks = _separate_peaks(view.text, view.firings(feature), threshold, width, n)
    rng = np.random.default_rng(seed)
    order = np.argsort(-peaks.activation, kind="stable") if sampling == "top" else rng.permutation(len(peaks))
    peaks = peaks.take(order)
    fresh = _occurrence(_surroundings(view.text, peaks.centre)) == 0
    tier = np.where(fresh, np.where(_occurrence(peaks.document) < PER_DOCUMENT, 0, 1), 2)
    best = np.flatnonzero(tier == 0)
    if len(best) > n and sampling == "quantiles":
        chosen = _one_per_slice(best[np.argsort(-peaks.activation[best], kind="stable")], n, rng)
    else:
        chosen = np.argsort(tier, kind="stable")[:n]
    return peaks.take(chosen[np.argsort(-peaks.activation[chosen], kind="stable")])


def silent_windows(view: AnyView, feature: int, n: int, seed: int, *, width: int = WIDTH) -> WindowBatch:
    """Up to `n` windows without any activation, centred on distinct eligible positions.

    Centres are uniform over the eligible tokens with a silent window around them. Fewer come back
    where the feature leaves fewer.
    """
    text, firings, rng = view.text, view.firings(feature), np.random.default_rng(seed)
    found = np.zeros(0, np.int64)
    for _ in range(_ROUNDS if len(text) else 0):
        drawn = rng.integers(len(text), size=4 * n)
        drawn = drawn[text.eligible[drawn]]
        found = _first_seen(
            np.concatenate([found, drawn[is_silent(firings, windows_at(text, drawn, width=width))]])
        )
        if len(found) >= n:
            return windows_at(text, found[:n], width=width, wanted=n)
    everywhere = np.flatnonzero(text.eligible)
    rest = everywhere[is_silent(firings, windows_at(text, everywhere, width=width))]
    return windows_at(text, rng.permutation(rest)[:n], width=width, wanted=n)


def is_silent(firings: Firings, batch: WindowBatch) -> Bool[np.ndarray, " windows"]:
    """Which windows hold no firing at all."""
    first, last = np.searchsorted(firings.position, [batch.start, batch.stop])
    return first == last


def to_windows(view: AnyView, feature: int, batch: WindowBatch) -> tuple[Window, ...]:
    """The windows as records, with the feature's activation at each token."""
    text, firings = view.text, view.firings(feature)
    first, last = np.searchsorted(firings.position, [batch.start, batch.stop])
    records: list[Window] = []
    for i in range(len(batch)):
        start, stop = int(batch.start[i]), int(batch.stop[i])
        activations = np.zeros(stop - start, np.float32)
        inside = slice(int(first[i]), int(last[i]))
        activations[firings.position[inside] - start] = firings.activation[inside]
        records.append(
            Window(
                document=text.documents[int(batch.document[i])].id,
                split=view.split,
                start=start,
                tokens=text.strings(start, stop),
                activations=tuple(activations.tolist()),
                peak=int(batch.centre[i]) - start,
            )
        )
    return tuple(records)


def window_texts(view: AnyView, batch: WindowBatch) -> list[str]:
    """The text of each window, for readers and embedders."""
    pairs = zip(batch.start.tolist(), batch.stop.tolist(), strict=True)
    return ["".join(view.text.strings(start, stop)) for start, stop in pairs]


def _separate_peaks(text: TokenText, firings: Firings, threshold: float, width: int, n: int) -> WindowBatch:
    """Windows around peaks above the threshold that do not overlap, by position."""
    above = firings.activation > threshold
    position, activation = firings.position[above].astype(np.int64), firings.activation[above]
    # The strongest of each stretch of `width` tokens; lexsort puts it first within its stretch.
    row_first = text.row_start[text.row_of[position]].astype(np.int64)
    stretch = row_first + (position - row_first) // width * width
    by_strength = np.lexsort((-activation, stretch))
    _, first = np.unique(stretch[by_strength], return_index=True)
    best = by_strength[first]
    batch = windows_at(text, position[best], activation[best], width=width, wanted=n)
    while len(batch) > 1 and (overlaps := batch.start[1:] < batch.stop[:-1]).any():
        batch = batch.take(~_beside_a_peak(batch.activation, overlaps))
    return batch


def _beside_a_peak(
    activation: Float[np.ndarray, " windows"], overlaps: Bool[np.ndarray, " gaps"]
) -> Bool[np.ndarray, " windows"]:
    """Windows that overlap a local maximum; the earlier of two equals is the maximum."""
    yields_to_next = np.append(overlaps & (activation[1:] > activation[:-1]), False)
    yields_to_last = np.append(False, overlaps & (activation[:-1] >= activation[1:]))
    maximum = ~(yields_to_next | yields_to_last)
    after, before = np.append(False, overlaps & maximum[:-1]), np.append(overlaps & maximum[1:], False)
    return after | before


def _surroundings(text: TokenText, centre: Int[np.ndarray, " windows"]) -> Int[np.ndarray, " windows"]:
    """A 64-bit hash of the tokens around the centre, within its row."""
    around = centre[:, None] + np.arange(-_ALIKE_BEFORE, _ALIKE_AFTER)
    row = text.row_of[centre]
    inside = (around >= text.row_start[row][:, None]) & (around < text.row_start[row + 1][:, None])
    ids = np.where(inside, text.ids[np.clip(around, 0, max(0, len(text) - 1))] + 1, 0).astype(np.uint64)
    factors = np.random.default_rng(0).integers(1, 2**63, size=around.shape[1], dtype=np.uint64) * 2 + 1
    return (ids * factors).sum(axis=1, dtype=np.uint64).view(np.int64)


def _occurrence(values: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """How often each value has come before, in order."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    is_first = np.append(True, ordered[1:] != ordered[:-1])[: len(values)]
    since = np.arange(len(values)) - np.maximum.accumulate(np.where(is_first, np.arange(len(values)), 0))
    out = np.empty(len(values), np.int64)
    out[order] = since
    return out


def _one_per_slice(
    ordered: Int[np.ndarray, " pool"], n: int, rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """One random entry from each of `n` equal slices."""
    edges = np.linspace(0, len(ordered), n + 1).astype(np.int64)
    return ordered[rng.integers(edges[:-1], edges[1:])]


def _first_seen(values: Int[np.ndarray, " n"]) -> Int[np.ndarray, " kept"]:
    """The values without repeats, in order of first appearance."""
    return values[np.sort(np.unique(values, return_index=True)[1])]
