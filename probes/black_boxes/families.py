"""Families of numeric functions, each linear in its weights once its shape is fixed.

A function of a family is `basis(x, shape) @ weights`: a step at c has shape (c,) and weights (height, base).
So a fit needs a search over shapes alone; the weights follow by least squares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float

FamilyName = Literal[
    "constant", "linear", "polynomial", "absolute", "root", "logarithm", "step", "relu", "tanh", "sin", "cos",
    "reciprocal", "gaussian", "rational", "rectangle", "square_wave", "floor", "ceil",
]  # fmt: skip
SIMPLE: tuple[FamilyName, ...] = tuple(f for f in get_args(FamilyName) if f not in ("floor", "ceil"))
"""Families that stand alone; the other two only take part in compositions."""

Points = Float[np.ndarray, " points"]
Shape = Float[np.ndarray, " parameters"]
Shapes = Float[np.ndarray, "shapes parameters"]
Basis = Float[np.ndarray, "shapes points columns"]


class Family(NamedTuple):
    """One family."""

    shape: tuple[str, ...]
    """Names of the shape's parameters."""
    basis: Callable[[Points, Shapes], Basis]
    """Columns at every point, for many shapes at once."""
    say: str
    """In words, with `{w0}`… for weights and the shape's names."""


def _column(values: np.ndarray, shapes: Shapes, points: Points) -> np.ndarray:
    return np.broadcast_to(values, (len(shapes), len(points)))


def _based(values: np.ndarray, x: Points, s: Shapes) -> Basis:
    """One column of values and one of ones."""
    column = _column(values, s, x)
    return np.stack([column, np.ones_like(column)], axis=-1)


def _powers(x: Points, s: Shapes) -> Basis:
    """Powers of x / 100 up to the degree; columns above a shape's degree are 0."""
    degrees = s[:, 0]
    every = np.arange(int(degrees.max()) + 1)
    kept = every[None, :] <= degrees[:, None]
    return (x[:, None] / 100.0) ** every[None, :] * kept[:, None, :]


def _inverse(x: Points, s: Shapes) -> np.ndarray:
    """1 / (x - c), held at 1 nearer than 1 to the pole."""
    gap = x[None, :] - s[:, :1]
    return np.where(gap >= 0, 1.0, -1.0) / np.maximum(np.abs(gap), 1.0)


def _rational(x: Points, s: Shapes) -> Basis:
    ratio = x[None, :] / s[:, :1]
    bell = 1.0 / (1.0 + ratio**2)
    return np.stack([bell, ratio * bell, np.ones_like(bell)], axis=-1)


def _wave(x: Points, s: Shapes) -> np.ndarray:
    return 2 * np.pi * x[None, :] / s[:, :1]


FAMILIES: Mapping[FamilyName, Family] = {
    "constant": Family((), lambda x, s: np.ones((len(s), len(x), 1)), "the constant {w0}"),
    "linear": Family((), lambda x, s: _based(x[None, :], x, s), "a straight line, {w0} * x + {w1}"),
    "polynomial": Family(("degree",), _powers, "a polynomial of degree {degree}"),
    "absolute": Family(
        ("c",), lambda x, s: _based(np.abs(x[None, :] - s), x, s), "{w0} * |x - {c}| + {w1}, a V shape"
    ),
    "root": Family(
        (),
        lambda x, s: _based(np.sqrt(np.maximum(x[None, :], 0.0)), x, s),
        "a square root, {w0} * sqrt(x) + {w1}",
    ),
    "logarithm": Family(
        (),
        lambda x, s: _based(np.log(np.maximum(x[None, :], 0.01)), x, s),
        "a logarithm, {w0} * ln(x) + {w1}",
    ),
    "step": Family(
        ("c",),
        lambda x, s: _based((x[None, :] >= s).astype(float), x, s),
        "a step: {w1} below x = {c}, and {w0} more from there on",
    ),
    "relu": Family(
        ("c",),
        lambda x, s: _based(np.maximum(x[None, :] - s, 0.0), x, s),
        "{w1} up to x = {c}, then a straight line of slope {w0}",
    ),
    "tanh": Family(
        ("c", "width"),
        lambda x, s: _based(np.tanh((x[None, :] - s[:, :1]) / s[:, 1:]), x, s),
        "an S shape around x = {c}, {w0} * tanh((x - {c}) / {width}) + {w1}",
    ),
    "sin": Family(
        ("period",),
        lambda x, s: _based(np.sin(_wave(x, s)), x, s),
        "a sine of period {period}, {w0} high, around {w1}",
    ),
    "cos": Family(
        ("period",),
        lambda x, s: _based(np.cos(_wave(x, s)), x, s),
        "a cosine of period {period}, {w0} high, around {w1}",
    ),
    "reciprocal": Family(
        ("c",), lambda x, s: _based(_inverse(x, s), x, s), "a reciprocal, {w0} / (x - {c}) + {w1}"
    ),
    "gaussian": Family(
        ("mean", "sigma"),
        lambda x, s: _based(np.exp(-(((x[None, :] - s[:, :1]) / s[:, 1:]) ** 2) / 2), x, s),
        "a bell around x = {mean} of width {sigma}, {w0} high, over {w1}",
    ),
    "rational": Family(
        ("scale",),
        _rational,
        "a ratio of polynomials, ({w0} + {w1} * x/{scale}) / (1 + (x/{scale})^2) + {w2}",
    ),
    "rectangle": Family(
        ("low", "high"),
        lambda x, s: _based(((x[None, :] >= s[:, :1]) & (x[None, :] <= s[:, 1:])).astype(float), x, s),
        "a rectangle: {w1} everywhere, and {w0} more from x = {low} to {high}",
    ),
    "square_wave": Family(
        ("period",),
        lambda x, s: _based(np.where(np.sin(_wave(x, s)) >= 0, 1.0, -1.0), x, s),
        "a square wave of period {period}, {w0} high, around {w1}",
    ),
    "floor": Family(
        ("width",), lambda x, s: np.floor(x[None, :] / s)[..., None], "{w0} * floor(x / {width})"
    ),
    "ceil": Family(("width",), lambda x, s: np.ceil(x[None, :] / s)[..., None], "{w0} * ceil(x / {width})"),
}


def columns(family: FamilyName, shape: tuple[float, ...]) -> int:
    """How many weights a function of the family has."""
    return FAMILIES[family].basis(np.zeros(1), np.array([shape or ()], dtype=float)).shape[-1]
