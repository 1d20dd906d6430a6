"""Work on features that a test scripts, and workers that look around fast."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from glossator.agents.run_work.item_work import WorkLoad
from glossator.agents.run_work.stored_ends import StoragePatience
from glossator.agents.run_work.worker import RunWorker, WorkerTimes
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import Amount
from glossator.memory.work_queue import Ended, Lease
from glossator.records import ItemState
from tests.memory.test_ledger import card

# Beats write: if many came at once, they would hold a ledger on a slow disk nearly all the time.
FAST = WorkerTimes(
    beat=0.1, look=0.01, tick=0.005, storage=StoragePatience(total=2.0, first_wait=0.02, longest_wait=0.05)
)
Script = Callable[[Lease], Awaitable[Ended]]


def ready(lease: Lease, variant: int = 0) -> Ended:
    """The end of a feature whose card was there all along."""
    made, evidence = card(lease.feature.index)
    return Ended(
        lease, ItemState.DONE, made, evidence, variant=variant, value=0.8, verdict=made.verdict.kind.value
    )


class ScriptedWork:
    """Does each feature by a script; several at once."""

    def __init__(self, script: Script | None = None, at_once: int = 4) -> None:
        self._script, self._at_once = script, at_once
        self.done: list[int] = []
        self.variants: list[int] = []
        self.most_in_work = self.in_work = 0
        self.closed = 0

    def wanted(self, in_work: int) -> int:
        return self._at_once - in_work

    async def do(self, lease: Lease, variant: int) -> Ended:
        self.in_work += 1
        self.most_in_work = max(self.most_in_work, self.in_work)
        try:
            await asyncio.sleep(0)
            ended = ready(lease, variant) if self._script is None else await self._script(lease)
        finally:
            self.in_work -= 1
        self.done.append(lease.feature.index)
        self.variants.append(variant)
        return ended

    def spent(self) -> Amount:
        return Amount(calls=len(self.done))

    def load(self) -> WorkLoad:
        return WorkLoad(slots=4, in_flight=self.in_work, busy_share=0.5)

    async def close(self) -> None:
        self.closed += 1


def worker(ledger: Ledger, run: str, work: ScriptedWork, **changes: object) -> RunWorker:
    kept: dict[str, object] = {"times": FAST, "host": "here", "process": 1}
    return RunWorker(LabellingRunStore(ledger), run, work, **(kept | changes))  # pyright: ignore[reportArgumentType]
