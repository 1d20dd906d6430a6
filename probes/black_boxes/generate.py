"""Functions with known truth, from a seed: the same seed gives the same functions everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from glossator.errors import UserError
from glossator.probes.black_boxes.box import BlackBox, Signature, Takes, Value
from glossator.probes.black_boxes.concepts import CONCEPTS, RELATIONS
from glossator.probes.black_boxes.disturbance import (
    Curve,
    NoiseName,
    jitter_at,
    noise_at,
    rng_of,
    small_network,
    straight_pieces,
)
from glossator.probes.black_boxes.draw_numeric import (
    domain_of,
    draw_composed,
    draw_simple,
    grid_of,
    with_exception,
)
from glossator.probes.black_boxes.draw_strings import draw_ops
from glossator.probes.black_boxes.forms import Form
from glossator.probes.black_boxes.kinds import RECIPE, Kind
from glossator.probes.black_boxes.string_form import StringForm
from glossator.probes.black_boxes.text_form import NamedConcept, RelationForm, TextForm

_LIKE_ITS_FAMILY = 0.97
"""R² that an approximation has at least with what it approximates."""


@dataclass(frozen=True)
class HiddenFunction:
    """A function and the whole truth about it. An agent gets `box()` alone."""

    name: str
    """Kind, seed and number."""
    kind: Kind
    signature: Signature
    form: Form
    """What it does, noise and approximation apart."""
    run: Callable[[Value], Value]
    """What it answers."""
    undisturbed: Callable[[Value], Value]
    """What it would answer without noise; an approximation is itself."""

    def box(self, inputs: int) -> BlackBox:
        """The function as an agent meets it, answering at most `inputs` distinct inputs."""
        return BlackBox(self.signature, self.run, inputs)


def generate(seed: int, n: int, kinds: Sequence[Kind] = (), *, recipe: bool = False) -> list[HiddenFunction]:
    """`n` functions.

    Args:
        seed: Of everything that is drawn.
        n: How many.
        kinds: Which kinds; all if empty.
        recipe: Draw kinds with FIND's shares; else they take turns.

    Raises:
        UserError: `n` is below 1.
    """
    if n < 1:
        raise UserError(f"{n} functions cannot be drawn: ask for 1 or more")
    every = list(dict.fromkeys(kinds)) or list(Kind)
    if recipe:
        shares = np.array([RECIPE[k] for k in every])
        drawn = rng_of(seed, "kinds").choice(len(every), n, p=shares / shares.sum())
        order = [every[int(i)] for i in drawn]
    else:
        order = [every[i % len(every)] for i in range(n)]
    count = dict.fromkeys(every, 0)
    functions: list[HiddenFunction] = []
    for kind in order:
        functions.append(hidden_function(kind, seed, count[kind]))
        count[kind] += 1
    return functions


def hidden_function(kind: Kind, seed: int, number: int) -> HiddenFunction:
    """The function `number` of its kind."""
    rng = rng_of(seed, kind.value, number)
    own = int(rng.integers(2**31))
    name = f"{kind.value}-{seed}-{number}"
    if kind.value.startswith("numeric"):
        return _numeric(name, kind, rng, own)
    if kind.value.startswith("string"):
        form = StringForm(ops=draw_ops(rng, composed=kind is Kind.STRING_COMPOSED))
        return HiddenFunction(name, kind, Signature(Takes.STRINGS), form, form.answer, form.answer)
    return _textual(name, kind, rng, own)


def _numeric(name: str, kind: Kind, rng: np.random.Generator, seed: int) -> HiddenFunction:
    if kind is Kind.NUMERIC_COMPOSED:
        form = draw_composed(rng)
    elif kind is Kind.NUMERIC_EXCEPTION:
        form = with_exception(rng, partial(draw_simple, rng))
    else:
        form = draw_simple(rng)
    signature = Signature(Takes.NUMBERS, *domain_of(form.first.family))
    if kind is Kind.NUMERIC_APPROXIMATION:
        return _approximated(name, rng, seed)
    noise = _noise_name(rng) if kind is Kind.NUMERIC_NOISE else None

    def run(given: Value) -> Value:
        x = float(given)
        disturbed = float(form.answer(x)) + jitter_at(seed, x, form)
        return round(disturbed + (0.0 if noise is None else noise_at(seed, x, noise)), 4)

    return HiddenFunction(name, kind, signature, form, run, form.answer)


def _noise_name(rng: np.random.Generator) -> NoiseName:
    at = rng.random()
    return "normal" if at < 1 / 3 else "uniform" if at < 2 / 3 else "poisson"


def _approximated(name: str, rng: np.random.Generator, seed: int) -> HiddenFunction:
    """Straight pieces or a small network; families that neither can follow are drawn again."""
    while True:
        form = draw_simple(rng)
        low, high = domain_of(form.first.family)
        by_network = rng.random() < 0.5
        curve = small_network(form, low, high, seed) if by_network else straight_pieces(form, low, high)
        x = grid_of((low, high))
        spread = float(np.var(form.values(x)))
        if spread > 0 and np.mean((curve(x) - form.values(x)) ** 2) <= (1 - _LIKE_ITS_FAMILY) * spread:
            run = partial(_on_curve, curve)
            signature = Signature(Takes.NUMBERS, low, high)
            return HiddenFunction(name, Kind.NUMERIC_APPROXIMATION, signature, form, run, run)


def _on_curve(curve: Curve, given: Value) -> Value:
    return round(float(curve(np.array([float(given)]))[0]), 4)


def _textual(name: str, kind: Kind, rng: np.random.Generator, seed: int) -> HiddenFunction:
    if kind is Kind.TEXT_EXCEPTION and rng.random() < 0.5:
        relation = _one_of(rng, list(RELATIONS))
        part = _one_of(rng, list(RELATIONS[relation]))
        told = RelationForm(relation=relation, exempt=f"{relation}/{part}")
        return HiddenFunction(name, kind, Signature(Takes.RELATION), told, told.answer, told.answer)
    chosen = rng.permutation(list(CONCEPTS))[: 2 if kind is Kind.TEXT_TWO else 1]
    exempt = None
    if kind is Kind.TEXT_EXCEPTION:
        exempt = f"{chosen[0]}/{_one_of(rng, list(CONCEPTS[str(chosen[0])]))}"
    form = TextForm(concepts=tuple(NamedConcept(name=str(c)) for c in chosen), exempt=exempt)

    def run(given: Value) -> Value:
        """0.7 to 1 where it fires, 0 to 0.15 elsewhere, by the text."""
        part = float(rng_of(seed, "activation", str(given).casefold()).random())
        return round(0.7 + 0.3 * part if form.fires(str(given)) else 0.15 * part, 2)

    return HiddenFunction(name, kind, Signature(Takes.FEATURE), form, run, form.answer)


def _one_of(rng: np.random.Generator, names: Sequence[str]) -> str:
    return names[int(rng.integers(len(names)))]
