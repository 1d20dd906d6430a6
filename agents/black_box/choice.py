"""The multiple-choice test of a description: it must pick its own function's experiments out of three.

An answer counts if it names exactly one option. Without a model, code executes the described form and takes
the option that it predicts best; a tie is broken by a seeded draw, so a description of nothing is at chance.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from pydantic import BaseModel

from glossator.agents.black_box.shown import number
from glossator.agents.llm_calls.answer_parsing import schema_of
from glossator.agents.llm_calls.answer_text import answer_text, no_answer
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Call, ChatReply, Role, Unscored, UnscoredReason
from glossator.probes.black_boxes.box import Pair
from glossator.probes.black_boxes.disturbance import rng_of
from glossator.probes.black_boxes.forms import Form
from glossator.probes.black_boxes.word_solvers import FIRES
from glossator.prompts.fence import fenced
from glossator.prompts.prompt_file import load_prompt

OPTIONS = 3
CHANCE = 1 / OPTIONS
_NAMED = re.compile(r"\"?option\"?\s{0,3}[:=]?\s{0,3}\"?(\d{1,3})\b", re.IGNORECASE)
_BARE = re.compile(r"\d{1,3}")


class ChoiceAnswer(BaseModel):
    """What a judge answers."""

    option: Literal[1, 2, 3]


class Choice(NamedTuple):
    """One question: a description's options in the order shown."""

    options: tuple[tuple[Pair, ...], ...]
    """Experiments of three functions."""
    right: int
    """Which one is its own, from 0."""


def shuffled(own: Sequence[Pair], others: Sequence[Sequence[Pair]], turn: int, name: str = "") -> Choice:
    """The three in an order that belongs to `name`, rotated by `turn`.

    Over three turns each one stands in each place once, so a judge that always says 2 is at chance.
    """
    order = np.roll(rng_of(name, turn // OPTIONS, "order of options").permutation(OPTIONS), turn)
    every = [tuple(own), *map(tuple, others)]
    return Choice(tuple(every[int(i)] for i in order), int(np.argmin(order)))


def read_option(reply: ChatReply) -> int | Unscored:
    """The one option that a reply names, from 0; a reply that names several, or none, is malformed."""
    text = answer_text(reply).text
    named = set(map(int, _NAMED.findall(text)))
    if not named and len(text.split()) <= 3:
        named = set(map(int, _BARE.findall(text)))
    if not named:
        return no_answer(reply, "option")
    (first, *more) = named
    if more or not 1 <= first <= OPTIONS:
        return Unscored(UnscoredReason.MALFORMED, f"{len(named)} options named, not one of {OPTIONS}")
    return first - 1


async def chosen_by_model(description: str, choice: Choice, calls: CallRoom) -> int | Unscored:
    """The option that the judge takes.

    Raises:
        BudgetSpent: no call is left.
        ModelAccessError: the model cannot be used as it is set.
        EndpointError: the endpoint does not answer.
    """
    said = ["; ".join(f"{number(p.given)} -> {number(p.got)}" for p in pairs) for pairs in choice.options]
    prompt = load_prompt("black_box_choice").render(
        claim=fenced("C", description), windows=[fenced(i, line) for i, line in enumerate(said, 1)]
    )
    schema, likely = schema_of(ChoiceAnswer), '{"option": 2}'
    call = Call(role=Role.JUDGE, prompt=prompt, max_tokens=16, likely=likely, schema=schema)
    return await calls.ask(call, read_option)


def chosen_by_code(form: Form, choice: Choice, seed: int) -> int:
    """The option that the form predicts best."""
    errors = np.array([np.mean([_error(form, p) for p in pairs]) for pairs in choice.options])
    best = np.flatnonzero(errors <= errors.min() + 1e-12)
    return int(rng_of(seed, "tie").choice(best))


def _error(form: Form, pair: Pair) -> float:
    """Of one experiment: 0 where the form predicts it, at most 1."""
    said = form.answer(pair.given)
    if isinstance(said, str) or isinstance(pair.got, str):
        return float(said != pair.got)
    if form.kind == "text":
        return float((said > FIRES) != (pair.got > FIRES))
    return min(1.0, abs(said - pair.got) / (abs(pair.got) + abs(said) + 1e-9))
