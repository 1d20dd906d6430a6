"""The report of a run that went through a real ledger is that of the same run by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from glossator.errors import UnknownNameError
from glossator.memory.labelling_runs import LabellingRunStore, PlannedItem
from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import RunWorkers
from glossator.memory.work_queue import Ended, Lease, WorkQueue
from glossator.records import ItemState, RunEvent, RunEventKind
from glossator.report.run_markdown import run_report_markdown
from glossator.report.run_page import render_run_report
from glossator.run_report import ledger_run_report
from tests.report.page_reading import Page
from tests.run_report.fake_runs import FakeRun
from tests.run_report.test_run_report import report_of

N = 12
SKIPPED = 4
NOTHING: Mapping[int, str] = {}
LEFT = 2


def run_through(ledger: Ledger, fake: FakeRun, *, fails: int = 3, skip: Mapping[int, str] = NOTHING) -> str:
    """All but `LEFT` features are ended, feature `fails` as failed; those in `skip` have their card."""
    store = LabellingRunStore(ledger)
    items = (
        PlannedItem(fake.ref(i), 1.0, "labelled before" if i in skip else "", skip.get(i))
        for i in range(fake.n)
    )
    run = store.create(fake.plan, list(items))
    store.note(run, RunEvent(kind=RunEventKind.STARTED, words="begun"))
    worker = RunWorkers(ledger, run).begin("host", 1)
    queue = WorkQueue(ledger, run)
    ended = [_ended(fake, lease, fails) for lease in queue.claim(worker, fake.n - LEFT - len(skip))]
    assert queue.end(ended) == [True] * (fake.n - LEFT - len(skip))
    return run


def _ended(fake: FakeRun, lease: Lease, fails: int) -> Ended:
    feature = lease.feature.index
    if feature == fails:
        return Ended(lease, ItemState.FAILED, reason="timed out", retryable=True, seconds=1.0)
    evidence = fake.evidence(f"e-{feature}")
    card = fake.card(feature)
    found = () if evidence is None else (evidence,)
    return Ended(lease, ItemState.DONE, card, found, spending=card.spending, seconds=2.0)


def test_a_stored_run_is_reported(tmp_path: Path) -> None:
    fake = FakeRun(N)
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        run = run_through(ledger, fake)
        report = ledger_run_report(ledger, run)
    counts = report.coverage.counts
    assert (counts.done, counts.failed, counts.left) == (N - LEFT - 1, 1, LEFT)
    assert report.coverage.missing_cards == 0
    by_hand = report_of(fake, items=(), cards=[c for c in fake.cards() if c.feature.index not in (3, 10, 11)])
    assert report.discovery.holding == by_hand.discovery.holding != ()
    assert report.discovery.untested == by_hand.discovery.untested
    assert report.distributions[0].bins == by_hand.distributions[0].bins
    assert report.cost.calls_per_feature.n == counts.done
    assert sum(p.features for p in report.pace) == counts.done + counts.failed
    assert report.history.counts["started"] == 1
    assert f"Labelling run {run}" in render_run_report(report)


def test_two_stored_runs_are_compared_and_an_unknown_one_is_named(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        before, after = run_through(ledger, FakeRun(N), fails=-1), run_through(ledger, FakeRun(N, shift=0.1))
        found = ledger_run_report(ledger, after, earlier=before).earlier
        assert found is not None
        assert (found.run, found.shared, found.only_there) == (before, N - LEFT - 1, 1)
        assert found.differences[0].estimate.value is not None
        assert found.differences[0].estimate.value > 0
        with pytest.raises(UnknownNameError, match="no labelling run 'r-nope'"):
            ledger_run_report(ledger, after, earlier="r-nope")


def test_a_card_that_one_run_took_from_the_other_is_not_compared_with_itself(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        before = run_through(ledger, FakeRun(N), fails=-1)
        had = {i.feature.index: i.card for i in WorkQueue(ledger, before).items() if i.card}
        after = run_through(ledger, FakeRun(N, shift=0.1), skip={i: had[i] for i in range(SKIPPED)})
        report = ledger_run_report(ledger, after, earlier=before)
        back = ledger_run_report(ledger, before, earlier=after).earlier
        itself = ledger_run_report(ledger, after, earlier=after).earlier
    assert report.coverage.earlier_cards == SKIPPED
    found = report.earlier
    assert found is not None
    assert (found.same_card, found.shared, found.only_there) == (SKIPPED, N - LEFT - SKIPPED, 0)
    assert sum(n for row in found.transitions.values() for n in row.values()) == found.shared
    assert max(d.estimate.n for d in found.differences) <= found.shared
    assert "4 features were skipped in one of the two" in Page(render_run_report(report)).text
    assert "4 features were skipped in one of the two" in run_report_markdown(report)
    assert back is not None
    assert (back.same_card, back.shared) == (SKIPPED, N - LEFT - SKIPPED)
    assert itself is not None
    assert (itself.same_card, itself.shared) == (SKIPPED, N - LEFT - SKIPPED)


def test_cards_are_read_by_feature_whatever_their_ids(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        run = run_through(ledger, FakeRun(N))
        report = ledger_run_report(ledger, run)
        ids = [i.card for i in WorkQueue(ledger, run).items() if i.card][::-1]
        assert [stored.id for stored in ledger.cards_by_id([*ids, ids[0], "c-no"])] == ids
    (group,) = [g for g in report.abstentions if "no hypothesis" not in g.reason]
    assert list(group.examples) == sorted(group.examples)
    assert len(group.examples) > 1
