"""Texts that a model writes from an explanation alone: some that should fire, and near misses.

What comes back is cleaned; texts that repeat another or quote the explanation are dropped and counted.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass

from pydantic import BaseModel

from glossator.agents.llm_calls.answer_parsing import read_json, schema_of
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Call, ChatReply, Role, Unscored
from glossator.prompts.fence import fenced
from glossator.prompts.prompt_file import load_prompt

PROMPT = "generation"
LONGEST = 600
"""Characters that are kept of a text."""
REPEATED = "text repeats another"
QUOTES = "text quotes the explanation"
BLANK = "empty text"
_TOKENS_PER_TEXT = 90
_SPARE_TOKENS = 100
_QUOTED_WORDS = 4
_LIKELY_TEXT = (
    "They walked along the river until the rain began, and then the whole party turned back for home."
)


class WrittenTexts(BaseModel):
    """The answer's form."""

    firing: list[str]
    near_misses: list[str]


@dataclass(frozen=True)
class UsableTexts:
    """What is left of an answer."""

    firing: tuple[str, ...]
    near_misses: tuple[str, ...]
    dropped: dict[str, int]
    """Reason to count."""


async def write_texts(calls: CallRoom, explanation: str, n: int) -> UsableTexts | Unscored:
    """Ask the explainer's model for `n` texts of each kind; an answer that was cut is no answer."""
    likely = json.dumps({"firing": [_LIKELY_TEXT] * n, "near_misses": [_LIKELY_TEXT] * n})
    call = Call(
        role=Role.EXPLAINER,
        prompt=load_prompt(PROMPT).render(claim=fenced("C", explanation), n=n),
        max_tokens=2 * n * _TOKENS_PER_TEXT + _SPARE_TOKENS,
        likely=likely,
        schema=schema_of(WrittenTexts),
    )

    def read(reply: ChatReply) -> UsableTexts | Unscored:
        answer = read_json(reply, WrittenTexts)
        return answer if isinstance(answer, Unscored) else usable_texts(answer, explanation, n)

    return await calls.ask(call, read)


def usable_texts(written: WrittenTexts, explanation: str, n: int) -> UsableTexts:
    """The first `n` usable texts of each kind; a text of both kinds counts as the first."""
    seen: set[str] = set()
    dropped: dict[str, int] = {}
    kept: list[tuple[str, ...]] = []
    label = _comparable(explanation)
    for texts in (written.firing, written.near_misses):
        fit: list[str] = []
        for text in map(_clean, texts):
            same = _comparable(text)
            problem = _problem(same, label, seen)
            if problem is not None:
                dropped[problem] = dropped.get(problem, 0) + 1
                continue
            seen.add(same)
            fit.append(text)
        kept.append(tuple(fit[:n]))
    return UsableTexts(kept[0], kept[1], dropped)


def _problem(text: str, label: str, seen: set[str]) -> str | None:
    if not text:
        return BLANK
    quotes = text in label or (len(label.split()) >= _QUOTED_WORDS and label in text)
    return QUOTES if quotes else REPEATED if text in seen else None


def _clean(text: str) -> str:
    """Without control and other invisible characters, and no longer than `LONGEST`."""
    spaced = (" " if c in "\n\r\t\u2028\u2029" else c for c in text)
    return "".join(c for c in spaced if unicodedata.category(c) not in ("Cc", "Cf", "Cs")).strip()[:LONGEST]


def _comparable(text: str) -> str:
    """Words alone, so that spacing, case and punctuation do not tell texts apart."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())
