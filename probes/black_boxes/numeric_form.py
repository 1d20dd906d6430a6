"""Numeric functions of the closed language: one family, or two joined, with one exception at most."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from glossator.probes.black_boxes.families import FAMILIES, FamilyName, columns
from glossator.records import Record

Number = float
_LARGEST = 1e9


class Term(Record):
    """One function of a family."""

    family: FamilyName
    """Its family."""
    shape: tuple[float, ...] = ()
    """Parameters that move or stretch it, by the family's names."""
    weights: tuple[float, ...]
    """What the columns of the family's basis are multiplied by."""

    @model_validator(mode="after")
    def _fits(self) -> Term:
        names = FAMILIES[self.family].shape
        if len(self.shape) != len(names):
            raise ValueError(f"{self.family} takes the shape {names}, not {len(self.shape)} numbers")
        if not all(np.isfinite((*self.shape, *self.weights))):
            raise ValueError("parameters must be finite")
        if self.family == "polynomial" and not 1 <= self.shape[0] <= 6:
            raise ValueError("a polynomial's degree is from 1 to 6")
        if len(self.weights) != columns(self.family, self.shape):
            raise ValueError(f"{self.family} takes {columns(self.family, self.shape)} weights")
        return self

    def values(self, x: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
        """The term at every point."""
        basis = FAMILIES[self.family].basis(x, np.array([self.shape], dtype=float).reshape(1, -1))
        return basis[0] @ np.array(self.weights)

    def describe(self) -> str:
        """In words."""
        family = FAMILIES[self.family]
        names = dict(zip(family.shape, map(_short, self.shape), strict=True))
        said = family.say.format(**{f"w{i}": _short(w) for i, w in enumerate(self.weights)}, **names)
        if self.family != "polynomial":
            return said
        powers = (f"{_short(w)} * (x/100)^{i}" for i, w in enumerate(self.weights))
        return f"{said}, {' + '.join(powers)}"


class ExceptionInterval(Record):
    """A stretch of the domain where the function is (about) a constant instead; both ends belong to it."""

    low: float
    """Lower end."""
    high: float
    """Upper end."""
    value: float = Field(allow_inf_nan=False)
    """What the function is there."""

    @model_validator(mode="after")
    def _ordered(self) -> ExceptionInterval:
        if not self.low <= self.high:
            raise ValueError(f"the exception's ends {self.low}, {self.high} must be in order")
        return self


class NumericForm(Record):
    """A numeric function."""

    kind: Literal["numeric"] = "numeric"
    first: Term
    """The function, or its first part."""
    join: Literal["sum", "product"] | None = None
    """How the second part is joined; None where there is none."""
    second: Term | None = None
    """The second part."""
    exception: ExceptionInterval | None = None
    """Where it is something else."""

    @model_validator(mode="after")
    def _whole(self) -> NumericForm:
        if (self.join is None) != (self.second is None):
            raise ValueError("a second part needs a join, and a join a second part")
        return self

    def regular(self, x: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
        """The function without its exception."""
        values = self.first.values(x)
        if self.second is not None:
            other = self.second.values(x)
            values = values + other if self.join == "sum" else values * other
        return np.clip(np.nan_to_num(values), -_LARGEST, _LARGEST)

    def values(self, x: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
        """The function at every point."""
        values = self.regular(x)
        if self.exception is None:
            return values
        inside = (x >= self.exception.low) & (x <= self.exception.high)
        return np.where(inside, self.exception.value, values)

    def answer(self, given: float | str) -> float | str:
        """The output to one input; `undefined` to what is no number."""
        try:
            x = float(given)
        except ValueError:
            return "undefined"
        return float(self.values(np.array([x]))[0])

    def describe(self) -> str:
        """In words, exception included."""
        said = self.first.describe()
        if self.second is not None:
            word = "plus" if self.join == "sum" else "times"
            said = f"({said}) {word} ({self.second.describe()})"
        if self.exception is None:
            return said
        e = self.exception
        return f"{said}; but about {_short(e.value)} for x from {_short(e.low)} to {_short(e.high)}"


def _short(value: float) -> str:
    return format(round(value, 2), ".6g") if abs(value) >= 0.05 else format(value, ".2g")
