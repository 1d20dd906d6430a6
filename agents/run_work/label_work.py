"""Labels as the work of a labelling run with an LLM: many features side by side, so that no slot is idle.

A feature's measurements take turns on one thread, ahead of its questions; new features are taken up while
too few questions wait and that thread has nothing to do, so that what is prepared and not yet asked for
stays little.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from glossator.agents.llm_calls.budget import Charge
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_labelling import LlmLabeller, Way
from glossator.agents.run_work.item_work import WorkLoad
from glossator.agents.run_work.label_end import ended_with
from glossator.agents.run_work.run_admission import RunAdmission
from glossator.memory.run_workers import Amount
from glossator.memory.work_queue import Ended, Lease

SWITCH_SECONDS = 0.001
"""For `sys.setswitchinterval` of a process that does this work: the event loop, which keeps the slots busy,
must not wait for the measuring thread at every turn as long as Python usually has it wait."""
LEAST = 2
"""Features in work at once, at least."""
MOST = 48
"""And at most: what is shown and asked of a feature stays in memory while it is in work."""
QUESTIONS_PER_SLOT = 3.0
"""Questions in flight or waiting, under which more features are taken up."""
MEASURED_AHEAD = 3
"""Pieces of work on the measuring thread, from which on a further feature would only wait there."""


def load_of(calls: CallRoom) -> WorkLoad:
    """What a call room is doing."""
    load = calls.load
    return WorkLoad(load.limit, load.in_flight, load.waiting, load.busy_share, calls.outage)


class LabelWork:
    """An `ItemWork` whose items are labels that an LLM writes and reads."""

    def __init__(
        self,
        labeller: LlmLabeller,
        calls: CallRoom,
        ways: Sequence[Way],
        *,
        spent: Callable[[], Charge],
        admission: RunAdmission | None = None,
        most: int = MOST,
    ) -> None:
        """Nothing is asked yet.

        Args:
            labeller: labels one feature.
            calls: the room that it asks; closed with the labeller.
            ways: how, by the plan's variants.
            spent: what the room's budget has spent.
            admission: how many more features the budget pays; None without limits.
            most: features in work at once.
        """
        self._labeller, self._calls, self._ways = labeller, calls, tuple(ways)
        self._spent, self._admission, self._most = spent, admission, most
        self._opening: asyncio.Task[None] | None = None

    def wanted(self, in_work: int) -> int:
        """As many as keep the slots busy, the thread fed and the budget whole."""
        more = self._missing(in_work)
        if more <= 0 or self._admission is None:
            return more
        return min(more, self._admission.more(in_work))

    async def do(self, lease: Lease, variant: int) -> Ended:
        """Label one feature."""
        await self._opened()
        if self._admission is not None:
            self._admission.variant = variant
        made = await self._labeller.label_one(lease.feature.index, self._ways[variant])
        if self._admission is not None and made.card.spending is not None:
            self._admission.learn(variant, made.card.spending)
        return ended_with(lease, variant, made)

    def spent(self) -> Amount:
        """What the room's budget has spent."""
        return Amount(*self._spent())

    def cheaper_ratio(self) -> float | None:
        """What a feature costs in the plan's second way, as a share of the first; None where unknown."""
        return None if self._admission is None else self._admission.cheaper_ratio()

    def load(self) -> WorkLoad:
        """What the room is doing."""
        return load_of(self._calls)

    async def close(self) -> None:
        """Let go of connections and the measuring thread."""
        if self._opening is not None:
            self._opening.cancel()
            # What it has asked counts as spent only once it has heard of that.
            await asyncio.wait({self._opening})
        await self._labeller.close()

    def _missing(self, in_work: int) -> int:
        least = LEAST - in_work
        if self._calls.outage:  # somebody must ask, to find out when it is over
            return min(1, least)
        load, room = self._calls.load, self._most - in_work
        if load.in_flight + load.waiting >= QUESTIONS_PER_SLOT * load.limit:
            return 0
        return max(0, least, min(room, MEASURED_AHEAD - self._labeller.measuring))

    async def _opened(self) -> None:
        """Once for all features; again where that failed."""
        if self._opening is None or _failed(self._opening):
            self._opening = asyncio.ensure_future(self._labeller.open())
        await asyncio.shield(self._opening)


def _failed(task: asyncio.Task[None]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
