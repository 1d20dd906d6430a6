from __future__ import annotations

import pytest

from glossator.errors import UnknownNameError
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import Amount, Ceiling, RunWorkers
from glossator.records import RunEvent, RunEventKind, RunState
from tests.memory.postgres_server import PostgresServer
from tests.memory.run_fixtures import HandClock, started_run

CEILING = Ceiling(calls=100, usd=1.0)


def test_grants_of_all_workers_stay_within_the_ceiling(any_ledger: Ledger) -> None:
    workers = RunWorkers(any_ledger, started_run(any_ledger, 1), HandClock())
    first, second = workers.begin("here", 1), workers.begin("here", 2)
    granted = workers.draw(first, CEILING, Amount(), Amount(calls=10), Amount(calls=50))
    assert granted == Amount(calls=60)
    assert workers.draw(second, CEILING, Amount(), Amount(calls=10), Amount(calls=50)) == Amount(40)
    assert workers.draw(second, CEILING, Amount(40), Amount(calls=1), Amount()) is None
    workers.end(first, Amount(calls=25))
    assert workers.draw(second, CEILING, Amount(40), Amount(calls=1), Amount(calls=99)) == Amount(75)


def test_what_a_lost_worker_was_granted_counts_as_spent(any_ledger: Ledger) -> None:
    clock = HandClock()
    workers = RunWorkers(any_ledger, started_run(any_ledger, 1), clock)
    killed = workers.begin("here", 1)
    workers.draw(killed, CEILING, Amount(), Amount(calls=10, usd=0.2), Amount(calls=50))
    workers.beat(killed, Amount(calls=7, usd=0.1))
    clock.seconds += 1000
    assert workers.reap() == [killed]
    spending = workers.spending()
    assert (spending.calls, spending.unaccounted_calls) == (7, 53)
    assert spending.unaccounted_usd == pytest.approx(0.1)
    after = workers.begin("here", 2)
    assert workers.draw(after, CEILING, Amount(), Amount(calls=41), Amount()) is None
    assert workers.draw(after, CEILING, Amount(), Amount(calls=40), Amount()) == Amount(40)


def test_a_worker_whose_process_is_gone_is_lost_at_once(any_ledger: Ledger) -> None:
    workers = RunWorkers(any_ledger, started_run(any_ledger, 1), HandClock())
    alive, dead = workers.begin("here", 1), workers.begin("here", 2)
    assert workers.reap(lambda host, process: (host, process) == ("here", 2)) == [dead]
    assert [load.worker for load in workers.loads()] == [alive]


def test_a_kind_without_ceiling_is_granted_as_asked(any_ledger: Ledger) -> None:
    workers = RunWorkers(any_ledger, started_run(any_ledger, 1), HandClock())
    worker = workers.begin("here", 1)
    granted = workers.draw(worker, Ceiling(calls=5), Amount(), Amount(1, 1000, 3.0), Amount(9, 0, 1.0))
    assert granted == Amount(5, 1000, 4.0)


def test_a_runs_state_is_that_of_its_last_event_that_says_one(any_ledger: Ledger) -> None:
    run, store = started_run(any_ledger, 1), LabellingRunStore(any_ledger)
    assert store.state(run) is RunState.RUNNING
    store.note(run, RunEvent(kind=RunEventKind.PAUSED, words="paused"))
    store.note(run, RunEvent(kind=RunEventKind.WORKER_ENDED, words="a worker ended"))
    assert store.state(run) is RunState.PAUSED
    store.note(run, RunEvent(kind=RunEventKind.BUDGET_SPENT, words="spent"))
    assert store.state(run) is RunState.STOPPED


def test_a_later_start_may_widen_the_budget_and_nothing_else(any_ledger: Ledger) -> None:
    run, store = started_run(any_ledger, 1, budget="1usd"), LabellingRunStore(any_ledger)
    payload = {"budget": "2usd", "selection": "other"}
    store.note(run, RunEvent(kind=RunEventKind.STARTED, words="on", payload=dict(payload)))
    assert (store.plan(run).budget, store.plan(run).selection) == ("2usd", "all")
    assert store.all()[0].plan.budget == "1usd"


