"""What a planner knows when it decides: the request, the conversation, the tools, and what was gathered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from glossator.agents.orchestrator.action import CallTool
from glossator.agents.tools.tool import Catalogue, Fact, ToolResult
from glossator.records import Answer, Claim


class Gathered(NamedTuple):
    """One call and what came of it: a result, or an error that the planner adapts to."""

    call: CallTool | None
    """None where the planner's reply itself could not be used."""
    result: ToolResult | None
    error: str = ""
    """Empty where there is a result."""

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What it found; nothing where it failed."""
        return () if self.result is None else self.result.facts

    def in_words(self) -> str:
        """One line for people: the call and what it came to."""
        called = "a reply that could not be used" if self.call is None else str(self.call)
        if self.result is None:
            return f"{called}: {self.error}"
        n = len(self.result.facts)
        return f"{called}: {n} fact{'' if n == 1 else 's'}"


class Exchange(NamedTuple):
    """An earlier request of the conversation, in short."""

    request: str
    claims: tuple[Claim, ...]
    enough: bool

    @classmethod
    def of(cls, answer: Answer) -> Exchange:
        """What is carried on of an answer: what was asked and claimed, with its evidence."""
        return cls(answer.request, answer.claims, answer.enough)


@dataclass(frozen=True)
class Situation:
    """Everything that the next decision depends on."""

    request: str
    catalogue: Catalogue
    gathered: tuple[Gathered, ...] = ()
    """In order."""
    conversation: tuple[Exchange, ...] = ()
    """In order."""
    calls_left: int = 12
    """Tool calls that are still allowed; at 0 only an answer is."""

    def numbered_facts(self) -> dict[str, Fact]:
        """Every fact by the label under which planners see and cite it, such as F1."""
        facts = [fact for step in self.gathered for fact in step.facts]
        return {f"F{n}": fact for n, fact in enumerate(facts, 1)}

    def numbered_claims(self) -> dict[str, Claim]:
        """Claims of the conversation that have evidence, by label, such as K1."""
        claims = [c for exchange in self.conversation for c in exchange.claims if c.evidence]
        return {f"K{n}": claim for n, claim in enumerate(claims, 1)}

    def citable(self) -> Mapping[str, tuple[str, ...]]:
        """The evidence behind each label."""
        of_facts = {label: (fact.evidence,) for label, fact in self.numbered_facts().items()}
        return of_facts | {label: claim.evidence for label, claim in self.numbered_claims().items()}
