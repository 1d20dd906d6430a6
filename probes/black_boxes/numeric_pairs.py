"""Two families joined, fitted: all pairs of coarse shapes at once, then each part in turn."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from glossator.probes.black_boxes.families import FAMILIES, Basis, FamilyName, Points, Shape
from glossator.probes.black_boxes.numeric_form import Term
from glossator.probes.black_boxes.shape_search import least_squares, refined, shape_grid

_ROUNDS = 6
_AT_ONCE = 2_000_000


class TermPair(NamedTuple):
    """The two parts."""

    first: Term
    second: Term


class _Start(NamedTuple):
    """Shapes to begin with."""

    first: Shape
    second: Shape


def fit_pair(
    first: FamilyName, second: FamilyName, join: Literal["sum", "product"], x: Points, y: Points
) -> TermPair:
    """The best parts: coarse shapes in all pairs, then one part at a time with the other held."""
    start = _coarse(first, second, join, x, y)
    terms = _with_weights(first, second, join, x, y, start)
    for _ in range(_ROUNDS):
        for turn in (0, 1):
            moved = _one_moved(terms, turn, join, x, y)
            if _rss(moved, join, x, y) < _rss(terms, join, x, y) * (1 - 1e-9):
                terms = moved
    return terms


def _coarse(
    first: FamilyName, second: FamilyName, join: Literal["sum", "product"], x: Points, y: Points
) -> _Start:
    """The best pair of coarse shapes with free weights for all (products of) columns."""
    shapes = shape_grid(first, x, y, coarse=True), shape_grid(second, x, y, coarse=True)
    a, b = (FAMILIES[f].basis(x, s) for f, s in zip((first, second), shapes, strict=True))
    columns = a.shape[2] + b.shape[2] if join == "sum" else a.shape[2] * b.shape[2]
    step = max(1, _AT_ONCE // (len(b) * len(x) * columns))
    best, found = np.inf, _Start(shapes[0][0], shapes[1][0])
    for begin in range(0, len(a), step):
        part = a[begin : begin + step]
        joint = _joined(part, b, join)
        rss = least_squares(joint, y).rss
        at = int(np.argmin(rss))
        if rss[at] < best:
            best = float(rss[at])
            found = _Start(shapes[0][begin + at // len(b)], shapes[1][at % len(b)])
    return found


def _joined(
    a: Basis, b: Float[np.ndarray, "others points columns2"], join: Literal["sum", "product"]
) -> Float[np.ndarray, "pairs points columns3"]:
    """Columns of every pair of shapes: side by side for a sum, all products for a product."""
    (g, n, k), (h, _, j) = a.shape, b.shape
    if join == "product":
        return np.einsum("gnk,hnj->ghnkj", a, b).reshape(g * h, n, k * j)
    left = np.broadcast_to(a[:, None], (g, h, n, k))
    right = np.broadcast_to(b[None], (g, h, n, j))
    return np.concatenate([left, right], axis=3).reshape(g * h, n, k + j)


def _with_weights(
    first: FamilyName,
    second: FamilyName,
    join: Literal["sum", "product"],
    x: Points,
    y: Points,
    start: _Start,
) -> TermPair:
    """Weights for given shapes; for a product, the rank-one part of the free weights."""
    a, b = (FAMILIES[f].basis(x, s[None, :]) for f, s in zip((first, second), start, strict=True))
    free = least_squares(_joined(a, b, join), y).weights[0]
    if join == "sum":
        weights = free[: a.shape[2]], free[a.shape[2] :]
    else:
        u, s, v = np.linalg.svd(free.reshape(a.shape[2], b.shape[2]))
        weights = u[:, 0] * s[0], v[0]
    return TermPair(_term(first, start.first, weights[0]), _term(second, start.second, weights[1]))


def _one_moved(terms: TermPair, turn: int, join: Literal["sum", "product"], x: Points, y: Points) -> TermPair:
    """One part fitted anew while the other is held; its shape is refined for sums."""
    part, other = terms[turn], terms[1 - turn].values(x)
    shape = np.array(part.shape, dtype=float)
    if join == "sum":
        target, scale = y - other, np.ones_like(y)
        shape = refined(part.family, x, target, shape) if len(shape) else shape
    else:
        target, scale = y, other
    basis = FAMILIES[part.family].basis(x, shape[None, :]) * scale[None, :, None]
    moved = _term(part.family, shape, least_squares(basis, target).weights[0])
    return TermPair(moved, terms.second) if turn == 0 else TermPair(terms.first, moved)


def _term(family: FamilyName, shape: Shape, weights: Float[np.ndarray, " columns"]) -> Term:
    return Term(family=family, shape=tuple(map(float, shape)), weights=tuple(map(float, weights)))


def _rss(terms: TermPair, join: Literal["sum", "product"], x: Points, y: Points) -> float:
    a, b = terms.first.values(x), terms.second.values(x)
    residual = y - (a + b if join == "sum" else a * b)
    return float(residual @ residual)
