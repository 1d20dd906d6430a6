"""String functions: all compositions of two operations tried, and texts that tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from glossator.probes.black_boxes.box import Pair, Value
from glossator.probes.black_boxes.disturbance import rng_of
from glossator.probes.black_boxes.draw_strings import SINGLES, draw_texts
from glossator.probes.black_boxes.solver import Fit, best_first
from glossator.probes.black_boxes.string_form import OPS, OpName, StringForm

_PRICE = 0.3
"""Texts that an operation more must explain."""
_OPENING = (
    "Hello World",
    "banana",
    "The green tree",
    "Engine 42",
    "queue letters",
    "Mississippi river",
    "ABBA",
)
"""Texts that between them move, count, remove or change something under every operation."""
_POOL = 120


class StringSolver:
    """A `Solver` for functions of texts."""

    def __init__(self) -> None:
        self._pool = draw_texts(rng_of("texts to tell operations apart"), _POOL)

    def opening(self, n: int) -> list[Value]:
        """Fixed texts that every operation changes some of; then others."""
        texts = [*_OPENING, *(t for t in self._pool if t not in _OPENING)]
        return list[Value](texts[:n])

    def random(self, n: int, rng: np.random.Generator) -> list[Value]:
        """Texts of one to four words."""
        return list(draw_texts(rng, n))

    def fit(self, ops: tuple[OpName, ...], pairs: Sequence[Pair]) -> Fit:
        """How well proposed operations do."""
        form = StringForm(ops=ops)
        return _graded(form, [form.run(str(p.given)) == p.got for p in pairs])

    def search(self, pairs: Sequence[Pair]) -> list[Fit]:
        """Each operation alone and each pair."""
        inner = {op: [OPS[op].run(str(p.given)) for p in pairs] for op in SINGLES}
        wanted = [str(p.got) for p in pairs]
        fits = [
            _graded(StringForm(ops=(op,)), [o == w for o, w in zip(inner[op], wanted, strict=True)])
            for op in SINGLES
        ]
        if max(f.quality for f in fits) < 1:
            for first, second in product(SINGLES, SINGLES):
                run = OPS[second].run
                hits = [run(text) == w for text, w in zip(inner[first], wanted, strict=True)]
                if any(hits):
                    fits.append(_graded(StringForm(ops=(first, second)), hits))
        return best_first(fits, keep=8)

    def telling(self, fits: Sequence[Fit], pairs: Sequence[Pair], n: int) -> list[Value]:
        """New texts to which the best fits give the most different outputs."""
        known = {p.given for p in pairs}
        forms = [f.form for f in fits[:8] if isinstance(f.form, StringForm)]
        rest = [t for t in self._pool if t not in known]
        return list[Value](sorted(rest, key=lambda t: -len({form.run(t) for form in forms}))[:n])


def _graded(form: StringForm, hits: Sequence[bool]) -> Fit:
    wrong = len(hits) - sum(hits)
    return Fit(form, wrong + _PRICE * len(form.ops), sum(hits) / max(1, len(hits)))
