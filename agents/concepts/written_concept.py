"""Texts with and without a concept, written by a model. What does not fit is dropped and counted."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from dataclasses import dataclass

from pydantic import BaseModel

from glossator.agents.llm_calls.all_finished import all_finished
from glossator.agents.llm_calls.answer_parsing import read_json, schema_of
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Call, ChatReply, Role, Unscored
from glossator.probes.split_assignment import normalise
from glossator.prompts.fence import fenced
from glossator.prompts.prompt_file import load_prompt

PROMPT = "concept_texts"
ASKS = 3
"""Answers that are asked for, each a sample of its own."""
PER_ASK = 10
"""Texts of each kind in an answer."""
LONGEST = 600
"""Characters that are kept of a text."""
REPEATED, QUOTES, SHORT = "text repeats another", "text is the concept's name", "text of under three words"
_TEMPERATURE = 0.8
_TOKENS_PER_TEXT = 90
_SPARE_TOKENS = 100
_LIKELY_TEXT = (
    "They walked along the river until the rain began, and then the whole party turned back for home."
)


class ConceptAnswer(BaseModel):
    """The answer's form."""

    with_concept: list[str]
    without_concept: list[str]


@dataclass(frozen=True)
class WrittenConcept:
    """What a model wrote."""

    with_concept: tuple[str, ...]
    without: tuple[str, ...]
    model: str
    dropped: dict[str, int]
    """Reason to count, of texts."""
    unscored: dict[str, int]
    """Reason to count, of answers."""


async def write_concept(calls: CallRoom, concept: str) -> WrittenConcept:
    """Ask the investigator's model for texts of `concept`, several times over.

    Raises:
        BudgetSpent: the next call could exceed the budget.
        ModelAccessError: the model cannot be used as it is set.
        EndpointError: the endpoint does not answer, after trying again.
    """
    answers = await all_finished(calls.ask(_call(concept, i), _read) for i in range(ASKS))
    unscored = Counter(str(a.reason) for a in answers if isinstance(a, Unscored))
    dropped: Counter[str] = Counter()
    seen, kept = {normalise(concept)}, ([], [])
    for answer in answers:
        if isinstance(answer, Unscored):
            continue
        for texts, out in zip((answer.with_concept, answer.without_concept), kept, strict=True):
            _keep(texts, out, seen, concept, dropped)
    model = calls.model(Role.INVESTIGATOR)
    return WrittenConcept(tuple(kept[0]), tuple(kept[1]), model, dict(dropped), dict(unscored))


def _call(concept: str, sample: int) -> Call:
    likely = json.dumps({n: [_LIKELY_TEXT] * PER_ASK for n in ("with_concept", "without_concept")})
    return Call(
        role=Role.INVESTIGATOR,
        prompt=load_prompt(PROMPT).render(claim=fenced("C", concept), n=PER_ASK),
        max_tokens=2 * PER_ASK * _TOKENS_PER_TEXT + _SPARE_TOKENS,
        likely=likely,
        schema=schema_of(ConceptAnswer),
        temperature=_TEMPERATURE,
        sample=sample,
    )


def _read(reply: ChatReply) -> ConceptAnswer | Unscored:
    return read_json(reply, ConceptAnswer)


def _keep(texts: list[str], out: list[str], seen: set[str], concept: str, dropped: Counter[str]) -> None:
    for text in map(_clean, texts):
        same = normalise(text)
        if same == normalise(concept):
            dropped[QUOTES] += 1
        elif len(same.split()) < 3:
            dropped[SHORT] += 1
        elif same in seen:
            dropped[REPEATED] += 1
        else:
            seen.add(same)
            out.append(text)


def _clean(text: str) -> str:
    """On one line, without control and other invisible characters, and no longer than `LONGEST`."""
    spaced = (" " if c in "\n\r\t\u2028\u2029" else c for c in text)
    return "".join(c for c in spaced if unicodedata.category(c) not in ("Cc", "Cf", "Cs")).strip()[:LONGEST]
