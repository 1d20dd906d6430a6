"""The seam between the loop and whoever chooses tools."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from glossator.agents.orchestrator.action import Move, NoMove
from glossator.agents.orchestrator.situation import Situation
from glossator.agents.trace.trace import StepTrace
from glossator.records import PlannerKind


@runtime_checkable
class Planner(Protocol):
    """Chooses the next tool, or answers. The same situation always gets the same decision, so a request
    that is run again goes the same way."""

    @property
    def kind(self) -> PlannerKind:
        """What chooses."""
        ...

    async def decide(self, situation: Situation, events: StepTrace) -> Move | NoMove:
        """The next move.

        Args:
            situation: what is known.
            events: where prompts and replies are written down.

        Raises:
            BudgetSpent: asking could exceed the budget.
            EndpointError, ModelAccessError, StorageError: nothing can be asked.

        """
        ...
