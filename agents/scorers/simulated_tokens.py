"""What a reader predicts of each token, given a claim: questions, answers, what could not be used.

A window is shown with its tokens numbered, and the answer names those that fire, with a strength from 1
to 10 (Bills et al. 2023, https://openaipublic.blob.core.windows.net/neuron-explainer/paper/index.html, ask
for every token's; naming only the firing ones costs a tenth). Tokens that are not named count as 0.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, JsonValue, ValidationError

from glossator.agents.llm_calls.all_finished import all_finished
from glossator.agents.llm_calls.answer_parsing import read_json, schema_of
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Call, ChatReply, Role, Unscored, UnscoredReason
from glossator.prompts.fence import fenced, numbered
from glossator.prompts.prompt_file import load_prompt

PROMPT = "simulation"
STRONGEST = 10
_ANSWER_TOKENS = 640
"""Room for about 40 named tokens."""
_MORE_TOKENS = 2560
"""Granted when an answer was cut: the claim fits nearly everything, or the model thinks aloud."""


class Prediction(BaseModel):
    """A token that is said to fire."""

    window: int
    token: int
    strength: float


class Predictions(BaseModel):
    """The answer's form."""

    predictions: list[Prediction]


class _LoosePredictions(BaseModel):
    """As `Predictions`, each entry to be read on its own."""

    predictions: list[JsonValue]


class SimulatedWindow(NamedTuple):
    """What was predicted of one window."""

    strengths: Float[np.ndarray, " tokens"] | None
    """Of each token, from 0 to 10; None where there is no usable answer."""
    reason: UnscoredReason | None
    """Why there is none."""


class Simulated(NamedTuple):
    """Answers to some windows, in order."""

    windows: tuple[SimulatedWindow, ...]
    dropped: int
    """Entries of answers that were malformed or named what is not there."""


async def simulate(calls: CallRoom, claim: str, windows: Sequence[tuple[str, ...]]) -> Simulated:
    """Ask about windows, given as tokens, in one prompt: with more room if cut, in halves if too long."""
    sizes = [len(w) for w in windows]

    def read(reply: ChatReply) -> Simulated | Unscored:
        answer = read_json(reply, _LoosePredictions)
        return answer if isinstance(answer, Unscored) else _strengths(answer.predictions, sizes)

    answer = await calls.ask(_call(claim, windows, _ANSWER_TOKENS), read)
    if isinstance(answer, Unscored) and answer.reason is UnscoredReason.CUT:
        answer = await calls.ask(_call(claim, windows, _MORE_TOKENS), read)
    if not isinstance(answer, Unscored):
        return answer
    if answer.reason is UnscoredReason.CONTEXT_TOO_SMALL and len(windows) > 1:
        half = len(windows) // 2
        halves = (windows[:half], windows[half:])
        first, second = await all_finished(simulate(calls, claim, part) for part in halves)
        return Simulated((*first.windows, *second.windows), first.dropped + second.dropped)
    return Simulated((SimulatedWindow(None, answer.reason),) * len(windows), 0)


def _call(claim: str, windows: Sequence[tuple[str, ...]], max_tokens: int) -> Call:
    lines = [fenced(i, numbered(tokens)) for i, tokens in enumerate(windows, 1)]
    usual = [{"window": i, "token": 16, "strength": 8} for i in range(1, len(windows) + 1)]
    return Call(
        role=Role.SCORER,
        prompt=load_prompt(PROMPT).render(claim=fenced("C", claim), windows=lines),
        max_tokens=max_tokens,
        likely=json.dumps({"predictions": usual}),
        schema=schema_of(Predictions),
    )


def _strengths(entries: Sequence[object], sizes: Sequence[int]) -> Simulated:
    """The strengths of windows of these sizes; the last word on a token counts."""
    rows, dropped = [np.zeros(size, np.float32) for size in sizes], 0
    for entry in entries:
        found = _prediction(entry)
        if found is None or not 1 <= found.window <= len(rows):
            dropped += 1
            continue
        row = rows[found.window - 1]
        if 1 <= found.token <= len(row) and 0 <= found.strength <= STRONGEST:
            row[found.token - 1] = found.strength
        else:
            dropped += 1
    return Simulated(tuple(SimulatedWindow(row, None) for row in rows), dropped)


def _prediction(entry: object) -> Prediction | None:
    try:
        return Prediction.model_validate(entry)
    except ValidationError:
        return None
