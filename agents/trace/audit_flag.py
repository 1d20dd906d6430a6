"""What an audit of a trace may find."""

from __future__ import annotations

from enum import StrEnum

from glossator.records import Record, TraceEvent


class AuditKind(StrEnum):
    """What is wrong."""

    UNSUPPORTED_CLAIM = "unsupported claim"
    """No tool result of this trace and no evidence in the ledger stands behind it."""
    CHERRY_PICKED = "cherry-picked windows"
    """It rests on the strongest windows alone, and weaker ones were never looked at."""
    ONE_SIDED = "one-sided experiments"
    """Only texts that should fire were tried; none that should not."""
    IGNORED_OUTCOME = "ignored outcome"
    """An experiment went against a hypothesis, and nothing followed."""
    FAILED_LEADER = "failed leader accepted"
    """The accepted claim got most of its own predictions wrong."""
    UNTESTED_BELIEF = "belief without experiment"
    """A belief changed although nothing was measured in between."""
    UNANSWERED_PROMPT = "prompt without reply"
    """A model was asked, and nothing says what came back."""
    AFTER_THE_END = "steps after the end"
    """Something follows the result."""
    REPEATED_FAILURE = "repeated failures"
    """The same tool failed again and again."""


class AuditFlag(Record):
    """One thing to look at."""

    kind: AuditKind
    """What is wrong."""
    words: str
    """What was seen, in one line."""
    step: str
    """Where."""


def flagged(kind: AuditKind, words: str, event: TraceEvent) -> AuditFlag:
    """A flag at the step of `event`."""
    return AuditFlag(kind=kind, words=words, step=event.step)
