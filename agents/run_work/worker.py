"""A worker of a labelling run: holds features of the queue, has them done side by side, and stores them.

It beats while it lives, obeys the run's events, and ends in order: nothing new is begun, what is in work is
finished. What it cannot finish goes back to the queue. One that was taken for lost drops everything at once,
because others are at its features already.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from pydantic import JsonValue

from glossator.agents.run_work.heartbeat import Heartbeat
from glossator.agents.run_work.item_work import ItemWork
from glossator.agents.run_work.orders import Orders, read_orders
from glossator.agents.run_work.projection import CheaperRatio, Projecting
from glossator.agents.run_work.stored_ends import StoragePatience, StoredEnds
from glossator.agents.run_work.worker_end import Halt, WhyEnded, WorkerEnd
from glossator.errors import (
    BudgetError,
    BudgetSpent,
    EndpointError,
    LeaseLost,
    ModelAccessError,
    StorageError,
)
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.lease_clock import LeaseClock
from glossator.memory.run_workers import LEASE_SECONDS, RunWorkers
from glossator.memory.work_queue import Ended, Lease, WorkQueue
from glossator.records import ItemState, RunEvent, RunEventKind, WorkerLoad

_log = logging.getLogger(__name__)
_NOTED = {
    WhyEnded.BUDGET_SPENT: RunEventKind.BUDGET_SPENT,
    WhyEnded.TIME_UP: RunEventKind.TIME_UP,
    WhyEnded.NOTHING_LEFT: RunEventKind.FINISHED,
    WhyEnded.ENDPOINT: RunEventKind.TROUBLE,
    WhyEnded.MODEL: RunEventKind.TROUBLE,
}


_DROPPING = (WhyEnded.LOST, WhyEnded.STORAGE, WhyEnded.ENDPOINT, WhyEnded.MODEL)
"""What is in work would fare no better: it goes back to the queue at once."""


def _heard(projection: asyncio.Future[None]) -> None:
    if not projection.cancelled() and (error := projection.exception()) is not None:
        _log.warning("the run could not be projected: %s", error)


def _wall() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class WorkerTimes:
    """How often a worker does what. Times in seconds."""

    lease: float = LEASE_SECONDS
    """Until it counts as lost after a beat."""
    beat: float = 5.0
    look: float = 1.0
    """Between two looks at the run's events, and at a queue that had nothing."""
    project: float = 5.0
    """Between two looks at what features have cost, until that is projected."""
    tick: float = 0.1
    """Between two questions to the work whether it wants more, where nothing ends meanwhile."""
    storage: StoragePatience = field(default_factory=StoragePatience)


