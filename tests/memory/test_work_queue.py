from __future__ import annotations

import pytest
from sqlalchemy import text

from glossator.errors import LeaseLost
from glossator.memory.labelling_runs import LabellingRunStore, PlannedItem
from glossator.memory.ledger import Ledger
from glossator.memory.run_figures import run_figures
from glossator.memory.run_workers import Amount, RunWorkers
from glossator.memory.work_queue import Ended, Lease, WorkQueue
from glossator.records import ItemState, LlmSpending, RunEventKind
from tests.memory.run_fixtures import HandClock, feature, plan, started_run
from tests.memory.test_ledger import card


class Desk:
    """A run with its queue and workers, on a clock that the test moves."""

    def __init__(self, ledger: Ledger, run: str, clock: HandClock) -> None:
        self.clock, self.run, self.ledger = clock, run, ledger
        self.queue, self.workers = WorkQueue(ledger, run, clock), RunWorkers(ledger, run, clock)

    def worker(self) -> str:
        return self.workers.begin("here", 1, seconds=60.0)


def desk(ledger: Ledger, n: int, clock: HandClock | None = None) -> Desk:
    return Desk(ledger, started_run(ledger, n), clock or HandClock())


def done(lease: Lease, value: float = 0.83) -> Ended:
    made, evidence = card(lease.feature.index)
    spent = LlmSpending(calls=2, unscored={"malformed answer": 1})
    return Ended(
        lease, ItemState.DONE, made, evidence, value=value, verdict="accepted", spending=spent, seconds=1.5
    )


def test_features_are_claimed_in_order_and_once(any_ledger: Ledger) -> None:
    at = desk(any_ledger, 5)
    first, second = at.worker(), at.worker()
    held = [at.queue.claim(first, 2), at.queue.claim(second, 2), at.queue.claim(first, 2)]
    assert [[lease.feature.index for lease in h] for h in held] == [[0, 1], [2, 3], [4]]
    assert at.queue.claim(second, 3) == []
    assert at.queue.counts().leased == 5


def test_an_end_is_stored_with_its_card_and_read_back(any_ledger: Ledger) -> None:
    at = desk(any_ledger, 2)
    one, other = at.queue.claim(at.worker(), 2)
    ended = [done(one), Ended(other, ItemState.FAILED, reason="endpoint unreachable", retryable=True)]
    assert at.queue.end(ended) == [True, True]
    items = list(at.queue.items())
    assert [i.state for i in items] == [ItemState.DONE, ItemState.FAILED]
    assert items[0].card == next(iter(any_ledger.items_done("w-full").values()))
    assert items[0].spending == LlmSpending(calls=2, unscored={"malformed answer": 1})
    assert (items[1].reason, items[1].retryable) == ("endpoint unreachable", True)
    figures = run_figures(any_ledger, at.run)
    assert figures.verdicts == {"accepted": 1}
    assert figures.deciles == (0, 0, 0, 0, 0, 0, 0, 0, 1, 0)
    assert figures.failures == {"endpoint unreachable": 1}
    assert figures.unscored == {"malformed answer": 1}
    assert figures.fresh[0].value == pytest.approx(0.83)


def test_a_card_of_the_cheaper_variant_does_not_count_as_the_ordered_one(any_ledger: Ledger) -> None:
    at = desk(any_ledger, 1)
    (lease,) = at.queue.claim(at.worker(), 1)
    at.queue.end([done(lease)._replace(variant=1)])
    assert any_ledger.items_done("w-full") == {}
    assert len(any_ledger.items_done("w-cheap")) == 1


def test_a_lost_workers_features_are_free_and_what_it_ends_late_is_dropped(any_ledger: Ledger) -> None:
    at = desk(any_ledger, 2)
    slow = at.worker()
    late, _ = at.queue.claim(slow, 2)
    at.clock.seconds += 61
    assert at.workers.reap() == [slow]
    taken = at.queue.claim(at.worker(), 1)[0]
    assert (taken.feature, taken.attempt) == (late.feature, 2)
    assert at.queue.end([done(late)]) == [False]
    assert any_ledger.items_done("w-full") == {}
    assert at.queue.end([done(taken)]) == [True]
    with pytest.raises(LeaseLost):
        at.queue.claim(slow, 1)
    with pytest.raises(LeaseLost):
        at.workers.beat(slow, Amount())


