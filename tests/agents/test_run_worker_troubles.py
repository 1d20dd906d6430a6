"""Workers of labelling runs when the ledger cannot be written, the machine sleeps or the work breaks down."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from glossator.agents.run_work.stored_ends import StoragePatience
from glossator.agents.run_work.worker_end import WhyEnded
from glossator.errors import BusyError, CorruptFileError, EndpointError, StorageError
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger_tables import RunWorkerRow
from glossator.memory.work_queue import Ended, Lease, WorkQueue
from glossator.records import RunEventKind
from tests.agents.run_worker_fixtures import FAST, ScriptedWork, ready, worker
from tests.agents.test_run_worker import kinds, living_until, states, until
from tests.memory.run_fixtures import HandClock, opened, started_run


def test_a_full_disk_is_waited_for_with_what_was_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = threading.Event()
    end_as_usual = WorkQueue.end

    def end(queue: WorkQueue, ended: list[Ended]) -> list[bool]:
        if full.is_set():
            raise StorageError("the ledger cannot grow: disk is full")
        return end_as_usual(queue, ended)

    monkeypatch.setattr(WorkQueue, "end", end)
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 12)
        work = ScriptedWork(at_once=3)

        async def session() -> WhyEnded:
            full.set()
            working = asyncio.create_task(worker(ledger, run, work).work())
            await until(lambda: len(work.done) == 3)
            await asyncio.sleep(0.2)
            assert len(work.done) == 3, "nothing new is begun"
            full.clear()
            return (await working).why

        assert asyncio.run(session()) is WhyEnded.NOTHING_LEFT
        assert sorted(work.done) == list(range(12)), "nothing was computed again"
        assert states(ledger, run) == ["done"] * 12
        assert kinds(ledger, run).count(RunEventKind.TROUBLE) == 1


def test_a_disk_that_stays_full_ends_the_worker_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(queue: WorkQueue, ended: list[Ended]) -> list[bool]:
        raise StorageError("the ledger cannot grow: disk is full")

    monkeypatch.setattr(WorkQueue, "end", end)
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 12)
        result = asyncio.run(worker(ledger, run, ScriptedWork()).work())
        assert (result.why, result.features) == (WhyEnded.STORAGE, 0)
        assert states(ledger, run) == ["planned"] * 12


def test_answers_that_could_not_be_stored_are_asked_for_again(tmp_path: Path) -> None:
    failures = [StorageError("disk is full")] * 3

    async def script(lease: Lease) -> Ended:
        if failures:
            raise failures.pop()
        return ready(lease)

    with opened(tmp_path) as ledger:
        run = started_run(ledger, 5)
        end = asyncio.run(worker(ledger, run, ScriptedWork(script, at_once=2)).work())
        assert end.why is WhyEnded.NOTHING_LEFT
        assert states(ledger, run) == ["done"] * 5


def test_workers_that_slept_with_their_machine_are_not_taken_for_lost(tmp_path: Path) -> None:
    clock = HandClock()
    with opened(tmp_path) as ledger, opened(tmp_path) as other:
        run = started_run(ledger, 2)
        begun: list[int] = []

        def beaten() -> bool:
            rows = ledger.read_rows(select(RunWorkerRow.alive_until, RunWorkerRow.state))
            return all(r["alive_until"] > clock.seconds or r["state"] != "alive" for r in rows)

        async def script(lease: Lease) -> Ended:
            begun.append(lease.number)
            await until(lambda: len(begun) >= 2)
            clock.seconds = 9 * 3600.0  # eight hours later
            await asyncio.sleep(0.05)
            await until(beaten)
            return ready(lease)

        async def both() -> list[WhyEnded]:
            made = [worker(at, run, ScriptedWork(script, at_once=1), clock=clock) for at in (ledger, other)]
            return [end.why for end in await asyncio.gather(*(one.work() for one in made))]

        assert asyncio.run(both()) == [WhyEnded.NOTHING_LEFT] * 2
        assert RunEventKind.WORKER_LOST not in kinds(ledger, run)


def test_a_trouble_that_was_over_does_not_hide_why_the_worker_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, refused = WorkQueue.claim, list[str]()

    def once(queue: WorkQueue, name: str, n: int) -> list[Lease]:
        if not refused:
            refused.append(name)
            raise StorageError("the ledger cannot grow")
        return claim(queue, name, n)

    async def script(lease: Lease) -> Ended:
        raise EndpointError("no answer for 12 h")

    monkeypatch.setattr(WorkQueue, "claim", once)
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 3)
        asyncio.run(worker(ledger, run, ScriptedWork(script)).work())
        events = LabellingRunStore(ledger).events(run, RunEventKind.TROUBLE)
        assert [e.event.words for e in events] == ["the ledger cannot grow", "no answer for 12 h"]


def test_features_that_were_claimed_and_never_heard_of_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, lost = WorkQueue.claim, list[Lease]()

    def unheard(queue: WorkQueue, name: str, n: int) -> list[Lease]:
        claimed = claim(queue, name, n)
        if claimed and not lost:
            lost.extend(claimed)
            raise StorageError("the server closed the connection")
        return claimed

    monkeypatch.setattr(WorkQueue, "claim", unheard)
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 6)
        end = asyncio.run(asyncio.wait_for(worker(ledger, run, ScriptedWork()).work(), 30.0))
        assert (end.why, end.features) == (WhyEnded.NOTHING_LEFT, 6)
        assert lost


def test_an_end_that_was_stored_and_never_heard_of_is_not_taken_for_a_lost_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, unheard = WorkQueue.end, list[Ended]()

    def end(queue: WorkQueue, ended: Sequence[Ended]) -> list[bool]:
        stored = store(queue, ended)
        if not unheard:
            unheard.extend(ended)
            raise StorageError("the server closed the connection")
        return stored

    monkeypatch.setattr(WorkQueue, "end", end)
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 6)
        ended = asyncio.run(worker(ledger, run, ScriptedWork()).work())
        assert (ended.why, ended.features) == (WhyEnded.NOTHING_LEFT, 6)


def test_work_that_cannot_be_closed_keeps_no_lease(tmp_path: Path) -> None:
    class Stuck(ScriptedWork):
        async def close(self) -> None:
            raise OSError("bad file descriptor")

    with opened(tmp_path) as ledger:
        run = started_run(ledger, 2)
        with pytest.raises(OSError, match="bad file"):
            asyncio.run(worker(ledger, run, Stuck()).work())
        assert kinds(ledger, run)[-1] is RunEventKind.WORKER_ENDED


def test_a_worker_lives_while_it_closes_its_work(tmp_path: Path) -> None:
    class Slow(ScriptedWork):
        async def close(self) -> None:
            before = living_until(ledger)
            await asyncio.wait_for(until(lambda: living_until(ledger) > before + 1.0), 30.0)

    with opened(tmp_path) as ledger:
        run = started_run(ledger, 2)
        assert asyncio.run(worker(ledger, run, Slow()).work()).why is WhyEnded.NOTHING_LEFT


def test_who_is_asked_to_end_does_not_wait_for_a_disk_as_long_as_the_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()

    def full(queue: WorkQueue, ended: Sequence[Ended]) -> list[bool]:
        stop.set()
        raise StorageError("the ledger cannot grow")

    monkeypatch.setattr(WorkQueue, "end", full)
    patience = StoragePatience(total=600.0, first_wait=0.05, longest_wait=300.0, at_the_end=0.1)
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 3)
        patient = worker(ledger, run, ScriptedWork(), stop=stop, times=replace(FAST, storage=patience))
        end = asyncio.run(asyncio.wait_for(patient.work(), 30.0))
        assert (end.why, states(ledger, run)) == (WhyEnded.STOPPED, ["planned"] * 3)


def test_while_another_holds_the_ledger_ends_are_not_tried_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at: list[float] = []
    store = WorkQueue.end

    def end(queue: WorkQueue, ended: Sequence[Ended]) -> list[bool]:
        if at or len(ended) > 1:
            at.append(time.monotonic())
        if len(at) == 1:
            raise BusyError("the ledger stayed locked for 60 s")
        time.sleep(0.0 if at else 0.3)  # the others gather meanwhile
        return store(queue, ended)

    monkeypatch.setattr(WorkQueue, "end", end)
    patience = StoragePatience(total=60.0, first_wait=0.5, longest_wait=0.5)
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 4)
        ended = asyncio.run(worker(ledger, run, ScriptedWork(), times=replace(FAST, storage=patience)).work())
        assert ended.features == 4
    assert at[1] - at[0] > 0.4


def test_a_damaged_ledger_is_not_waited_for(tmp_path: Path) -> None:
    async def script(lease: Lease) -> Ended:
        raise CorruptFileError("the ledger is damaged: put back a copy of it")

    with opened(tmp_path) as ledger:
        run = started_run(ledger, 3)
        patient = replace(FAST, storage=StoragePatience(total=600.0, first_wait=300.0))
        end = asyncio.run(
            asyncio.wait_for(worker(ledger, run, ScriptedWork(script), times=patient).work(), 30.0)
        )
        assert (end.why, states(ledger, run)) == (WhyEnded.STORAGE, ["planned"] * 3)
        assert "put back a copy" in end.words
