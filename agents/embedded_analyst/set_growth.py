"""The best set of values for a rule "the key is one of these".

For a fixed ranking by precision the set that maximises F1 is a prefix of it
(https://arxiv.org/abs/1402.1892, section 3), so growing a set value by value finds it in one pass.
Precision is smoothed towards the base rate, so that a value seen once does not count as proof.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

SMOOTHING = 2.0
LARGEST_SET = 128
ENOUGH = 30
"""Strong firings from which a value that met only one of them is left out."""


class ValueSet(NamedTuple):
    """Values in order of what they add, and how well the set does on what it was grown from."""

    values: Int[np.ndarray, " values"]
    f1: float


class Tally(NamedTuple):
    """How often each value that meets a strong firing occurs, there and overall."""

    value: Int[np.ndarray, " values"]
    wanted: Int[np.ndarray, " values"]
    total: Int[np.ndarray, " values"]


def tally(
    wanted: Int[np.ndarray, " wanted"], unwanted: Int[np.ndarray, " unwanted"], none: int, size: int
) -> Tally:
    """Count the values at wanted and unwanted tokens, in ascending order; `none` is no value."""
    counts = np.bincount(wanted, minlength=size)
    counts[none] = 0
    value = np.flatnonzero(counts)
    count, against = counts[value], np.bincount(unwanted, minlength=size)[value]
    return Tally(value, count, count + against)


def grow_set(counted: Tally, n_wanted: int, base_rate: float, beta: float = 1.0) -> ValueSet:
    """The set with the best F-beta; `beta` above 1 prefers recall."""
    if not len(counted.value):
        return ValueSet(counted.value, 0.0)
    precision = (counted.wanted + SMOOTHING * base_rate) / (counted.total + SMOOTHING)
    order = np.lexsort((-counted.wanted, -precision))
    if n_wanted >= ENOUGH and (counted.wanted > 1).any():
        order = order[counted.wanted[order] > 1]
    order = order[:LARGEST_SET]
    hits = np.cumsum((precision * counted.total)[order])
    held = np.cumsum(counted.total[order])
    score = (1 + beta**2) * hits / (held + beta**2 * n_wanted)
    best = int(np.argmax(score)) + 1
    chosen = order[:best]
    by_weight = chosen[np.argsort(-counted.wanted[chosen], kind="stable")]
    f1 = 2 * float(hits[best - 1]) / (float(held[best - 1]) + n_wanted)
    return ValueSet(counted.value[by_weight], f1)


def shrink_set(
    wanted: Int[np.ndarray, " wanted"],
    unwanted: Int[np.ndarray, " unwanted"],
    none: int,
    size: int,
    n_wanted: int,
) -> ValueSet:
    """The values to leave out of a rule that holds at `wanted` and `unwanted` tokens: its exceptions.

    `n_wanted` counts all strong firings, those that the rule misses included.
    """
    hit, miss = np.bincount(wanted, minlength=size), np.bincount(unwanted, minlength=size)
    value = np.flatnonzero(miss)
    value = value[value != none]
    if not len(value):
        return ValueSet(value, 0.0)
    base = len(wanted) / max(1, len(wanted) + len(unwanted))
    precision = (hit[value] + 2 * base) / (hit[value] + miss[value] + 2)
    order = np.argsort(precision, kind="stable")[:LARGEST_SET]
    left_hits = len(wanted) - np.cumsum(hit[value[order]])
    left_held = len(wanted) + len(unwanted) - np.cumsum((hit + miss)[value[order]])
    f1 = 2 * left_hits / (left_held + n_wanted)
    best = int(np.argmax(f1)) + 1
    chosen = value[order[:best]]
    chosen = chosen[np.argsort(-miss[chosen], kind="stable")]
    chosen = chosen[miss[chosen] >= 2]
    return ValueSet(chosen, float(f1[best - 1]))
