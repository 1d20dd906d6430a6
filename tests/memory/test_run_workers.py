from __future__ import annotations

import pytest

from glossator.errors import UnknownNameError
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import Amount, Ceiling, RunWorkers
from glossator.records import RunEvent, RunEventKind, RunState
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


def test_an_unknown_run_is_named_with_those_that_are_known(any_ledger: Ledger) -> None:
    run = started_run(any_ledger, 1)
    with pytest.raises(UnknownNameError, match=run):
        LabellingRunStore(any_ledger).plan("r-none")
