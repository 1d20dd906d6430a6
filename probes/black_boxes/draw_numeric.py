"""Numeric functions drawn at random: families, compositions, exceptions. Ranges are our own.

Everything is visible on the domain: a step lies inside it, a period is many integers long, an exception
differs from what it replaces, and both parts of a composition matter. Otherwise it is drawn again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from glossator.probes.black_boxes.families import SIMPLE, FamilyName
from glossator.probes.black_boxes.numeric_form import ExceptionInterval, NumericForm, Term

JOINED: tuple[FamilyName, ...] = (
    "linear", "polynomial", "step", "relu", "constant", "ceil", "floor", "rectangle", "square_wave",
)  # fmt: skip
"""Families that take part in compositions, as in FIND."""
_SMOOTH = {"linear", "polynomial", "constant"}
_GRID = 801
_LEAST_PART = 1 / 3
"""How much the weaker part of a sum varies, of the stronger one's variation."""
_EXCEPTION_SEEN = 0.5
"""How far an exception is from the function there, in standard deviations of the function."""

Domain = tuple[float, float]


def domain_of(family: FamilyName) -> Domain:
    """Least and largest input."""
    return {"root": (0.0, 100.0), "logarithm": (1.0, 100.0)}.get(family, (-100.0, 100.0))


def grid_of(domain: Domain) -> np.ndarray:
    """Even points over a domain, between the whole numbers too."""
    return np.linspace(*domain, _GRID)


def draw_simple(rng: np.random.Generator, family: FamilyName | None = None) -> NumericForm:
    """A function of one family; any of the 16 if None."""
    chosen = family or SIMPLE[int(rng.integers(len(SIMPLE)))]
    return NumericForm(first=_draw_term(rng, chosen))


def draw_composed(rng: np.random.Generator) -> NumericForm:
    """Two of `JOINED`, added or multiplied, neither of them absorbed by the other."""
    x = grid_of((-100.0, 100.0))
    while True:
        first, second = (JOINED[int(i)] for i in rng.integers(len(JOINED), size=2))
        join = "sum" if rng.random() < 0.48 else "product"
        if (
            "constant" in (first, second)
            or {first, second} <= _SMOOTH
            or {first, second} == {"floor", "ceil"}
        ):
            continue
        if first == second and first != "rectangle":
            continue
        form = NumericForm(
            first=_draw_term(rng, first, most=3), join=join, second=_draw_term(rng, second, most=3)
        )
        assert form.second is not None
        spreads = [float(np.std(t.values(x))) for t in (form.first, form.second)]
        if min(spreads) >= _LEAST_PART * max(spreads) and _constant_share(form.values(x)) < 0.8:
            return form


def with_exception(rng: np.random.Generator, draw: Callable[[], NumericForm]) -> NumericForm:
    """A function with an exception that shows: below, above or between, and about the function's mean."""
    while True:
        form = draw()
        low, high = domain_of(form.first.family)
        x = grid_of((low, high))
        values = form.values(x)
        edge = round(float(rng.uniform(low + 5, high - 5)), 1)
        where = rng.random()
        if where < 0.25:
            ends = low, edge
        elif where < 0.5:
            ends = edge, high
        else:
            ends = edge, round(min(high, edge + float(rng.uniform(5, 25))), 1)
        inside = (x >= ends[0]) & (x <= ends[1])
        mean, spread = float(values.mean()), float(values.std())
        away = float(np.sqrt(np.mean((values[inside] - mean) ** 2)))
        if spread > 1e-6 and away > _EXCEPTION_SEEN * spread and inside.mean() < 0.6:
            exception = ExceptionInterval(low=ends[0], high=ends[1], value=round(mean, 4))
            return form.model_copy(update={"exception": exception})


def _constant_share(values: np.ndarray) -> float:
    """Share of points at the commonest value."""
    _, counts = np.unique(np.round(values, 6), return_counts=True)
    return float(counts.max() / len(values))


def _draw_term(rng: np.random.Generator, family: FamilyName, most: int = 5) -> Term:
    """One function of `family`, its parameters rounded to 0.1; polynomials up to the degree `most`."""

    def tenth(low: float, high: float, away: float = 0.0) -> float:
        """Uniform, and at least `away` from 0."""
        draws = (round(float(rng.uniform(low, high)), 1) for _ in itertools.count())
        return next(v for v in draws if abs(v) >= away)

    inner = tenth(-80, 80)
    height, base = tenth(-30, 30, 3), tenth(-30, 30)
    match family:
        case "constant":
            shape, weights = (), (float(rng.integers(-100, 101)),)
        case "linear":
            shape, weights = (), (tenth(-10, 10, 0.1) if most == 5 else tenth(-1, 1, 0.1), tenth(-10, 10))
        case "polynomial":
            degree = int(rng.integers(2, most + 1))
            lower = tuple(tenth(-50, 50) for _ in range(degree))
            shape, weights = (float(degree),), (*lower, tenth(-50, 50, 10))
        case "absolute":
            shape, weights = (inner,), (tenth(-10, 10, 0.5), base)
        case "root" | "logarithm":
            shape, weights = (), (height, base)
        case "step" | "reciprocal":
            shape, weights = (inner,), (height * (5 if family == "reciprocal" else 1), base)
        case "relu":
            shape, weights = (tenth(-80, 60),), (tenth(-5, 5, 0.3) if most == 5 else tenth(-1, 1, 0.2), base)
        case "tanh":
            shape, weights = (tenth(-50, 50), tenth(3, 30)), (height, base)
        case "sin" | "cos" | "square_wave":
            shape, weights = (tenth(12, 80),), (tenth(-10, 10, 1) if most == 5 else height, tenth(-10, 10))
        case "gaussian":
            shape, weights = (tenth(-50, 50), tenth(4, 20)), (height, base)
        case "rational":
            shape, weights = (tenth(5, 40),), (height, tenth(-30, 30, 3), base)
        case "rectangle":
            shape, weights = (inner, round(min(100.0, inner + tenth(10, 60)), 1)), (height, base)
        case "floor" | "ceil":
            shape, weights = (tenth(15, 60),), (tenth(-20, 20, 3),)
    return Term(family=family, shape=shape, weights=weights)
