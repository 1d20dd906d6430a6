from __future__ import annotations

from pathlib import Path

from glossator.kept_cards import keep_own, own_cards
from glossator.memory.ledger import Ledger
from glossator.records import ExplanationMethod, FeatureCard, Verdict, VerdictKind
from tests.memory.run_fixtures import opened
from tests.memory.test_ledger import card


def judged(index: int, kind: VerdictKind, *, imported: bool = False) -> FeatureCard:
    made = card(index)[0]
    assert made.explanation is not None
    claim = made.explanation
    if imported:
        claim = claim.model_copy(
            update={"method": ExplanationMethod.IMPORTED, "author": "delphi", "id": "x-1"}
        )
    update = {"explanation": claim, "verdict": Verdict(kind=kind, reason="measured", tried=())}
    return made.model_copy(update=update)


def after(ledger: Ledger, before: FeatureCard, then: FeatureCard) -> FeatureCard | None:
    run = ledger.start_run("label", {})
    ledger.save_card(run, before, card(before.feature.index)[1])
    own = own_cards(ledger, [before.feature])
    ledger.save_card(ledger.start_run("import", {}), then)
    keep_own(ledger, own, [then])
    return ledger.latest_card(before.feature)


def test_a_label_that_stands_is_not_replaced_by_one_that_does_not(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        own = judged(1, VerdictKind.ACCEPTED)
        assert after(ledger, own, judged(1, VerdictKind.ABSTAINED, imported=True)) == own
        assert len(ledger.card_history(own.feature)) == 2


def test_an_imported_label_that_stands_better_is_current(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        better = judged(2, VerdictKind.ACCEPTED, imported=True)
        assert after(ledger, judged(2, VerdictKind.TENTATIVE), better) == better


def test_an_imported_label_gives_way_to_a_later_one(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        first, later = (
            judged(3, kind, imported=True) for kind in (VerdictKind.ACCEPTED, VerdictKind.TENTATIVE)
        )
        assert after(ledger, first, later) == later
