"""Which tokens of a window are marked in fuzzing: those that fire, or others in the same shape.

Wrong marks come in runs as long as the true ones, so that only their place can tell them apart.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from glossator.agents.firing_facts import STRONG
from glossator.probes.split_view import AnyView
from glossator.probes.windows import WindowBatch

_TRIES = 20
Marks = Bool[np.ndarray, " _"]
"""Which tokens of a window are marked (or may be); windows differ in length."""
Runs = Int[np.ndarray, " _"]
"""Lengths of the runs of marked tokens of a window."""


def true_marks(view: AnyView, feature: int, windows: WindowBatch) -> list[Marks]:
    """For each window, the tokens whose activation is above a share of the window's largest."""
    firings = view.firings(feature)
    first, last = np.searchsorted(firings.position, [windows.start, windows.stop])
    marks: list[Marks] = []
    for i in range(len(windows)):
        inside = slice(int(first[i]), int(last[i]))
        activation = firings.activation[inside]
        strong = firings.position[inside][activation > STRONG * activation.max(initial=0.0)]
        mark = np.zeros(int(windows.stop[i] - windows.start[i]), dtype=bool)
        mark[strong - int(windows.start[i])] = True
        marks.append(mark)
    return marks


def markable(view: AnyView, feature: int, windows: WindowBatch) -> list[Marks]:
    """For each window, the tokens that may be marked wrongly: eligible, and without any activation."""
    position = view.firings(feature).position
    allowed: list[Marks] = []
    for start, stop in zip(windows.start.tolist(), windows.stop.tolist(), strict=True):
        free = view.text.eligible[start:stop].copy()
        first, last = np.searchsorted(position, [start, stop])
        free[position[first:last] - start] = False
        allowed.append(free)
    return allowed


def run_lengths(marks: Marks) -> Runs:
    """Lengths of the runs of marked tokens, in order."""
    edges = np.diff(np.concatenate([[0], marks.astype(np.int8), [0]]))
    return np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)


def placed_marks(lengths: Runs, allowed: Marks, seed: int) -> Marks | None:
    """Runs of these lengths at random places among the allowed tokens.

    Where whole runs find no place, single tokens are marked, as many; None where even those do not fit.
    """
    total, rng = int(lengths.sum()), np.random.default_rng(seed)
    free = np.flatnonzero(allowed)
    if len(free) < total:
        return None
    for _ in range(_TRIES):
        marks = _tried(lengths, allowed, rng)
        if marks is not None:
            return marks
    marks = np.zeros(len(allowed), dtype=bool)
    marks[rng.choice(free, total, replace=False)] = True
    return marks


def _tried(lengths: Runs, allowed: Marks, rng: np.random.Generator) -> Marks | None:
    """Longest run first; runs keep a token between them, or they would be one."""
    marks, open_ = np.zeros(len(allowed), dtype=bool), allowed.copy()
    for length in sorted(lengths.tolist(), reverse=True):
        running = np.concatenate([[0], np.cumsum(open_)])
        starts = np.flatnonzero(running[length:] - running[:-length] == length)
        if not len(starts):
            return None
        start = int(rng.choice(starts))
        marks[start : start + length] = True
        open_[max(0, start - 1) : start + length + 1] = False
    return marks
