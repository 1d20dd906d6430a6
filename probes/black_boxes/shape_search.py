"""Shapes of a family worth trying on given points, and least squares over many shapes at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from glossator.probes.black_boxes.families import FAMILIES, Basis, FamilyName, Points, Shape, Shapes

_RIDGE = 1e-10
_JUMPS, _ALL_EDGES = 10, 40
_REFINEMENTS = 14


class Weighted(NamedTuple):
    """Least squares for many shapes."""

    weights: Float[np.ndarray, "shapes columns"]
    rss: Float[np.ndarray, " shapes"]
    """Sum of squared residuals."""


def least_squares(basis: Basis, y: Points) -> Weighted:
    """The best weights of each shape's columns; columns of zeros get weight 0."""
    norms = np.sqrt(np.einsum("gnk,gnk->gk", basis, basis))
    safe = np.where(norms > 1e-12, norms, 1.0)
    scaled = basis / safe[:, None, :]
    gram = np.einsum("gnk,gnj->gkj", scaled, scaled) + _RIDGE * np.eye(basis.shape[2])
    gram += np.einsum("gk,kj->gkj", (norms <= 1e-12).astype(float), np.eye(basis.shape[2]))
    solved = np.linalg.solve(gram, np.einsum("gnk,n->gk", scaled, y)[..., None])[..., 0]
    residual = y[None, :] - np.einsum("gnk,gk->gn", scaled, solved)
    return Weighted(solved / safe, np.einsum("gn,gn->g", residual, residual))


def shape_grid(family: FamilyName, x: Points, y: Points, *, coarse: bool = False) -> Shapes:
    """Shapes to begin with: an even grid, and for jumps the places between neighbouring points."""
    low, high = float(x.min()), float(x.max())
    width = max(high - low, 1e-6)
    places = np.linspace(low, high, 17 if coarse else 61)
    match family:
        case "polynomial":
            return np.array([[2.0], [3.0]] if coarse else [[2.0], [3.0], [4.0], [5.0]])
        case "step":
            return _edges(x, y, coarse)[:, None]
        case "rectangle":
            edges = np.concatenate([[low - 1e-6], _edges(x, y, coarse), [high + 1e-6]])
            first, second = np.triu_indices(len(edges), 1)
            return np.sort(np.stack([edges[first], edges[second]], axis=1), axis=1)
        case "absolute" | "relu" | "reciprocal":
            return places[:, None]
        case "sin" | "cos" | "square_wave":
            return (width / np.linspace(1.0, 20.0, 120 if coarse else 480))[:, None]
        case "floor" | "ceil":
            return np.linspace(10, 70, 40 if coarse else 160)[:, None]
        case "rational":
            return np.geomspace(2, 120, 12 if coarse else 40)[:, None]
        case "gaussian" | "tanh":
            widths = np.geomspace(2, 60, 5 if coarse else 9)
            return np.stack(np.meshgrid(places, widths), axis=-1).reshape(-1, 2)
        case _:
            return np.zeros((1, 0))


def _edges(x: Points, y: Points, coarse: bool) -> Float[np.ndarray, " edges"]:
    """Middles between neighbouring points, those of the largest jumps first chosen."""
    order = np.argsort(x)
    middles = (x[order][1:] + x[order][:-1]) / 2
    jumps = np.abs(np.diff(y[order]))
    return np.sort(middles[np.argsort(-jumps, kind="stable")[: _JUMPS if coarse else _ALL_EDGES]])


def step_sizes(family: FamilyName, x: Points, shape: Shape) -> Shape:
    """How far refinement looks at first; 0 for what the grid settles."""
    width = float(x.max() - x.min())
    if family in ("step", "rectangle", "polynomial"):
        return np.zeros(len(shape))
    if family in ("sin", "cos", "square_wave"):
        return shape**2 * (19 / 480) / max(width, 1e-6)
    if family in ("gaussian", "tanh"):
        return np.array([width / 60, shape[1] / 3])
    if family == "rational":
        return shape / 8
    return np.full(len(shape), width / 60 if family not in ("floor", "ceil") else 0.4)


def refined(family: FamilyName, x: Points, y: Points, shape: Shape) -> Shape:
    """The shape moved downhill: neighbours in every direction, with ever smaller steps."""
    steps, best = step_sizes(family, x, shape), shape
    if not steps.any():
        return shape
    moves = np.array(np.meshgrid(*[[-1.0, -0.5, 0.0, 0.5, 1.0]] * len(shape))).reshape(len(shape), -1).T
    for _ in range(_REFINEMENTS):
        near = best + moves * steps
        near[:, -1] = (
            np.where(near[:, -1] > 0.5, near[:, -1], best[-1]) if family in _POSITIVE else near[:, -1]
        )
        rss = least_squares(FAMILIES[family].basis(x, near), y).rss
        at = int(np.argmin(rss))
        if not np.any(moves[at]):
            steps = steps / 2
        best = near[at]
    return best


_POSITIVE = ("sin", "cos", "square_wave", "floor", "ceil", "gaussian", "tanh", "rational")
