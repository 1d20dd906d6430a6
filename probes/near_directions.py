"""Pairs of rows that point nearly the same way, found block by block.

No features-by-features matrix is held: memory is that of the normalised rows and one block. Work grows
with the square of the rows (20,000 of 576 numbers: some 2e11 multiplications).
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

_BLOCK = 2048


class NearRows(NamedTuple):
    """Two rows and their cosine; `first` < `second`."""

    cosine: float
    first: int
    second: int


class NearRowPairs(NamedTuple):
    """What was found among all pairs."""

    pairs: int
    """Pairs at or above the threshold."""
    rows: int
    """Rows that are in one."""
    nearest: tuple[NearRows, ...]
    """The nearest of them, nearest first."""


def near_rows(vectors: Float[np.ndarray, "rows d"], threshold: float, keep: int) -> NearRowPairs:
    """Count the pairs of rows whose cosine is at least `threshold`, and keep the `keep` nearest.

    A row of length 0 is near nothing. Assumes `threshold` above 0.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    best: list[NearRows] = []
    inside = np.zeros(len(unit), dtype=bool)
    pairs = 0
    for top in range(0, len(unit), _BLOCK):
        for left in range(top, len(unit), _BLOCK):
            cosine = unit[top : top + _BLOCK] @ unit[left : left + _BLOCK].T
            if left == top:
                cosine[np.tril_indices(len(cosine))] = -1.0
            first, second = np.nonzero(cosine >= threshold)
            pairs += len(first)
            inside[first + top] = inside[second + left] = True
            found = cosine[first, second]
            if len(found) > keep:
                chosen = np.argpartition(-found, keep)[:keep]
                first, second, found = first[chosen], second[chosen], found[chosen]
            rows = zip(found.tolist(), (first + top).tolist(), (second + left).tolist(), strict=True)
            best = heapq.nsmallest(keep, [*best, *(NearRows(*r) for r in rows)], key=_nearest_first)
    return NearRowPairs(pairs, int(inside.sum()), tuple(best))


def _nearest_first(row: NearRows) -> tuple[float, int, int]:
    return -row.cosine, row.first, row.second