class RunWorker:
    """Works on one run until there is a reason to end. For one event loop.

    Args:
        runs: the ledger's runs.
        run: which of them.
        work: what is done with a feature; it is closed at the end.
        host: this machine's name, as messages give it.
        process: this process's id.
        worker: the id of a worker that has begun already; begun here where None.
        clock: of leases; the ledger's where None.
        times: how often what is done.
        wall: the time of day that `until` is compared with.
        stop: set from outside to end in order.
        gone: which workers of this run cannot be running any more.
        waits_paused: stay while the run is paused, ready to go on; else end.
        cheaper: what a feature costs in the plan's cheaper way; None where that is not known.

    """

    def __init__(
        self,
        runs: LabellingRunStore,
        run: str,
        work: ItemWork,
        *,
        host: str = "",
        process: int = 0,
        worker: str | None = None,
        clock: LeaseClock | None = None,
        times: WorkerTimes | None = None,
        wall: Callable[[], datetime] = _wall,
        stop: threading.Event | None = None,
        gone: Callable[[str, int], bool] = lambda host, process: False,
        waits_paused: bool = True,
        cheaper: CheaperRatio | None = None,
    ) -> None:
        self._runs, self._run, self._work = runs, run, work
        self._host, self._process = host or socket.gethostname(), process or os.getpid()
        self._queue = WorkQueue(runs.ledger, run, clock)
        self._times, self._wall, self._stop = times or WorkerTimes(), wall, stop
        beaten = RunWorkers(runs.ledger, run, clock)
        self._heart = Heartbeat(beaten, every=self._times.beat, lease=self._times.lease, gone=gone)
        self._waits_paused, self.worker = waits_paused, worker or ""
        self._ends = StoredEnds(self._queue, self._times.storage, self._storage_trouble)
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._orders: Orders | None = None
        self._halt: Halt | None = None
        self._projecting = Projecting(runs, run, cheaper)
        self._projection: asyncio.Future[None] | None = None
        self._looked = self._empty_until = self._projected = float("-inf")
        self._notes: set[asyncio.Future[bool]] = set()
        self._features = 0
        self._may_hold_more = False
        """A claim failed, and perhaps on the way back: then the ledger says that this worker holds more."""

    async def work(self) -> WorkerEnd:
        """Work until there is a reason to end; whatever it is, leases and grants are given back."""
        self.worker = self.worker or await self._heart.begin(self._host, self._process)
        on_lost = partial(self._end, WhyEnded.LOST)
        beats = asyncio.create_task(self._heart.beat_on(self._work.spent, self._load, on_lost))
        try:
            await self._work_on()
        finally:
            await self._drop_tasks()
            await self._leave(beats)
        halt = self._halt or Halt(WhyEnded.STOPPED)
        return WorkerEnd(halt.why, self._features, self._work.spent(), halt.words)

    async def _work_on(self) -> None:
        while True:
            await self._look()
            if self._halt is not None and (not self._tasks or self._would_wait_in_vain(self._halt)):
                return
            if self._may_begin():
                await self._begin_more()
            self._changed.clear()
            if self._halt is None or self._tasks:
                await self._wait()

    def _would_wait_in_vain(self, halt: Halt) -> bool:
        """What is in work would fare no better, or waits for an endpoint or a ledger that is away."""
        waits = bool(self._work.load().outage) or self._ends.is_waited_for_enough
        return halt.why in _DROPPING or waits

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._times.tick):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _look(self) -> None:
        """Read the run's orders, now and then."""
        now = time.monotonic()
        if self._stop is not None and self._stop.is_set():
            self._end(WhyEnded.STOPPED, "this process was asked to end")
        if now - self._looked < self._times.look:
            return
        self._looked = now
        try:
            self._orders = orders = await asyncio.to_thread(read_orders, self._runs, self._run)
        except StorageError as error:
            _log.warning("the run's orders cannot be read: %s", error)
            return
        self._project(orders)
        if orders.halt is not None:
            self._end(*orders.halt)
        elif orders.is_time_up(self._wall()):
            await self._end_run(WhyEnded.TIME_UP, f"the time ordered ({orders.plan.until}) is over")
        elif orders.paused and not self._waits_paused:
            self._end(WhyEnded.PAUSED)

    def _project(self, orders: Orders) -> None:
        """Beside the work, now and then; what comes of it is read with the orders."""
        if time.monotonic() - self._projected < self._times.project or self._stores_projection():
            return
        self._projected = time.monotonic()
        look = asyncio.to_thread(self._projecting.look, orders.plan, self.worker)
        self._projection = asyncio.ensure_future(look)
        self._projection.add_done_callback(_heard)

    def _stores_projection(self) -> bool:
        return self._projection is not None and not self._projection.done()

    def _may_begin(self) -> bool:
        orders = self._orders
        begins = orders is not None and not orders.paused and self._halt is None
        return begins and not self._ends.in_trouble and time.monotonic() >= self._empty_until

    async def _begin_more(self) -> None:
        """Take up as many features as the work wants."""
        try:
            wanted = self._work.wanted(len(self._tasks))
        except (BudgetSpent, BudgetError) as error:
            await self._end_run(WhyEnded.BUDGET_SPENT, str(error))
            return
        leases = await self._claimed(wanted) if wanted > 0 else []
        variant = self._orders.variant if self._orders is not None else 0
        for lease in leases:
            task = asyncio.create_task(self._do_and_store(lease, variant))
            self._tasks.add(task)
            task.add_done_callback(self._finished)
        if len(leases) < wanted or not (wanted or self._tasks):
            self._empty_until = time.monotonic() + self._times.look
            await self._end_if_nothing_left()

    async def _claimed(self, wanted: int) -> list[Lease]:
        try:
            return await asyncio.to_thread(self._queue.claim, self.worker, wanted)
        except LeaseLost as error:
            self._end(WhyEnded.LOST, str(error))
        except StorageError as error:
            self._may_hold_more = True
            await self._storage_trouble(error)
        return []

    async def _end_if_nothing_left(self) -> None:
        """Others may hold the last features; they may be lost, and then it is up to this worker."""
        if self._tasks or self._halt is not None:
            return
        try:
            if self._may_hold_more:
                await asyncio.to_thread(self._queue.let_go, self.worker)
                self._may_hold_more = False
            counts = await asyncio.to_thread(self._queue.counts)
        except StorageError as error:
            _log.warning("the queue cannot be read: %s", error)
            return
        if counts.left == 0:
            words = f"nothing is left: {counts.done} done, {counts.failed} failed, {counts.skipped} skipped"
            await self._end_run(WhyEnded.NOTHING_LEFT, words)

    async def _do_and_store(self, lease: Lease, variant: int) -> None:
        began = time.monotonic()
        try:
            ended = await self._done(lease, variant)
            over = ended.state is not ItemState.PLANNED
            seconds = ended.seconds if ended.seconds is not None else time.monotonic() - began
            held = await self._ends.store(ended._replace(seconds=seconds if over else None))
        except LeaseLost as error:
            self._end(WhyEnded.LOST, str(error))
        except StorageError as error:
            self._end(WhyEnded.STORAGE, str(error))
        else:
            self._features += held and over
            if not held:
                self._end(WhyEnded.LOST, f"{self.worker} no longer holds {lease.feature}")

    async def _done(self, lease: Lease, variant: int) -> Ended:
        """What became of one feature, whatever its work raises."""
        given_back = Ended(lease, ItemState.PLANNED)
        try:
            return await self._done_patiently(lease, variant)
        except (BudgetSpent, BudgetError) as error:
            await self._end_run(WhyEnded.BUDGET_SPENT, str(error))
        except EndpointError as error:
            await self._end_run(WhyEnded.ENDPOINT, str(error))
        except ModelAccessError as error:
            await self._end_run(WhyEnded.MODEL, str(error))
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 whatever one feature runs into, the others go on
            reason = f"{type(error).__name__}: {error}"
            _log.warning("feature %s failed: %s", lease.feature, reason)
            _log.debug("feature %s failed", lease.feature, exc_info=True)
            return Ended(lease, ItemState.FAILED, variant=variant, reason=reason)
        return given_back

    async def _done_patiently(self, lease: Lease, variant: int) -> Ended:
        """Done again from the answers in the ledger where that could not be written meanwhile."""
        made: list[Ended] = []

        async def do() -> bool:
            made.append(await self._work.do(lease, variant))
            return True

        await self._ends.patiently(do)
        return made[-1]

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a worker's task failed", exc_info=error)
            self._end(WhyEnded.STOPPED, f"{type(error).__name__}: {error}")
        self._changed.set()

    def _end(self, why: WhyEnded, words: str = "") -> None:
        """Begin nothing new; the first reason counts, but being lost above all."""
        if self._halt is None or (why is WhyEnded.LOST and self._halt.why is not WhyEnded.LOST):
            self._halt = Halt(why, words)
        self._changed.set()

    async def _end_run(self, why: WhyEnded, words: str) -> None:
        """End for a reason that concerns all workers, and say so in the run's events."""
        if self._halt is not None:
            return
        self._end(why, words)
        await self._note_once(_NOTED[why], words, why)

    async def _note_once(self, kind: RunEventKind, words: str, about: WhyEnded) -> None:
        payload: dict[str, JsonValue] = {"about": about.value} if kind is RunEventKind.TROUBLE else {}
        event = RunEvent(kind=kind, words=words, worker=self.worker, payload=payload)
        note = asyncio.ensure_future(asyncio.to_thread(self._runs.note_once, self._run, event))
        self._notes.add(note)
        try:
            # The task that says so is dropped when the worker ends, perhaps before a thread takes this up.
            await asyncio.shield(note)
        except StorageError as error:
            _log.warning("%s could not be noted: %s", kind.value, error)

    async def _storage_trouble(self, error: StorageError) -> None:
        _log.warning("the ledger cannot be written: %s", error)
        self._empty_until = time.monotonic() + self._times.look
        await self._note_once(RunEventKind.TROUBLE, str(error), WhyEnded.STORAGE)

    def _load(self) -> WorkerLoad:
        load = self._work.load()
        return WorkerLoad(
            worker=self.worker, host=self._host, process=self._process, alive=True,
            in_work=len(self._tasks), slots=load.slots, in_flight=load.in_flight,
            busy_share=load.busy_share, outage=load.outage,
        )  # fmt: skip

    async def _drop_tasks(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _leave(self, beats: asyncio.Task[None]) -> None:
        """Close the work and give back what is held; what cannot be written runs out by itself."""
        try:
            if pending := {*self._notes, *([self._projection] if self._projection is not None else [])}:
                await asyncio.wait(pending)
            for step in (self._ends.close, self._work.close):
                try:
                    await step()
                except StorageError as error:
                    _log.warning("at the end: %s", error)
        finally:  # whatever else goes wrong, and alive until then: closing may take long
            beats.cancel()
            why = self._halt.why.value if self._halt is not None else ""
            await self._heart.end(self.worker, self._work.spent(), why)
