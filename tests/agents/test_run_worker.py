"""Workers of labelling runs, over real ledgers, doing what a script says."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from glossator.agents.run_work.worker_end import WhyEnded
from glossator.errors import BudgetSpent, EndpointError
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
