"""The form of every tool: typed arguments in, facts with evidence out.

A tool computes; it never asks a model (labelling aside, which does so through the call room). What it
returns are facts in words that code wrote, each with the id of the evidence that it stands on, and what
was left out. Texts of corpora and models inside facts are data: whoever shows them to a model fences them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from glossator.records import AnyEvidence, Finding, Record

A = TypeVar("A", bound=Record)


class Fact(NamedTuple):
    """One thing that a tool measured, in words that code wrote."""

    text: str
    """One line, such as `feature 812 fires on 0.4 % of tokens`."""
    evidence: str
    """Id of the evidence that it stands on."""
    features: tuple[int, ...] = ()
    """Features that it speaks of."""


class ToolResult(NamedTuple):
    """What a tool came to."""

    facts: tuple[Fact, ...]
    """Most important first."""
    evidence: tuple[AnyEvidence, ...]
    """To be stored before anything cites it; every fact's id is among them, or was stored before."""
    left_out: str = ""
    """What was not shown and how to see it, such as `14 more: page 2`; empty where all was shown."""
    findings: tuple[Finding, ...] = ()
    """What is worth remembering for later investigations."""


@dataclass(frozen=True)
class Tool(Generic[A]):
    """One tool of the catalogue.

    Raises from `run`: `ToolError` (and other `GlossatorError`s of the tool's own) go back to the planner as
    something to adapt to; `StorageError` and `BudgetSpent` end the investigation.
    """

    name: str
    """Lower case with `_`, such as `search_by_meaning`."""
    description: str
    """One or two sentences for the planner: what it answers and when to use it."""
    arguments: type[A]
    """A `Record`; field docstrings reach the model."""
    run: Callable[[A], Awaitable[ToolResult]]
    """Does it."""
    slow: bool = False
    """Takes more than a few seconds: steering, labelling, probes."""


AnyTool = Tool[Any]
Catalogue = dict[str, AnyTool]
"""Tools by name."""
