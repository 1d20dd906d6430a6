from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from glossator.errors import UnknownNameError
from glossator.memory.citations import citations, find_evidence
from glossator.memory.current_labels import current_labels
from glossator.memory.finding_store import FindingStore
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
from glossator.records import (
    DictionaryEvidence,
    Evidence,
    EvidenceKind,
    FeatureNames,
    FeatureRef,
    Finding,
    FindingKind,
    TraceEvent,
    TraceKind,
    VerdictKind,
)
from tests.shell.shell_fixtures import FakeLabeller

NAMES = FeatureNames("s", "d")


def ref(index: int, subject: str = "s") -> FeatureRef:
    return FeatureRef(subject=subject, dictionary="d", index=index)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        yield opened


def test_everything_that_cites_evidence_is_found(ledger: Ledger) -> None:
    store, run = InvestigationStore(ledger), ledger.start_run("label", {})
    made = FakeLabeller().one("index", ref(3))
    card = ledger.save_card(run, made.card, made.evidence)
    (evidence,) = made.evidence
    investigation = store.start("feature", NAMES, "3", {})
    finding = Finding.of("s", "d", (3,), FindingKind.MEANING, "law", evidence=(evidence.id,))
    FindingStore(ledger).add(investigation, [finding])
    event = TraceEvent(step="one", number=0, kind=TraceKind.TOOL_RESULT, words="x", evidence=(evidence.id,))
    store.append(investigation, [event])
    found = citations(ledger, evidence)
    assert found == ((card,), (finding,), (investigation,))
    other = Evidence.of(ref(3), EvidenceKind.STATISTICS, {}, {"n": 99})
    assert not any(citations(ledger, other))


def test_an_id_may_be_given_by_its_beginning(ledger: Ledger) -> None:
    store, run = InvestigationStore(ledger), ledger.start_run("x", {})
    own = Evidence.of(ref(1), EvidenceKind.STATISTICS, {}, {"n": 1})
    wide = DictionaryEvidence.of(NAMES, (), EvidenceKind.SEARCH, {}, {"n": 2})
    store.save_evidence(run, [own, wide])
    assert find_evidence(store, own.id) == own
    assert find_evidence(store, f" {wide.id[:8]}") == wide
    with pytest.raises(UnknownNameError, match=f"the nearest are .*{own.id}"):
        find_evidence(store, f"{own.id[:7]}zzzz")
    with pytest.raises(UnknownNameError, match="give all of it"):
        find_evidence(store, "e-")
    for nothing in ("", "zzz", "%"):
        with pytest.raises(UnknownNameError, match="there is no evidence"):
            find_evidence(store, nothing)


def test_current_labels_are_those_of_the_last_run(ledger: Ledger) -> None:
    run, labeller = ledger.start_run("label", {}), FakeLabeller()
    for index in (2, 4):
        made = labeller.one("index", ref(index))
        ledger.save_card(run, made.card, made.evidence)
    theirs = labeller.one("index", ref(2, "other"))
    ledger.save_card(run, theirs.card, theirs.evidence)
    found = current_labels(ledger, NAMES)
    assert list(found) == [2, 4]
    assert found[2].stands
    assert found[2].text == "the word number2 in legal language"
    assert (found[4].stands, found[4].verdict) == (False, VerdictKind.ABSTAINED)
    assert list(current_labels(ledger, NAMES, [4, 5])) == [4]
    again = labeller.one("another index", ref(2))
    later = again.card.model_copy(
        update={"verdict": again.card.verdict.model_copy(update={"kind": VerdictKind.ACCEPTED})}
    )
    ledger.save_card(ledger.start_run("label", {}), later, again.evidence)
    assert current_labels(ledger, NAMES)[2].verdict is VerdictKind.ACCEPTED
