"""Numeric functions drawn at random: families, compositions, exceptions. Ranges are our own.

Everything is visible on the domain: a step lies inside it, a period is many integers long, an exception
differs from what it replaces, and both parts of a composition matter. Otherwise it is drawn again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

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
        one, other = rng.integers(len(JOINED), size=2)
        first, second = JOINED[int(one)], JOINED[int(other)]
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
            first=_draw_term(rng, first, joined=True), join=join, second=_draw_term(rng, second, joined=True)
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


@dataclass(frozen=True)
class _Draws:
    """Parameters rounded to 0.1."""

    rng: np.random.Generator
    joined: bool
    """For a composition, where slopes are gentler: neither part may drown the other."""

    def tenth(self, low: float | int, high: float | int, away: float | int = 0) -> float:
        """Uniform, and at least `away` from 0."""
        draws = (round(float(self.rng.uniform(low, high)), 1) for _ in itertools.count())
        return next(v for v in draws if abs(v) >= away)

    @cached_property
    def common(self) -> _Common:
        """Drawn first, whether or not the family needs them."""
        return _Common(self.tenth(-80, 80), self.tenth(-30, 30, 3), self.tenth(-30, 30))

    def slope(self, most: float | int, least: float, gentle: float) -> float:
        """Up to `most` alone, up to 1 in a composition."""
        return self.tenth(-1, 1, gentle) if self.joined else self.tenth(-most, most, least)


class _Common(NamedTuple):
    place: float
    height: float
    base: float


class _Parameters(NamedTuple):
    shape: tuple[float, ...]
    weights: tuple[float, ...]


def _draw_term(rng: np.random.Generator, family: FamilyName, *, joined: bool = False) -> Term:
    """One function of `family`."""
    draws = _Draws(rng, joined)
    assert draws.common  # before anything else is drawn
    drawn = _DRAWN[family](draws)
    return Term(family=family, shape=drawn.shape, weights=drawn.weights)


def _polynomial(d: _Draws) -> _Parameters:
    """Degree 2 to 5, to 3 in a composition."""
    degree = int(d.rng.integers(2, (3 if d.joined else 5) + 1))
    lower = tuple(d.tenth(-50, 50) for _ in range(degree))
    return _Parameters((float(degree),), (*lower, d.tenth(-50, 50, 10)))


def _wave(d: _Draws) -> _Parameters:
    period = d.tenth(12, 80)
    height = d.common.height if d.joined else d.tenth(-10, 10, 1)
    return _Parameters((period,), (height, d.tenth(-10, 10)))


def _rectangle(d: _Draws) -> _Parameters:
    low = d.common.place
    return _Parameters((low, round(min(100.0, low + d.tenth(10, 60)), 1)), d.common[1:])


_DRAWN: Mapping[FamilyName, Callable[[_Draws], _Parameters]] = {
    "constant": lambda d: _Parameters((), (float(d.rng.integers(-100, 101)),)),
    "linear": lambda d: _Parameters((), (d.slope(10, 0.1, 0.1), d.tenth(-10, 10))),
    "polynomial": _polynomial,
    "absolute": lambda d: _Parameters((d.common.place,), (d.tenth(-10, 10, 0.5), d.common.base)),
    "root": lambda d: _Parameters((), d.common[1:]),
    "logarithm": lambda d: _Parameters((), d.common[1:]),
    "step": lambda d: _Parameters((d.common.place,), d.common[1:]),
    "reciprocal": lambda d: _Parameters((d.common.place,), (d.common.height * 5, d.common.base)),
    "relu": lambda d: _Parameters((d.tenth(-80, 60),), (d.slope(5, 0.3, 0.2), d.common.base)),
    "tanh": lambda d: _Parameters((d.tenth(-50, 50), d.tenth(3, 30)), d.common[1:]),
    "sin": _wave,
    "cos": _wave,
    "square_wave": _wave,
    "gaussian": lambda d: _Parameters((d.tenth(-50, 50), d.tenth(4, 20)), d.common[1:]),
    "rational": lambda d: _Parameters(
        (d.tenth(5, 40),), (d.common.height, d.tenth(-30, 30, 3), d.common.base)
    ),
    "rectangle": _rectangle,
    "floor": lambda d: _Parameters((d.tenth(15, 60),), (d.tenth(-20, 20, 3),)),
    "ceil": lambda d: _Parameters((d.tenth(15, 60),), (d.tenth(-20, 20, 3),)),
}
