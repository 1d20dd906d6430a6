"""What all solvers do: fit an idea to experiments, search ideas, and choose inputs that tell fits apart.

A solver knows the closed language and sees experiments alone. There is one for each kind of signature.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from glossator.probes.black_boxes.box import Pair, Value
from glossator.probes.black_boxes.forms import Form, form_json


class Fit(NamedTuple):
    """A form fitted to experiments."""

    form: Form
    loss: float
    """What is compared between fits to the same experiments: misfit, and a price for length."""
    quality: float
    """How well it fits: R² for numbers, the share of experiments that it predicts else; 1 at best."""


@runtime_checkable
class Solver(Protocol):
    """Experiments in, fits out."""

    def opening(self, n: int) -> list[Value]:
        """The first `n` inputs: spread over everything that may matter."""
        ...

    def random(self, n: int, rng: np.random.Generator) -> list[Value]:
        """`n` inputs at random."""
        ...

    def search(self, pairs: Sequence[Pair]) -> list[Fit]:
        """The best fits in the whole language, best first."""
        ...

    def telling(self, fits: Sequence[Fit], pairs: Sequence[Pair], n: int) -> list[Value]:
        """`n` new inputs on which the fits, or what lies between two experiments, differ most."""
        ...


def best_first(fits: Iterable[Fit], keep: int = 5) -> list[Fit]:
    """The `keep` best different fits; equal ones in the order given."""
    found: dict[str, Fit] = {}
    for fit in sorted(fits, key=lambda f: f.loss):
        found.setdefault(form_json(fit.form), fit)
        if len(found) == keep:
            break
    return list(found.values())
