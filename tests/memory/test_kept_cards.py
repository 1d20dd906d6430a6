"""Our own label stays current where an imported one stands no better, whatever stores it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection

from glossator.memory.done_before import done_before
from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import RunWorkers
from glossator.memory.work_queue import Ended, WorkQueue
from glossator.records import (
    ExplanationMethod,
    FeatureCard,
    FeatureRef,
    ItemState,
    RunVariant,
    Verdict,
    VerdictKind,
)
from tests.memory.run_fixtures import HandClock, opened, started_run
from tests.memory.test_ledger import card

BETTER = [
    (VerdictKind.TENTATIVE, VerdictKind.ACCEPTED),
    (VerdictKind.ABSTAINED, VerdictKind.ACCEPTED),
    (VerdictKind.ABSTAINED, VerdictKind.TENTATIVE),
]
NO_BETTER = [
    (VerdictKind.ACCEPTED, VerdictKind.ABSTAINED),
    (VerdictKind.ACCEPTED, VerdictKind.ACCEPTED),
    (VerdictKind.ABSTAINED, VerdictKind.ABSTAINED),
]


def judged(index: int, kind: VerdictKind, *, imported: bool = False) -> FeatureCard:
    made = card(index)[0]
    assert made.explanation is not None
    claim = made.explanation
    if imported:
        claim = claim.model_copy(
            update={"method": ExplanationMethod.IMPORTED, "author": "delphi", "id": f"x-{kind.value}"}
        )
    update = {"explanation": claim, "verdict": Verdict(kind=kind, reason="measured", tried=())}
    return made.model_copy(update=update)


def accepted(subject: str, dictionary: str, index: int) -> FeatureCard:
    """A card of our own whose label stands."""
    made = judged(index, VerdictKind.ACCEPTED)
    assert made.explanation is not None
    own = {"feature": FeatureRef(subject=subject, dictionary=dictionary, index=index)}
    return made.model_copy(update=own | {"explanation": made.explanation.model_copy(update=own)})


def save_own(ledger: Ledger, own: FeatureCard) -> None:
    ledger.save_card(ledger.start_run("label", {}, "w-own"), own, card(own.feature.index)[1])


def by_command(ledger: Ledger, made: FeatureCard) -> None:
    ledger.save_card(ledger.start_run("import", {}, "w-import"), made, imported=True)


def by_run(ledger: Ledger, made: FeatureCard) -> None:
    variants = (RunVariant(work_key=f"w-{made.verdict.kind.value}"),)
    run = started_run(ledger, made.feature.index + 1, labels_from="delphi", variants=variants)
    clock = HandClock()
    worker = RunWorkers(ledger, run, clock).begin("here", 1)
    queue = WorkQueue(ledger, run, clock)
    leases = queue.claim(worker, made.feature.index + 1)
    (lease,) = (one for one in leases if one.feature == made.feature)
    assert queue.end([Ended(lease, ItemState.DONE, made)]) == [True]


both_ways = pytest.mark.parametrize("store", [by_command, by_run])


@both_ways
@pytest.mark.parametrize(("ours", "theirs"), NO_BETTER)
def test_a_label_of_our_own_stays(
    tmp_path: Path, store: type, ours: VerdictKind, theirs: VerdictKind
) -> None:
    with opened(tmp_path) as ledger:
        own, other = judged(1, ours), judged(1, theirs, imported=True)
        save_own(ledger, own)
        store(ledger, other)
        assert ledger.latest_card(own.feature) == own
        assert ledger.card_history(own.feature) == [own, other]
        assert [c.card for c in ledger.cards()] == [own]


@both_ways
@pytest.mark.parametrize(("ours", "theirs"), BETTER)
def test_an_imported_label_that_stands_better_takes_over(
    tmp_path: Path, store: type, ours: VerdictKind, theirs: VerdictKind
) -> None:
    with opened(tmp_path) as ledger:
        better = judged(2, theirs, imported=True)
        save_own(ledger, judged(2, ours))
        store(ledger, better)
        assert ledger.latest_card(better.feature) == better


@both_ways
def test_an_imported_label_gives_way_to_a_later_one(tmp_path: Path, store: type) -> None:
    with opened(tmp_path) as ledger:
        first, later = (
            judged(3, kind, imported=True) for kind in (VerdictKind.ACCEPTED, VerdictKind.TENTATIVE)
        )
        store(ledger, first)
        store(ledger, later)
        assert ledger.latest_card(first.feature) == later


@both_ways
def test_a_card_without_any_label_takes_no_label_away(any_ledger: Ledger, store: type) -> None:
    own, none = judged(1, VerdictKind.ACCEPTED), card(1, text=None)[0]
    save_own(any_ledger, own)
    store(any_ledger, none)
    assert any_ledger.latest_card(own.feature) == own


def test_a_label_of_our_own_takes_over_whatever_stood(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        by_command(ledger, judged(1, VerdictKind.ACCEPTED, imported=True))
        own = judged(1, VerdictKind.ABSTAINED)
        save_own(ledger, own)
        assert ledger.latest_card(own.feature) == own


def test_the_card_of_the_imported_label_is_what_its_run_has_done(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        own, other = judged(1, VerdictKind.ACCEPTED), judged(1, VerdictKind.ABSTAINED, imported=True)
        save_own(ledger, own)
        by_command(ledger, other)
        (done,) = done_before(ledger, "w-import").values()
        assert [c.card for c in ledger.cards_by_id([done.card])] == [other]
        assert list(ledger.items_done("w-import").values()) == [done.card]


def test_it_stays_in_the_same_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as ledger:
        own = judged(1, VerdictKind.ACCEPTED)
        save_own(ledger, own)
        add, asked = ledger.add, list[str]()

        def killed(connection: Connection, table: type, rows: list[dict[str, object]]) -> None:
            asked.extend(str(row["card"]) for row in rows if table.__name__ == "RunItemRow")
            if len(asked) == 2:
                raise KeyboardInterrupt
            add(connection, table, rows)

        monkeypatch.setattr(ledger, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            by_command(ledger, judged(1, VerdictKind.ABSTAINED, imported=True))
        assert ledger.latest_card(own.feature) == own