def test_a_beat_keeps_the_lease_and_another_boot_ends_it(any_ledger: Ledger) -> None:
    at = desk(any_ledger, 1)
    worker = at.worker()
    at.clock.seconds += 50
    at.workers.beat(worker, Amount(), seconds=60.0)
    at.clock.seconds += 50
    assert at.workers.reap() == []
    at.clock.boot, at.clock.seconds = "second", 3.0
    assert at.workers.reap() == [worker]


def test_a_worker_that_ends_gives_back_what_it_holds(any_ledger: Ledger) -> None:
    at = desk(any_ledger, 2)
    worker = at.worker()
    at.queue.claim(worker, 2)
    at.workers.end(worker, Amount(), "asked to stop")
    assert at.queue.counts().planned == 2
    kinds = [e.event.kind for e in LabellingRunStore(any_ledger).events(at.run)]
    assert kinds == [RunEventKind.STARTED, RunEventKind.WORKER_STARTED, RunEventKind.WORKER_ENDED]


def test_two_runs_under_one_work_key_never_do_a_feature_twice(any_ledger: Ledger) -> None:
    clock = HandClock()
    ours, theirs = desk(any_ledger, 3, clock), desk(any_ledger, 3, clock)
    worker = ours.worker()
    mine = ours.queue.claim(worker, 1)
    other = theirs.worker()
    assert [lease.feature.index for lease in theirs.queue.claim(other, 2)] == [1, 2]
    assert theirs.queue.claim(other, 1) == []
    ours.queue.end([done(mine[0])])
    assert theirs.queue.claim(other, 1) == []
    skipped = next(iter(theirs.queue.items()))
    assert skipped.state is ItemState.SKIPPED
    assert ours.run in skipped.reason
    assert skipped.card is not None


def test_a_feature_whose_card_lacks_answers_is_done_again_by_another_run(any_ledger: Ledger) -> None:
    ours, theirs = desk(any_ledger, 2), desk(any_ledger, 2)
    partly, wholly = (done(lease) for lease in ours.queue.claim(ours.worker(), 2))
    ours.queue.end([partly._replace(retryable=True), wholly])
    leases = theirs.queue.claim(theirs.worker(), 2)
    assert [lease.feature for lease in leases] == [partly.lease.feature]


def test_a_run_does_not_wait_for_a_run_whose_worker_is_dead(any_ledger: Ledger) -> None:
    clock = HandClock()
    ours, theirs = desk(any_ledger, 1, clock), desk(any_ledger, 1, clock)
    theirs.queue.claim(theirs.worker(), 1)
    clock.seconds += 100
    assert len(ours.queue.claim(ours.worker(), 1)) == 1


def test_failed_features_are_planned_again_as_far_as_it_could_help(any_ledger: Ledger) -> None:
    at = desk(any_ledger, 2)
    leases = at.queue.claim(at.worker(), 2)
    at.queue.end([Ended(x, ItemState.FAILED, reason="r", retryable=i == 0) for i, x in enumerate(leases)])
    assert at.queue.plan_failed_again() == 1
    assert at.queue.counts().failed == 1
    assert at.queue.plan_failed_again(hopeless=True) == 1


def test_what_is_skipped_at_the_start_is_never_claimed(any_ledger: Ledger) -> None:
    items = [PlannedItem(feature(0), 1.0, skip="dead"), PlannedItem(feature(1), 0.5)]
    run = LabellingRunStore(any_ledger).create(plan(), items)
    at = Desk(any_ledger, run, HandClock())
    assert [lease.feature.index for lease in at.queue.claim(at.worker(), 5)] == [1]
    assert run_figures(any_ledger, run).skipped == {"dead": 1}


def test_an_end_that_is_stored_already_is_stored(any_ledger: Ledger) -> None:
    at = desk(any_ledger, 2)
    first, second = at.queue.claim(at.worker(), 2)
    assert at.queue.end([done(first)]) == [True]
    assert at.queue.end([done(first), done(second)]) == [True, True]
    assert at.queue.end([Ended(first, ItemState.FAILED, reason="other")]) == [False]
    assert at.queue.counts().done == 2
    with any_ledger.writing() as connection:
        assert connection.execute(text("SELECT count(*) FROM run_items")).scalar() == 2


def test_what_a_worker_holds_and_does_not_know_of_is_let_go(any_ledger: Ledger) -> None:
    at = desk(any_ledger, 4)
    one, other = at.worker(), at.worker()
    at.queue.claim(one, 2)
    kept = at.queue.claim(other, 1)
    assert at.queue.let_go(one) == 2
    assert (at.queue.counts().planned, at.queue.counts().leased) == (3, 1)
    assert at.queue.end([done(kept[0])]) == [True]
