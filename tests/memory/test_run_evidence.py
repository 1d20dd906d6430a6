from __future__ import annotations

import pytest

from glossator.errors import StorageError
from glossator.memory.ledger import Ledger
from glossator.records import Evidence, EvidenceKind, FeatureRef

FEATURE = FeatureRef(subject="tiny", dictionary="1-resid-8", index=3)
OTHER = FeatureRef(subject="tiny", dictionary="1-resid-8", index=4)


def measured(
    number: int, kind: EvidenceKind = EvidenceKind.EFFECTS, feature: FeatureRef = FEATURE
) -> Evidence:
    return Evidence.of(feature, kind, {"seed": number}, {"n": number})


def test_the_last_run_decides_what_is_current(place: str) -> None:
    with Ledger.open(place) as ledger:
        assert ledger.latest_evidence(FEATURE, EvidenceKind.EFFECTS) is None
        for work, number in (("one", 1), ("two", 2), ("one", 1)):
            run = ledger.start_run("effects", {}, work)
            ledger.save_evidence(run, [measured(number), measured(number, EvidenceKind.STRESS)])
        ledger.save_evidence(ledger.start_run("effects", {}), [measured(9, feature=OTHER)])
    with Ledger.open(place) as ledger:
        assert ledger.latest_evidence(FEATURE, EvidenceKind.EFFECTS) == measured(1)
        assert ledger.latest_evidence(OTHER, EvidenceKind.EFFECTS) == measured(9, feature=OTHER)
        assert ledger.latest_evidence(OTHER, EvidenceKind.STRESS) is None
        assert ledger.evidence(measured(2).id) == measured(2)  # superseded, and kept
        assert ledger.counts().evidence == 5
        ledger.check()


def test_work_that_was_done_is_found_by_its_key(place: str) -> None:
    with Ledger.open(place) as ledger:
        made = [measured(2), measured(1, EvidenceKind.STRENGTHS)]
        for _ in range(2):
            ledger.save_evidence(ledger.start_run("effects", {}, "w-1"), made)
        assert ledger.evidence_done("w-1") == made
        assert ledger.evidence_done("w-2") == []


def test_evidence_of_no_run_is_refused_as_a_whole(place: str) -> None:
    with Ledger.open(place) as ledger:
        with pytest.raises(StorageError):
            ledger.save_evidence("r-none", [measured(1)])
        assert ledger.counts().evidence == 0
