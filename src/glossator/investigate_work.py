"""Investigations as the work of a labelling run: each feature by experiments instead of one explanation.

An investigation stores its own trace, card and evidence as it goes; the run notes which one it was. One that
was begun by a worker that was killed is gone on with by whoever leases the feature next.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from glossator.agent_calls import AgentModels
from glossator.agents.run_work.item_work import WorkLoad
from glossator.errors import BudgetError, BusyError, ModelAccessError, ToolError, UserError
from glossator.investigation_run import FeatureInvestigations, Investigated
from glossator.memory.card_rows import id_of_card
from glossator.memory.run_workers import Amount
from glossator.memory.work_queue import Ended, Lease
from glossator.records import ItemState
from glossator.report.headline import headline
from glossator.session import Session

if TYPE_CHECKING:
    from glossator.agents.llm_calls.call_room import CallRoom
else:
    CallRoom = Any

SIDE_BY_SIDE = 4
"""Features in work at once where a model is asked; their measurements take turns on one thread anyway."""
_BUSY_SECONDS = 5.0


class InvestigateWork:
    """An `ItemWork` whose items are investigations. Close it when done."""

    def __init__(
        self,
        session: Session,
        models: AgentModels,
        calls: CallRoom | None,
        *,
        spent: Callable[[], Amount] = Amount,
        load: Callable[[], WorkLoad] = WorkLoad,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            session: settings made into things.
            models: who proposes and reads.
            calls: the run's call room, closed by whoever opened it; None without models.
            spent: what the room's budget has spent.
            load: what the room is doing.
        """
        self._session, self._calls, self._spent, self._load = session, calls, spent, load
        self._investigations = FeatureInvestigations(session, models, calls=lambda _: calls)

    def wanted(self, in_work: int) -> int:
        """Few at a time: without a model one investigation keeps the measuring thread busy."""
        return max(0, (1 if self._calls is None else SIDE_BY_SIDE) - in_work)

    async def do(self, lease: Lease, variant: int) -> Ended:
        """Investigate one feature, or go on where it was left."""
        begun = time.monotonic()
        try:
            if self._calls is None:
                ended = self._ended(lease, await self._investigations.investigate(lease.feature.index))
            else:
                with self._calls.meter() as meter:
                    found = await self._investigations.investigate(lease.feature.index)
                ended = self._ended(lease, found)._replace(spending=meter.spending)
        except BusyError:  # another process of this machine is at it; it is asked again later
            await asyncio.sleep(_BUSY_SECONDS)
            return Ended(lease, ItemState.PLANNED)
        except (ModelAccessError, BudgetError):
            raise
        except (UserError, ToolError) as error:
            return Ended(lease, ItemState.FAILED, reason=str(error))
        return ended._replace(variant=variant, seconds=time.monotonic() - begun)

    def spent(self) -> Amount:
        """What the room's budget has spent."""
        return self._spent()

    def load(self) -> WorkLoad:
        """What the room is doing."""
        return self._load()

    async def close(self) -> None:
        """Let go of the measuring thread."""
        self._investigations.close()

    def _ended(self, lease: Lease, found: Investigated) -> Ended:
        card = self._session.ledger().latest_card(lease.feature)
        best = None if card is None else headline(card)
        shown = None if best is None else best.detection_random or best.f1
        return Ended(
            lease,
            ItemState.DONE,
            card_id=None if card is None else id_of_card(card),
            investigation=found.id,
            value=None if shown is None else shown.value,
            verdict=found.result.verdict.kind.value,
        )
