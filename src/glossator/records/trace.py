"""What happened in an investigation, event by event."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, JsonValue

from glossator.records.base import Record
from glossator.records.explanation import LlmSpending


class TraceKind(StrEnum):
    """What an event says."""

    STARTED = "started"
    """With the request or feature, and the settings."""
    NODE = "node"
    """A step of the graph begins."""
    PROMPT = "prompt"
    """What was said to a model: the prompt file's reference and the turns. Never a scorer's, whose
    prompts hold sealed text: those are counted in the step's spending alone."""
    REPLY = "reply"
    """What the model answered, or why nothing usable came."""
    HYPOTHESIS = "hypothesis"
    """A hypothesis enters."""
    TOOL_CALL = "tool_call"
    """A tool with its arguments; `expectation` among them where it is an experiment."""
    TOOL_RESULT = "tool_result"
    """What it came to, with the ids of its evidence."""
    TOOL_ERROR = "tool_error"
    """What it said instead; handed back to whoever called it."""
    BELIEF = "belief"
    """Beliefs after an experiment."""
    CLAIM = "claim"
    """A claim of an answer, with its standing."""
    VERDICT = "verdict"
    """The decision about a feature."""
    LIMIT = "limit"
    """A limit that was reached."""
    FINISHED = "finished"
    """The result; nothing follows."""
    FAILED = "failed"
    """An error that ended this process; the investigation can be resumed."""


class TraceEvent(Record):
    """One event. A step that is run again after a kill gives the same events the same numbers."""

    step: str
    """The step that it belongs to, such as `experiment-2`; unique within the investigation."""
    number: int = Field(ge=0)
    """Its place within the step."""
    kind: TraceKind
    """What it says."""
    words: str
    """One line for people."""
    payload: JsonValue = None
    """The whole of it, for programs."""
    evidence: tuple[str, ...] = ()
    """Ids of evidence that it speaks of."""
    spent: LlmSpending | None = None
    """What it cost; None where nothing was asked."""


class StoredEvent(Record):
    """An event as the ledger holds it."""

    seq: int
    """Ascending over the whole ledger."""
    at: str
    """When, ISO 8601 in UTC."""
    event: TraceEvent
    """What happened."""
