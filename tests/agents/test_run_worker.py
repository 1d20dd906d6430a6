"""Workers of labelling runs, over real ledgers, doing what a script says."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from glossator.agents.run_work.stored_ends import StoragePatience
from glossator.agents.run_work.worker_end import WhyEnded
from glossator.errors import BudgetSpent, BusyError, CorruptFileError, EndpointError, StorageError
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import RunWorkerRow
from glossator.memory.run_workers import Amount, RunWorkers
from glossator.memory.work_queue import Ended, Lease, WorkQueue
from glossator.records import ItemState, RunEvent, RunEventKind, RunState
from tests.agents.run_worker_fixtures import FAST, ScriptedWork, ready, worker
from tests.memory.run_fixtures import HandClock, opened, started_run


def kinds(ledger: Ledger, run: str) -> list[RunEventKind]:
    return [s.event.kind for s in LabellingRunStore(ledger).events(run)]


def states(ledger: Ledger, run: str) -> list[str]:
    return [i.state.value for i in WorkQueue(ledger, run).items()]


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await asyncio.sleep(0.01)


def living_until(ledger: Ledger) -> float:
    return ledger.read_rows(select(RunWorkerRow.alive_until))[0]["alive_until"]


def note(ledger: Ledger, run: str, kind: RunEventKind, **payload: object) -> None:
    event = RunEvent.model_validate({"kind": kind, "words": "as asked", "payload": payload})
    LabellingRunStore(ledger).note(run, event)


def test_a_run_is_worked_to_its_end(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 10)
        work = ScriptedWork()
        end = asyncio.run(worker(ledger, run, work).work())
        assert (end.why, end.features, end.spent) == (WhyEnded.NOTHING_LEFT, 10, Amount(calls=10))
        assert states(ledger, run) == ["done"] * 10
        assert sorted(work.done) == list(range(10))
        assert 1 < work.most_in_work <= 4
        assert work.closed == 1
        assert len(ledger.items_done("w-full")) == 10
        assert kinds(ledger, run)[1:] == [
            RunEventKind.WORKER_STARTED, RunEventKind.FINISHED, RunEventKind.WORKER_ENDED
        ]  # fmt: skip
        assert RunWorkers(ledger, run).spending().calls == 10
        items = list(WorkQueue(ledger, run).items())
        assert all(i.card is not None and i.seconds is not None for i in items)


def test_two_workers_share_a_run_and_do_nothing_twice(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger, opened(tmp_path) as other:
        run = started_run(ledger, 40)

        async def script(lease: Lease) -> Ended:
            await until(lambda: bool(one.in_work or one.done) and bool(two.in_work or two.done))
            return ready(lease)

        one, two = ScriptedWork(script), ScriptedWork(script)

        async def both() -> list[WhyEnded]:
            ends = await asyncio.gather(worker(ledger, run, one).work(), worker(other, run, two).work())
            return [end.why for end in ends]

        assert asyncio.run(both()) == [WhyEnded.NOTHING_LEFT] * 2
        assert sorted([*one.done, *two.done]) == list(range(40))
        assert one.done
        assert two.done


def test_one_bad_feature_fails_and_the_others_go_on(tmp_path: Path) -> None:
    async def script(lease: Lease) -> Ended:
        if lease.feature.index == 3:
            raise ZeroDivisionError("no tokens")
        return ready(lease)

    with opened(tmp_path) as ledger:
        run = started_run(ledger, 6)
        end = asyncio.run(worker(ledger, run, ScriptedWork(script)).work())
        assert end.why is WhyEnded.NOTHING_LEFT
        failed = [i for i in WorkQueue(ledger, run).items() if i.state is ItemState.FAILED]
        assert [(i.feature.index, i.reason, i.retryable) for i in failed] == [
            (3, "ZeroDivisionError: no tokens", False)
        ]


def test_a_card_that_no_ledger_takes_fails_alone(tmp_path: Path) -> None:
    async def script(lease: Lease) -> Ended:
        ended = ready(lease)
        assert ended.card is not None
        if lease.feature.index == 1:
            return ended._replace(card=ended.card.model_copy(update={"density": float("nan")}))
        return ended

    with opened(tmp_path) as ledger:
        run = started_run(ledger, 4)
        end = asyncio.run(worker(ledger, run, ScriptedWork(script)).work())
        assert end.why is WhyEnded.NOTHING_LEFT
        assert states(ledger, run) == ["done", "failed", "done", "done"]


def test_a_spent_budget_gives_back_what_it_does_not_pay(tmp_path: Path) -> None:
    async def script(lease: Lease) -> Ended:
        if lease.feature.index >= 5:
            raise BudgetSpent("the budget is spent")
        return ready(lease)

    with opened(tmp_path) as ledger:
        run = started_run(ledger, 12)
        end = asyncio.run(worker(ledger, run, ScriptedWork(script)).work())
        assert (end.why, end.features) == (WhyEnded.BUDGET_SPENT, 5)
        assert states(ledger, run) == ["done"] * 5 + ["planned"] * 7
        assert LabellingRunStore(ledger).state(run) is RunState.STOPPED
        assert kinds(ledger, run).count(RunEventKind.BUDGET_SPENT) == 1


def test_work_that_wants_no_more_for_want_of_budget_ends_the_run(tmp_path: Path) -> None:
    class Poor(ScriptedWork):
        def wanted(self, in_work: int) -> int:
            if len(self.done) + in_work >= 3:
                if in_work == 0:
                    raise BudgetSpent("it would not pay for another feature")
                return 0
            return 1

    with opened(tmp_path) as ledger:
        run = started_run(ledger, 6)
        end = asyncio.run(worker(ledger, run, Poor()).work())
        assert (end.why, end.features) == (WhyEnded.BUDGET_SPENT, 3)
        assert states(ledger, run) == ["done"] * 3 + ["planned"] * 3


def test_an_endpoint_that_is_gone_for_good_ends_the_worker_in_order(tmp_path: Path) -> None:
    async def script(lease: Lease) -> Ended:
        if lease.feature.index == 1:
            raise EndpointError("no answer for 12 h")
        if lease.feature.index > 1:
            await asyncio.sleep(60)
        return ready(lease)

    with opened(tmp_path) as ledger:
        run = started_run(ledger, 6)
        end = asyncio.run(worker(ledger, run, ScriptedWork(script)).work())
        assert end.why is WhyEnded.ENDPOINT
        assert "12 h" in end.words
        assert states(ledger, run)[1:] == ["planned"] * 5
        assert RunEventKind.TROUBLE in kinds(ledger, run)


def test_why_a_worker_ended_is_noted_before_it_leaves_however_slow_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(lease: Lease) -> Ended:
        raise EndpointError("no answer for 12 h")

    note_once = LabellingRunStore.note_once

    def slow(store: LabellingRunStore, run: str, event: RunEvent) -> bool:
        time.sleep(0.3)
        return note_once(store, run, event)

    monkeypatch.setattr(LabellingRunStore, "note_once", slow)
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 6)
        asyncio.run(worker(ledger, run, ScriptedWork(script)).work())
        assert kinds(ledger, run)[-2:] == [RunEventKind.TROUBLE, RunEventKind.WORKER_ENDED]


def test_a_paused_run_finishes_what_is_in_work_and_goes_on_when_resumed(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 30)
        paused_at: list[int] = []

        async def script(lease: Lease) -> Ended:
            await asyncio.sleep(0.005)
            return ready(lease)

        work = ScriptedWork(script, at_once=2)

        async def session() -> WhyEnded:
            working = asyncio.create_task(worker(ledger, run, work).work())
            while len(work.done) < 4:
                await asyncio.sleep(0.002)
            note(ledger, run, RunEventKind.PAUSED)
            await until(lambda: work.in_work == 0 and "leased" not in states(ledger, run))
            paused_at.append(len(work.done))
            await asyncio.sleep(0.2)
            paused_at.append(len(work.done))
            note(ledger, run, RunEventKind.STARTED)
            return (await working).why

        assert asyncio.run(session()) is WhyEnded.NOTHING_LEFT
        assert paused_at[0] == paused_at[1] < 30
        assert states(ledger, run) == ["done"] * 30


def test_a_stopped_run_leaves_the_rest_planned(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 200)

        async def script(lease: Lease) -> Ended:
            if lease.number == 5:
                note(ledger, run, RunEventKind.STOPPED)
            await asyncio.sleep(0.01)
            return ready(lease)

        end = asyncio.run(worker(ledger, run, ScriptedWork(script)).work())
        assert end.why is WhyEnded.STOPPED
        left = states(ledger, run)
        assert set(left) == {"done", "planned"}
        assert left.count("done") == end.features >= 6


def test_a_process_that_is_asked_to_end_leaves_the_run_going(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 200)
        stop = threading.Event()

        async def script(lease: Lease) -> Ended:
            if lease.number == 5:
                stop.set()
            await asyncio.sleep(0.01)
            return ready(lease)

        end = asyncio.run(worker(ledger, run, ScriptedWork(script), stop=stop).work())
        assert end.why is WhyEnded.STOPPED
        assert LabellingRunStore(ledger).state(run) is RunState.RUNNING
        assert "leased" not in states(ledger, run)


def test_the_time_ordered_is_read_off_the_wall_again_and_again(tmp_path: Path) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 200, until=(noon + timedelta(hours=7)).isoformat())
        wall = [noon]

        async def script(lease: Lease) -> Ended:
            if lease.number == 5:  # somebody sets the clock
                wall[0] = noon + timedelta(hours=8)
            await asyncio.sleep(0.01)
            return ready(lease)

        end = asyncio.run(worker(ledger, run, ScriptedWork(script), wall=lambda: wall[0]).work())
        assert end.why is WhyEnded.TIME_UP
        assert 6 <= end.features < 200
        assert RunEventKind.TIME_UP in kinds(ledger, run)
        assert "leased" not in states(ledger, run)


def test_a_worker_that_was_taken_for_lost_stores_nothing_more(tmp_path: Path) -> None:
    clock = HandClock()
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 4)

        async def script(lease: Lease) -> Ended:
            clock.seconds += 1000.0
            assert RunWorkers(ledger, run, clock).reap() == [lease.worker]
            await asyncio.sleep(0.01)
            return ready(lease)

        silent = replace(FAST, beat=60.0)
        slow = worker(ledger, run, ScriptedWork(script, at_once=1), clock=clock, times=silent)
        end = asyncio.run(slow.work())
        assert (end.why, end.features) == (WhyEnded.LOST, 0)
        assert states(ledger, run) == ["planned"] * 4
        assert not ledger.items_done("w-full")


def test_beats_keep_the_lease_and_say_what_is_done(tmp_path: Path) -> None:
    clock = HandClock()
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 1)

        async def script(lease: Lease) -> Ended:
            for _ in range(3):
                clock.seconds += 1000.0
                await until(lambda: living_until(ledger) > clock.seconds)
            (load,) = RunWorkers(ledger, run, clock).loads()
            assert (load.in_work, load.slots, load.busy_share) == (1, 4, 0.5)
            return ready(lease)

        end = asyncio.run(worker(ledger, run, ScriptedWork(script), clock=clock).work())
        assert end.why is WhyEnded.NOTHING_LEFT


def test_what_a_lost_worker_held_is_waited_for_and_done(tmp_path: Path) -> None:
    clock = HandClock()
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 3)
        gone = RunWorkers(ledger, run, clock).begin("elsewhere", 7)
        assert len(WorkQueue(ledger, run, clock).claim(gone, 2)) == 2
        work = ScriptedWork()

        async def session() -> WhyEnded:
            # It spares the silent for as long as a lease: the clock jumps for it, too.
            brief = replace(FAST, lease=0.2)
            working = asyncio.create_task(worker(ledger, run, work, clock=clock, times=brief).work())
            await until(lambda: bool(work.done))
            await asyncio.sleep(0.1)
            assert work.done == [2], "the other two are somebody's, as far as anybody knows"
            assert not working.done()
            clock.seconds += 1000.0
            return (await working).why

        assert asyncio.run(session()) is WhyEnded.NOTHING_LEFT
        assert sorted(work.done) == [0, 1, 2]


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


def test_a_chosen_shortfall_changes_the_way_of_what_is_begun_then(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 6)
        note(ledger, run, RunEventKind.SHORTFALL, variant=1)
        note(ledger, run, RunEventKind.STARTED)  # a mere resumption keeps to it
        work = ScriptedWork()
        asyncio.run(worker(ledger, run, work).work())
        assert work.variants == [1] * 6
        assert len(ledger.items_done("w-cheap")) == 6
        richer = started_run(ledger, 3)
        note(ledger, richer, RunEventKind.SHORTFALL, variant=1)
        note(ledger, richer, RunEventKind.STARTED, budget="5usd")
        again = ScriptedWork()
        asyncio.run(worker(ledger, richer, again).work())
        assert again.variants == [0] * 3


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
    tried: list[int] = []
    store = WorkQueue.end

    def end(queue: WorkQueue, ended: Sequence[Ended]) -> list[bool]:
        tried.append(len(ended))
        if len(tried) == 1:
            raise BusyError("the ledger stayed locked for 60 s")
        return store(queue, ended)

    monkeypatch.setattr(WorkQueue, "end", end)
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 4)
        ended = asyncio.run(worker(ledger, run, ScriptedWork()).work())
        assert ended.features == 4
    assert sum(tried) - tried[0] == 4


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