def test_some_events_are_noted_once_per_start(any_ledger: Ledger) -> None:
    run, store = started_run(any_ledger, 1), LabellingRunStore(any_ledger)
    spent = RunEvent(kind=RunEventKind.BUDGET_SPENT, words="spent")
    assert [store.note_once(run, spent), store.note_once(run, spent)] == [True, False]
    store.note(run, RunEvent(kind=RunEventKind.STARTED, words="on"))
    assert store.note_once(run, spent)


def test_troubles_of_different_kinds_are_each_noted_once(any_ledger: Ledger) -> None:
    run, store = started_run(any_ledger, 1), LabellingRunStore(any_ledger)

    def trouble(about: str) -> RunEvent:
        return RunEvent(kind=RunEventKind.TROUBLE, words=f"{about}!", payload={"about": about})

    told = [store.note_once(run, trouble(about)) for about in ("storage", "endpoint", "storage", "endpoint")]
    assert told == [True, True, False, False]


def test_what_is_noted_along_is_stored_with_it_or_not_at_all(any_ledger: Ledger) -> None:
    run, store = started_run(any_ledger, 1), LabellingRunStore(any_ledger)
    projected = RunEvent(kind=RunEventKind.PROJECTED, words="short")
    choice = RunEvent(kind=RunEventKind.SHORTFALL, words="fewer")
    assert [store.note_once(run, projected, choice), store.note_once(run, projected, choice)] == [True, False]
    assert [s.event for s in store.events(run)][1:] == [projected, choice]


def test_a_beat_says_whether_the_last_one_was_long_ago(any_ledger: Ledger) -> None:
    clock = HandClock()
    workers = RunWorkers(any_ledger, started_run(any_ledger, 1), clock)
    worker = workers.begin("here", 1, seconds=60.0)
    told: list[bool] = []
    for seconds in (5.0, 25.0, 40.0, 5.0, 500.0, 5.0):
        clock.seconds += seconds
        told.append(workers.beat(worker, Amount(), seconds=60.0))
    assert told == [True, True, False, True, False, True]


def test_the_silent_may_be_spared_while_those_whose_process_is_gone_are_lost(any_ledger: Ledger) -> None:
    clock = HandClock()
    workers = RunWorkers(any_ledger, started_run(any_ledger, 1), clock)
    silent, gone = workers.begin("here", 1), workers.begin("here", 2)
    clock.seconds += 1000
    assert workers.reap(lambda host, process: process == 2, silent=False) == [gone]
    other = workers.begin("here", 3)
    clock.seconds += 1000
    assert workers.reap(sparing=other) == [], "whoever asks could not beat either"
    workers.beat(other, Amount())
    assert workers.reap(sparing=other) == [silent]
    clock.seconds += 1000
    assert workers.reap() == [other]


def test_a_worker_that_beats_or_ends_while_it_is_looked_at_is_not_lost(postgres: PostgresServer) -> None:
    clock = HandClock()
    with Ledger.open(postgres.new_database()) as ledger:  # a SQLite writer is alone
        workers = RunWorkers(ledger, started_run(ledger, 1), clock)
        beating, ending = workers.begin("here", 1, seconds=60.0), workers.begin("here", 2, seconds=60.0)

        def gone(host: str, process: int) -> bool:
            clock.seconds += 1
            if process == 1:
                workers.beat(beating, Amount())
            else:
                workers.end(ending, Amount())
            return True

        assert workers.reap(gone) == []
        assert [load.worker for load in workers.loads()] == [beating]


def test_an_unknown_run_is_named_with_those_that_are_known(any_ledger: Ledger) -> None:
    run = started_run(any_ledger, 1)
    with pytest.raises(UnknownNameError, match=run):
        LabellingRunStore(any_ledger).plan("r-none")
