"""Experiments of a function and of two others like it, for the multiple-choice test of a description."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from glossator.probes.black_boxes.box import Pair, Takes, Value
from glossator.probes.black_boxes.concepts import CONCEPTS, RELATIONS, held_out_words
from glossator.probes.black_boxes.disturbance import rng_of
from glossator.probes.black_boxes.draw_strings import draw_texts
from glossator.probes.black_boxes.generate import HiddenFunction, hidden_function
from glossator.probes.black_boxes.kinds import Kind
from glossator.probes.black_boxes.numeric_form import NumericForm
from glossator.probes.black_boxes.text_form import NamedConcept, RelationForm, TextForm

_SHOWN, _TEXTS = 4, 3
_OTHERS_FROM = 100_000
"""Numbers of other functions begin here, out of the way of those that are asked about."""


class LookAlikes(NamedTuple):
    """What a judge is shown of three functions."""

    own: tuple[Pair, ...]
    others: tuple[tuple[Pair, ...], tuple[Pair, ...]]


def look_alikes(function: HiddenFunction) -> LookAlikes:
    """Its experiments, and those of one other function of its kind and one of any kind like it."""
    rng = rng_of(function.name, "look-alikes")
    own = _experiments(function, function, rng)
    found: list[tuple[Pair, ...]] = []
    for other in _candidates(function, rng):
        shown = _experiments(other, function, rng)
        if all(_different(shown, known) for known in (own, *found)):
            found.append(shown)
        if len(found) == 2:
            break
    return LookAlikes(own, (found[0], found[1]))


def _candidates(function: HiddenFunction, rng: np.random.Generator) -> Iterator[HiddenFunction]:
    """Others with the same signature, the first ones of the same kind."""
    same = [k for k in Kind if k.value.split("_")[0] == function.kind.value.split("_")[0]]
    number = _OTHERS_FROM
    while True:
        number += 1
        kind = function.kind if number % 2 else same[int(rng.integers(len(same)))]
        other = hidden_function(kind, int(rng.integers(2**20)), number)
        if other.signature.takes is function.signature.takes and other.form != function.form:
            yield other


def _experiments(shown: HiddenFunction, asked: HiddenFunction, rng: np.random.Generator) -> tuple[Pair, ...]:
    """What `shown` answers: numbers and texts are the same for all three, words are its own."""
    same = rng_of(asked.name, "inputs shown")
    takes = shown.signature.takes
    if takes is Takes.NUMBERS:
        inputs = _numbers(asked, same)
    elif takes is Takes.STRINGS:
        inputs = [t for t in draw_texts(same, 40) if len(t) > 3][:_TEXTS]
    else:
        inputs = _words(shown, rng)
    return tuple(Pair(v, shown.run(v)) for v in inputs)


def _numbers(function: HiddenFunction, rng: np.random.Generator) -> list[Value]:
    """Whole numbers spread over the domain, one of them in the exception if there is one."""
    low, high = function.signature.low, function.signature.high
    edges = np.linspace(low, high, _SHOWN + 1)
    x = [float(round(rng.uniform(a, b))) for a, b in pairwise(edges)]
    form = function.form
    if isinstance(form, NumericForm) and form.exception is not None:
        middle = float(round((form.exception.low + form.exception.high) / 2, 1))
        x[int(np.argmin([abs(v - middle) for v in x]))] = middle
    return list(x)


def _words(function: HiddenFunction, rng: np.random.Generator) -> list[Value]:
    """Held-out words of each of its concepts, one of an exempt part, one of elsewhere."""
    form = function.form
    if isinstance(form, RelationForm):
        parts = [f"{form.relation}/{p}" for p in RELATIONS[form.relation]]
    else:
        assert isinstance(form, TextForm)
        parts = [
            f"{c.name}/{p}" for c in form.concepts if isinstance(c, NamedConcept) for p in CONCEPTS[c.name]
        ]
    live = [w for part in parts if part != form.exempt for w in held_out_words(part)]
    chosen = [live[int(i)] for i in rng.permutation(len(live))[:_SHOWN]]
    if form.exempt is not None:
        exempt = held_out_words(form.exempt)
        chosen.append(exempt[int(rng.integers(len(exempt)))])
    return list(chosen)


def _different(a: tuple[Pair, ...], b: tuple[Pair, ...]) -> bool:
    """At least half of the experiments differ visibly."""
    differ = [x.given != y.given or not _close(x.got, y.got) for x, y in zip(a, b, strict=False)]
    return sum(differ) >= len(differ) / 2


def _close(a: Value, b: Value) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    return abs(a - b) <= 0.1 * max(1.0, abs(a), abs(b))
