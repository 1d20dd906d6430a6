"""What a planner decides next: tools to call, or the answer; and the form in which models say so.

The form is flat, because small models fill flat forms best: one tool by name, its arguments as JSON text,
and fields for the answer that stay empty until `tool` is `answer`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

from pydantic import BaseModel, ConfigDict

from glossator.agents.llm_calls.chat import AnswerSchema

ANSWER = "answer"
"""The tool name that ends a request; no tool of the catalogue is called so."""


class CallTool(NamedTuple):
    """A call that a planner wants; nobody has checked it."""

    tool: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        given = ", ".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in self.arguments.items())
        return f"{self.tool}({given})"


class DraftClaim(NamedTuple):
    """A claim before its citations are checked."""

    text: str
    cited: tuple[str, ...]
    """Labels of facts (`F3`), of earlier claims (`K1`), or ids of evidence."""


class DraftAnswer(NamedTuple):
    """An answer before it is checked."""

    claims: tuple[DraftClaim, ...]
    enough: bool
    """Whether the planner thinks that the request is answered."""
    remarks: tuple[str, ...] = ()
    """What could not be done, and what would help."""


class Move(NamedTuple):
    """One decision: calls, in order, or the answer."""

    calls: tuple[CallTool, ...] = ()
    answer: DraftAnswer | None = None
    thought: str = ""


class NoMove(NamedTuple):
    """No decision that can be used, and why; it goes back to the planner as a fact."""

    reason: str


class _Tolerant(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CitedClaim(_Tolerant):
    """A claim as a model writes it."""

    text: str
    facts: tuple[str, ...] = ()


class NextAction(_Tolerant):
    """A planner model's reply."""

    thought: str = ""
    tool: str
    arguments: str = ""
    claims: tuple[CitedClaim, ...] = ()
    enough: bool = False

    def move(self) -> Move | NoMove:
        """The decision that the reply says."""
        if self.tool.strip().casefold() == ANSWER:
            return Move(answer=self.answer(), thought=self.thought)
        arguments = read_arguments(self.arguments)
        if arguments is None:
            return NoMove(f"the arguments of {self.tool} must be one JSON object in a text, such as {{}}")
        return Move((CallTool(self.tool.strip(), arguments),), thought=self.thought)

    def answer(self) -> DraftAnswer:
        """The answer that the reply gives."""
        return DraftAnswer(drafted((c.text, c.facts) for c in self.claims), self.enough)


def read_arguments(text: str) -> Mapping[str, Any] | None:
    """The object that `text` holds; empty text holds an empty one, anything else none."""
    try:
        value = json.loads(text.strip() or "{}", strict=False)
    except (ValueError, RecursionError):
        return None
    return cast(dict[str, Any], value) if isinstance(value, dict) else None


def action_schema(tools: Iterable[str]) -> AnswerSchema:
    """The form of a reply that may call one of `tools`, or answer."""
    text: Any = {"type": "string"}
    claim: Any = {
        "type": "object",
        "properties": {"text": text, "facts": {"type": "array", "items": text}},
        "required": ["text", "facts"],
        "additionalProperties": False,
    }
    fields: dict[str, Any] = {
        "thought": text,
        "tool": {"type": "string", "enum": [*tools, ANSWER]},
        "arguments": text,
        "claims": {"type": "array", "items": claim},
        "enough": {"type": "boolean"},
    }
    required = cast(Any, list(fields))
    whole: dict[str, Any] = {"type": "object", "properties": fields}
    return AnswerSchema("next_action", whole | {"required": required, "additionalProperties": False})


_CITATION = re.compile(r"\b(?:[FK]\d{1,4}|e-[0-9a-f]{4,12})\b")
_BRACKETS = re.compile(
    r"\s*[(\[](?:\s*(?:and|see|evidence|facts?)?[\s:,;]*(?:[FK]\d{1,4}|e-[0-9a-f]{4,12}))+\s*[)\]]"
)


def drafted(claims: Iterable[tuple[str, Iterable[str]]]) -> tuple[DraftClaim, ...]:
    """Claims with their citations, those in the text among them; brackets of citations leave the text."""
    drafts: list[DraftClaim] = []
    for text, facts in claims:
        said = [*(c for f in facts for c in _CITATION.findall(f) or [f.strip()]), *_CITATION.findall(text)]
        plain = _BRACKETS.sub("", text).strip()
        if plain:
            drafts.append(DraftClaim(plain, tuple(dict.fromkeys(c for c in said if c))))
    return tuple(drafts)


def prose_answer(text: str) -> DraftAnswer | None:
    """The answer that prose with citations gives, a claim a line; None where nothing is cited."""
    lines = (line.strip(" -*#\t") for line in text.splitlines())
    claims = [c for c in drafted((line, ()) for line in lines if line) if c.cited]
    return DraftAnswer(tuple(claims), enough=True) if claims else None
