from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from glossator.errors import StorageError, UnknownNameError
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import ADDED_IN, SCHEMA_VERSION
from glossator.records import (
    DictionaryEvidence,
    Evidence,
    EvidenceKind,
    FeatureNames,
    FeatureRef,
    TraceEvent,
    TraceKind,
)

NAMES = FeatureNames("tiny", "1-resid-8")


def event(step: str, number: int, words: str = "w", kind: TraceKind = TraceKind.NODE) -> TraceEvent:
    return TraceEvent(step=step, number=number, kind=kind, words=words)


@pytest.fixture
def store(any_ledger: Ledger) -> InvestigationStore:
    return InvestigationStore(any_ledger)


def test_an_investigation_is_found_by_the_start_of_its_id(store: InvestigationStore) -> None:
    first = store.start("feature", NAMES, "tiny/1-resid-8/3", {"k": 4}, work_key="w-1")
    second = store.start("request", NAMES, "what is legal?", {}, continues=first)
    found = store.find(first[:8])
    assert (found.id, found.kind, found.names, found.asked) == (first, "feature", NAMES, "tiny/1-resid-8/3")
    assert (found.work_key, found.settings, found.continues) == ("w-1", '{"k": 4}', "")
    assert store.find(second).continues == first
    with pytest.raises(UnknownNameError, match="begins several"):
        store.find("i-")
    with pytest.raises(UnknownNameError, match=r"'i-none' is not in this ledger: glossator investigations"):
        store.find("i-none")
    with pytest.raises(UnknownNameError):
        store.find("%")  # a wildcard of the database is a character like any other
    assert {s.id for s in store.all()} == {first, second}
    assert [s.id for s in store.all(work_key="w-1")] == [first]
    assert len(store.all(limit=1)) == 1


def test_its_state_is_that_of_its_last_event(store: InvestigationStore) -> None:
    found = store.start("feature", NAMES, "3", {})
    assert store.find(found).state == "unfinished"
    store.append(found, [event("begin", 0)])
    assert store.find(found).state == "unfinished"
    store.append(found, [event("propose", 0, kind=TraceKind.FAILED)])
    assert store.find(found).state == "failed"
    store.append(found, [event("propose", 1)])  # gone on with
    assert store.find(found).state == "unfinished"
    store.append(found, [event("end", 0, kind=TraceKind.FINISHED)])
    assert store.find(found).state == "finished"


def test_a_step_that_runs_again_adds_nothing_twice(store: InvestigationStore) -> None:
    found, other = store.start("feature", NAMES, "3", {}), store.start("feature", NAMES, "4", {})
    store.append(found, [event("a", 0, "first")])
    store.append(found, [event("a", 0, "again"), event("a", 1, "new")])
    store.append(other, [event("a", 0, "another investigation's")])
    told = store.events(found)
    assert [(e.event.words, e.event.number) for e in told] == [("first", 0), ("new", 1)]
    assert [e.event.words for e in store.events(found, after=told[0].seq)] == ["new"]
    assert [e.event.words for e in store.events(other)] == ["another investigation's"]
    with pytest.raises(StorageError):
        store.append("i-unknown", [event("a", 0)])


def test_evidence_of_both_kinds_is_read_back(store: InvestigationStore) -> None:
    own = Evidence.of(
        FeatureRef(subject="tiny", dictionary="1-resid-8", index=3), EvidenceKind.EXPERIMENT, {}, 1
    )
    wide = DictionaryEvidence.of(NAMES, (3, 4), EvidenceKind.COMPARISON, {"seed": 1}, {"jaccard": 0.2})
    for _ in range(2):
        store.save_evidence(store.ledger.start_run("investigate", {}), [wide, own])
    assert store.evidence(own.id) == own
    assert store.evidence(wide.id) == wide
    assert store.evidence("e-none") is None
    assert store.existing([own.id, "e-none", wide.id]) == {own.id, wide.id}
    assert store.existing([]) == frozenset()
    assert store.ledger.counts().dictionary_evidence == 1
    with pytest.raises(StorageError):
        store.save_evidence("r-unknown", [own])


def version_three(path: Path) -> None:
    """A ledger as a Glossator without investigations left it: everything up to `run_evidence`."""
    with Ledger.open(path) as ledger:
        ledger.start_run("label", {})
    database = sqlite3.connect(path)
    for table in (*ADDED_IN[4], *ADDED_IN[5]):
        database.execute(f"DROP TABLE {table.__tablename__}")
    database.execute("DROP TRIGGER schema_versions_no_UPDATE")
    database.execute("UPDATE schema_versions SET version = 3 WHERE version > 3")
    database.execute(
        "CREATE TRIGGER schema_versions_no_UPDATE BEFORE UPDATE ON schema_versions "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
    )
    database.commit()
    database.close()


def test_a_ledger_of_version_three_takes_investigations(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    version_three(path)
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT max(version) FROM schema_versions").fetchone() == (3,)
    with Ledger.open(path) as ledger:
        store = InvestigationStore(ledger)
        store.append(store.start("feature", NAMES, "3", {}), [event("a", 0)])
        assert ledger.counts().trace_events == ledger.counts().runs == 1
        ledger.check()
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT max(version) FROM schema_versions").fetchone() == (SCHEMA_VERSION,)
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database.execute("DELETE FROM trace_events")
