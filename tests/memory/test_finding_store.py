from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import glossator
from glossator.errors import StorageError
from glossator.memory.finding_store import FindingStore
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
from glossator.records import FeatureNames, Finding, FindingKind

NAMES = FeatureNames("tiny", "1-resid-8")


def finding(
    text: str,
    features: tuple[int, ...] = (3,),
    kind: FindingKind = FindingKind.MEANING,
    names: FeatureNames = NAMES,
    evidence: str = "e-1",
) -> Finding:
    return Finding.of(names.subject, names.dictionary, features, kind, text, evidence=(evidence,))


@pytest.fixture
def ledger(any_ledger: Ledger) -> Ledger:
    return any_ledger


def begun(ledger: Ledger) -> str:
    return InvestigationStore(ledger).start("feature", NAMES, "3", {})


def test_what_is_found_twice_is_one_finding_with_two_sources(ledger: Ledger) -> None:
    store, first, second = FindingStore(ledger), begun(ledger), begun(ledger)
    cat, dog = finding("cats"), finding("dogs")
    store.add(first, [cat, dog, cat])
    store.add(second, [finding("cats", evidence="e-2")])
    store.add(second, [cat])  # a step that ran again
    assert store.count() == 2
    found = store.all(NAMES)
    assert [(s.finding.text, s.investigations) for s in found] == [
        ("cats", (first, second)),
        ("dogs", (first,)),
    ]
    assert found[0].seq > found[1].seq  # the one found last is the newer
    assert store.by_id([cat.id, "f-none"]) == {cat.id: cat}
    assert list(store.by_id([dog.id, *(f"f-{n}" for n in range(1000)), cat.id])) == [dog.id, cat.id]
    assert store.ids() == {cat.id, dog.id}


def test_of_another_subject_or_dictionary_nothing_is_returned(ledger: Ledger) -> None:
    store, source = FindingStore(ledger), begun(ledger)
    others = [FeatureNames("tiny", "2-resid-8"), FeatureNames("large", "1-resid-8")]
    store.add(source, [finding("ours"), *(finding("theirs", names=n) for n in others)])
    assert [s.finding.text for s in store.all(NAMES)] == ["ours"]
    assert [s.finding.text for s in store.all(NAMES, feature=3)] == ["ours"]
    assert [s.finding.subject for s in store.all(others[1])] == ["large"]
    assert store.all(FeatureNames("1-resid-8", "tiny")) == []
    assert store.dictionaries() == [others[1], NAMES, others[0]]


def test_findings_are_chosen_by_kind_and_feature(ledger: Ledger) -> None:
    store, source = FindingStore(ledger), begun(ledger)
    refuted = finding("dogs", kind=FindingKind.REFUTED)
    related = finding("like each other", (3, 7), FindingKind.RELATION)
    concept = finding("none separates it", (), FindingKind.CONCEPT)
    store.add(source, [finding("cats"), refuted, related, concept])
    assert [s.finding.text for s in store.all(NAMES, feature=7)] == ["like each other"]
    assert [s.finding.text for s in store.all(NAMES, kinds=[FindingKind.REFUTED], feature=3)] == ["dogs"]
    both = [FindingKind.CONCEPT, FindingKind.MEANING]
    assert {s.finding.text for s in store.all(NAMES, kinds=both)} == {"cats", "none separates it"}


def test_findings_of_no_investigation_are_refused_as_a_whole(ledger: Ledger) -> None:
    with pytest.raises(StorageError):
        FindingStore(ledger).add("i-unknown", [finding("cats")])
    assert FindingStore(ledger).count() == 0


WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from test_finding_store import NAMES, finding
from test_investigation_store import event
from glossator.memory.finding_store import FindingStore
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
ledger = Ledger.open(sys.argv[2])
for number in range(1000):
    InvestigationStore(ledger).append(sys.argv[3], [event("step", number)])
    FindingStore(ledger).add(sys.argv[3], [finding(f"meaning {number}")])
    print(number, flush=True)
"""


def test_a_killed_writer_goes_on_where_it_was(place: str, ledger: Ledger) -> None:
    source = begun(ledger)
    path = str(Path(glossator.__file__).parent.parent)
    command = [sys.executable, "-c", WRITER, str(Path(__file__).parent), place, source]
    for wait in (0.0, 0.05):
        writer = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path}
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(wait)
        writer.send_signal(signal.SIGKILL)
        told = 1 + writer.stdout.read().count("\n")
        writer.wait()
        ledger.check()
        numbers = [e.event.number for e in InvestigationStore(ledger).events(source)]
        assert numbers == list(range(len(numbers)))  # the second writer repeats what the first wrote
        found = FindingStore(ledger).all(NAMES)
        assert all(s.investigations == (source,) for s in found)
        assert len(found) == FindingStore(ledger).count() >= told
        assert 0 <= len(numbers) - len(found) <= 1  # killed between the two writes
