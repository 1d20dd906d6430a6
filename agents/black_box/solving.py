"""The agent: propose, choose inputs that tell proposals apart, run them, fit anew, answer.

With a model the ideas and some of the inputs are the model's; without one they come from a search of the
language. In both, code fits the numbers and compares fits, and the answer is the form that fits best, with
its own description. The baselines are made of the same parts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from glossator.agents.black_box.proposals import Asker, Attempt, Proposed, asker_of
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Call, Role, Unscored
from glossator.probes.black_boxes.box import BlackBox, Pair, Signature, Takes, Value
from glossator.probes.black_boxes.forms import Form
from glossator.probes.black_boxes.numeric_form import NumericForm, Term
from glossator.probes.black_boxes.solver import Fit, best_first
from glossator.probes.black_boxes.string_form import StringForm
from glossator.probes.black_boxes.text_form import RelationForm
from glossator.probes.black_boxes.word_solvers import graded

MAX_TOKENS = 260
"""Of one answer with proposals."""
TEMPERATURE = 0.8
"""Of every draw but the first."""


class Inputs(NamedTuple):
    """How many inputs a function answers, and in what portions the agent uses them."""

    total: int
    opening: int
    round: int


INPUTS = {
    Takes.NUMBERS: Inputs(32, 17, 5),
    Takes.STRINGS: Inputs(10, 4, 2),
    Takes.FEATURE: Inputs(59, 47, 4),
    Takes.RELATION: Inputs(20, 11, 3),
}
"""The same for the agent and for its baselines."""


class Solved(NamedTuple):
    """What an arm answers."""

    form: Form | None
    """None where nothing usable was proposed; `reasons` says why."""
    quality: float
    """How well it fits its own experiments."""
    calls: int
    """Questions put to a model."""
    inputs: int
    """Experiments made."""
    reasons: Counter[str]
    """Answers that could not be used, by reason."""


class Proposing(NamedTuple):
    """A model to ask."""

    calls: CallRoom
    asker: Asker

    async def ask(self, pairs: Sequence[Pair], tried: Sequence[Fit], sample: int) -> Proposed | Unscored:
        """One answer to what is known so far; the first at temperature 0."""
        call = Call(
            role=Role.INVESTIGATOR,
            prompt=self.asker.prompt(pairs, tried),
            max_tokens=MAX_TOKENS,
            likely=self.asker.likely,
            schema=self.asker.schema(pairs, tried),
            temperature=TEMPERATURE if sample else 0.0,
            sample=sample,
        )
        return await self.calls.ask(call, self.asker.read)


async def investigate(box: BlackBox, calls: CallRoom, rounds: int) -> Solved:
    """The agent with a model: `rounds` questions, and between them the inputs that tell most.

    Raises:
        BudgetSpent: no call is left.
        ModelAccessError: the model cannot be used as it is set.
        EndpointError: the endpoint does not answer.
    """
    proposing = Proposing(calls, asker_of(box.signature))
    sizes, solver = INPUTS[box.signature.takes], proposing.asker.solver
    box.ask(solver.opening(sizes.opening))
    attempts: list[Attempt] = []
    reasons = Counter[str]()
    for turn in range(rounds):
        fits = _fitted(attempts, box.pairs)
        found = await proposing.ask(box.pairs, fits, turn)
        if isinstance(found, Unscored):
            reasons[str(found.reason)] += 1
            found = Proposed((), ())
        attempts += found.attempts
        if (rest := rounds - 1 - turn) > 0:
            portion = math.ceil(box.left / rest)
            _experiment(box, proposing.asker, best_first(_fitted(attempts, box.pairs)), found.inputs, portion)
    return _solved(_fitted(attempts, box.pairs), box, rounds, reasons)


async def one_shot(box: BlackBox, calls: CallRoom, samples: int, seed: int) -> Solved:
    """The same model, language, fit and number of calls and inputs: random inputs, one question, no feedback.

    Raises:
        BudgetSpent: no call is left.
        ModelAccessError: the model cannot be used as it is set.
        EndpointError: the endpoint does not answer.
    """
    proposing = Proposing(calls, asker_of(box.signature))
    _ask_random(box, proposing.asker, seed)
    attempts: list[Attempt] = []
    reasons = Counter[str]()
    for sample in range(samples):
        found = await proposing.ask(box.pairs, (), sample)
        if isinstance(found, Unscored):
            reasons[str(found.reason)] += 1
        else:
            attempts += found.attempts
    return _solved(_fitted(attempts, box.pairs), box, samples, reasons)


def investigate_embedded(box: BlackBox) -> Solved:
    """The agent without a model: ideas come from a search of the whole language."""
    asker, sizes = asker_of(box.signature), INPUTS[box.signature.takes]
    box.ask(asker.solver.opening(sizes.opening))
    while True:
        fits = asker.solver.search(box.pairs)
        left = box.left
        if left:
            _experiment(box, asker, fits, (), sizes.round)
        if box.left == left:  # nothing more to ask, or no input left
            return _solved(fits, box, 0, Counter())


def probe_randomly(box: BlackBox, seed: int) -> Solved:
    """The same search on as many random inputs."""
    asker = asker_of(box.signature)
    _ask_random(box, asker, seed)
    return _solved(asker.solver.search(box.pairs), box, 0, Counter())


async def guess(signature: Signature, calls: CallRoom | None) -> Solved:
    """Without any experiment: what a model expects of such a function, or else the commonest form.

    Raises:
        BudgetSpent: no call is left.
        ModelAccessError: the model cannot be used as it is set.
        EndpointError: the endpoint does not answer.
    """
    if calls is None:
        return Solved(_prior(signature), 0.0, 0, 0, Counter())
    found = await Proposing(calls, asker_of(signature)).ask((), (), 0)
    if isinstance(found, Unscored):
        return Solved(None, 0.0, 1, 0, Counter({str(found.reason): 1}))
    # Numbers cannot be fitted to nothing: the shape is put through a made-up rising line.
    made_up = [Pair(float(x), float(x)) for x in np.linspace(signature.low, signature.high, 24)]
    pairs = made_up if signature.takes is Takes.NUMBERS else []
    form = found.attempts[0](pairs).form if found.attempts else _prior(signature)
    return Solved(form, 0.0, 1, 0, Counter())


def _prior(signature: Signature) -> Form:
    """The mean of the prior: nothing happens."""
    match signature.takes:
        case Takes.NUMBERS:
            return NumericForm(first=Term(family="constant", weights=(0.0,)))
        case Takes.STRINGS:
            return StringForm(ops=("identity",))
        case Takes.FEATURE:
            solver = asker_of(signature).solver
            return solver.search([])[0].form
        case Takes.RELATION:
            return graded(RelationForm(relation="capital_of"), []).form


def _ask_random(box: BlackBox, asker: Asker, seed: int) -> None:
    """All inputs that the box answers, at random; repeated draws are made up for."""
    rng = np.random.default_rng(seed)
    for _ in range(10):
        if box.left:
            box.ask(asker.solver.random(box.left, rng))


def _fitted(attempts: Sequence[Attempt], pairs: Sequence[Pair]) -> list[Fit]:
    return [attempt(pairs) for attempt in attempts] if pairs else []


def _experiment(box: BlackBox, asker: Asker, fits: Sequence[Fit], wished: Sequence[Value], n: int) -> None:
    """At most half of the inputs are the model's own; the others are those on which the fits differ."""
    known = {p.given for p in box.pairs}
    new = [v for v in dict.fromkeys(wished) if v not in known][: n // 2]
    told = [v for v in asker.solver.telling(fits, box.pairs, n) if v not in new]
    box.ask([*new, *told][:n])


def _solved(fits: Sequence[Fit], box: BlackBox, calls: int, reasons: Counter[str]) -> Solved:
    best = best_first(fits, keep=1)
    form, quality = (best[0].form, best[0].quality) if best else (None, 0.0)
    return Solved(form, quality, calls, len(box.pairs), reasons)
