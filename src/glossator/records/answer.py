"""Answers to requests: claims, each with the evidence that it cites."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from glossator.records.base import Record
from glossator.records.explanation import LlmSpending
from glossator.records.finding import Contradiction


class ClaimStanding(StrEnum):
    """What code made of a claim's citations."""

    SUPPORTED = "supported"
    """Every part that can be checked is in the evidence that it cites."""
    UNSUPPORTED = "unsupported"
    """It cites nothing that exists."""
    DOUBTFUL = "doubtful"
    """Its evidence exists but speaks of other features, or holds none of the numbers that it gives."""


class Claim(Record):
    """One statement of an answer."""

    text: str = Field(min_length=1)
    """In words."""
    evidence: tuple[str, ...] = ()
    """Ids that exist."""
    struck: tuple[str, ...] = ()
    """Ids that it cited and that do not exist; struck out by code."""
    standing: ClaimStanding
    """What its citations are worth."""
    remark: str = ""
    """Why it is not supported; empty where it is."""


class PlannerKind(StrEnum):
    """Who chooses tools."""

    NATIVE = "native"
    """A model through its own tool calls."""
    SCHEMA = "schema"
    """A model through actions in a JSON schema."""
    RULES = "rules"
    """Written rules; no model."""


class Answer(Record):
    """What a request came to."""

    investigation: str
    """Id of the investigation: `i-` and 12 hex digits."""
    request: str
    """What was asked."""
    claims: tuple[Claim, ...]
    """What is claimed, in order; empty where there is not enough evidence."""
    enough: bool
    """Whether the request could be answered; False says so, and `tried` says what was done."""
    tried: tuple[str, ...] = ()
    """Tools that were called, in words, in order."""
    left_out: tuple[str, ...] = ()
    """What was not looked at, and how to see it."""
    contradictions: tuple[Contradiction, ...] = ()
    """With stored findings."""
    planner: PlannerKind
    """Who chose the tools."""
    stopped: str = ""
    """The limit that ended it early; empty where none did."""
    spending: LlmSpending = Field(default_factory=LlmSpending)
    """What LLM calls cost."""
    seconds: float = Field(default=0.0, ge=0)
    """Wall time."""
