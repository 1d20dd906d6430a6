from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_mock_engine, inspect
from sqlalchemy.dialects import postgresql

from glossator.errors import CorruptFileError, MissingExtraError, SettingsError, StorageError
from glossator.memory.call_store import CallStore, StoredCall
from glossator.memory.finding_store import FindingStore
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.labelling_runs import LabellingRunStore, PlannedItem
from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import STATE_TABLES, Table
from glossator.memory.run_workers import RunWorkers
from glossator.records import (
    Depth,
    DictionaryEvidence,
    Evidence,
    EvidenceKind,
    Explanation,
    FeatureCard,
    FeatureNames,
    FeatureRef,
    Finding,
    FindingKind,
    Interval,
    Metric,
    Negatives,
    PromptRef,
    RunOrder,
    RunPlan,
    RunVariant,
    Score,
    ScoreMethod,
    Split,
    TokenIn,
    TraceEvent,
    TraceKind,
    Verdict,
    VerdictKind,
)


def ref(index: int) -> FeatureRef:
    return FeatureRef(subject="tiny", dictionary="3-resid-64", index=index)


def card(
    index: int, text: str | None = "the word cat", value: float = 0.9
) -> tuple[FeatureCard, tuple[Evidence, ...]]:
    evidence = Evidence.of(
        ref(index), EvidenceKind.STATISTICS, {"seed": 0}, {"pad": "x" * 500, "index": index}
    )
    score = Score(
        method=ScoreMethod.DETECTION, metric=Metric.BALANCED_ACCURACY, reader="predicate",
        negatives=Negatives.HARD, split=Split.SEALED, threshold=0.3, value=value,
        interval=Interval(low=0.8, high=0.95, method="wilson"), n_positive=50, n_negative=50,
    )  # fmt: skip
    claim = text and Explanation.of(ref(index), "embedded-analyst/1", text, TokenIn(tokens=(" cat",)))
    kind = VerdictKind.ACCEPTED if claim else VerdictKind.ABSTAINED
    made = FeatureCard(
        feature=ref(index), explanation=claim or None, verdict=Verdict(kind=kind, reason="by rule"),
        scores=(score,), density=0.01, n_firings=7, max_activation=2.0, histogram_edges=(1.0, 2.0),
        histogram_counts=(7,), promoted=(), suppressed=(), windows=(), silent_windows=(), neighbours=(),
        evidence=(evidence.id,), index_identity="i" * 64,
    )  # fmt: skip
    return made, (evidence,)


def paid_call() -> StoredCall:
    ref = PromptRef(name="detection_one", version=1, sha256="0" * 64)
    return StoredCall(
        key="0" * 64, identity="scripted", model="m", role="scorer", run="", prompt=ref, answer='["1"]',
        input_tokens=1, output_tokens=1, cached_tokens=0, counter="c", estimated_input=1, estimated_output=1,
        usd=None,
    )  # fmt: skip


def add_investigation(ledger: Ledger) -> None:
    """A row in each table that holds investigations and what they learnt."""
    names = FeatureNames("tiny", "3-resid-64")
    investigations = InvestigationStore(ledger)
    found = investigations.start("request", names, "what is legal?", {})
    wide = DictionaryEvidence.of(names, (1,), EvidenceKind.SEARCH, {"seed": 0}, [1])
    investigations.save_evidence(ledger.start_run("investigate", {}), [wide])
    investigations.append(found, [TraceEvent(step="begin", number=0, kind=TraceKind.STARTED, words="begun")])
    finding = Finding.of("tiny", "3-resid-64", (1,), FindingKind.MEANING, "cats", evidence=(wide.id,))
    FindingStore(ledger).add(found, [finding])


def add_labelling_run(ledger: Ledger) -> None:
    """A row in each table of labelling runs."""
    variant = RunVariant(work_key="w")
    plan = RunPlan(
        names=FeatureNames("tiny", "3-resid-64"), index_identity="x", depth=Depth.LABEL, selection="all",
        order=RunOrder.INDEX, variants=(variant,), panel=(), settings={},
    )  # fmt: skip
    run = LabellingRunStore(ledger).create(plan, [PlannedItem(card(1)[0].feature, 1.0)])
    RunWorkers(ledger, run).begin("here", 1)


def save_many(ledger: Ledger, run: str, count: int) -> None:
    for index in range(count):
        ledger.save_card(run, *card(index))


def test_what_is_saved_is_read_back(place: str) -> None:
    with Ledger.open(place) as ledger:
        run = ledger.start_run("label", {"seed": 0}, "key")
        made, evidence = card(3)
        ledger.save_card(run, made, evidence)
        ledger.save_card(run, *card(5, text=None))
    with Ledger.open(place) as ledger:
        assert ledger.latest_card(ref(3)) == made
        assert ledger.latest_card(ref(4)) is None
        assert ledger.evidence(evidence[0].id) == evidence[0]
        assert ledger.evidence("e-none") is None
        assert [x.text for x in ledger.explanations(ref(3))] == ["the word cat"]
        assert [c.card.feature.index for c in ledger.cards()] == [3, 5]
        assert [c.card.feature.index for c in ledger.cards(subject="tiny", dictionary="3-resid-64")] == [3, 5]
        assert list(ledger.cards(subject="other")) == []
        assert ledger.dictionaries() == [("tiny", "3-resid-64")]
        assert set(ledger.items_done("key")) == {str(ref(3)), str(ref(5))}
        assert ledger.items_done("another key") == {}
        assert len(ledger.labelled_ids()) == 1
        ledger.check()


def test_storing_twice_stores_once_and_the_last_run_decides(place: str) -> None:
    with Ledger.open(place) as ledger:
        first, second = ledger.start_run("label", {}), ledger.start_run("label", {})
        assert ledger.save_card(first, *card(1)) == ledger.save_card(first, *card(1))
        counts = ledger.counts()
        assert (counts.cards, counts.scores, counts.evidence, counts.explanations) == (1, 1, 1, 1)
        ledger.save_card(second, *card(1, "the word dog"))
        third = ledger.start_run("label", {})
        ledger.save_card(third, *card(1))  # the first card again: stored once, and current again
        assert ledger.counts().cards == 2
        current = ledger.latest_card(ref(1))
        assert current is not None
        assert current.explanation is not None
        assert current.explanation.text == "the word cat"
        assert [c.card for c in ledger.cards()] == [current]


def test_facts_cannot_be_changed_or_deleted(any_ledger: Ledger) -> None:
    any_ledger.save_card(any_ledger.start_run("label", {}), *card(1))
    any_ledger.save_evidence(any_ledger.start_run("effects", {}), card(2)[1])
    CallStore(any_ledger).add([paid_call()])
    add_investigation(any_ledger)
    add_labelling_run(any_ledger)
    tables = inspect(any_ledger._engine).get_table_names()
    assert sorted(tables) == sorted(Table.metadata.tables)
    assert len(tables) == 19
    for name in tables:
        column = next(iter(Table.metadata.tables[name].columns)).name
        statements = [f"DELETE FROM {name}", f"UPDATE {name} SET {column} = {column}"]
        for statement in statements[: 1 if name in STATE_TABLES else 2]:
            with pytest.raises(StorageError, match="append-only"), any_ledger.writing() as connection:
                connection.exec_driver_sql(statement)


def test_an_unknown_run_is_refused_whole(place: str) -> None:
    with Ledger.open(place) as ledger:
        with pytest.raises(StorageError):
            ledger.save_card("r-unknown", *card(1))
        assert ledger.counts().features == 0


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.7, 0.99])
def test_a_truncated_ledger_is_named_and_left_alone(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "l.sqlite"
    with Ledger.open(path) as ledger:
        run = ledger.start_run("label", {})
        save_many(ledger, run, 20)
    assert not path.with_name("l.sqlite-wal").exists()
    cut = path.read_bytes()[: int(path.stat().st_size * keep)]
    path.write_bytes(cut)
    with pytest.raises(CorruptFileError, match=r"left as it is.*recover"):
        Ledger.open(path)
    assert path.read_bytes() == cut


def test_a_page_of_rubbish_is_found(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with Ledger.open(path) as ledger:
        run = ledger.start_run("label", {})
        save_many(ledger, run, 20)
    raw = bytearray(path.read_bytes())
    for page in range(4096, len(raw), 4096):
        raw[page : page + 64] = b"\xff" * 64
    path.write_bytes(raw)
    with pytest.raises(CorruptFileError):
        Ledger.open(path)
    path.write_bytes(b"this is a text file, not a database" * 10)
    with pytest.raises(CorruptFileError, match="does not start like"):
        Ledger.open(path)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    Ledger.open(path).close()
    database = sqlite3.connect(path)
    database.execute("INSERT INTO schema_versions VALUES (99, 'future', 'now')")
    database.commit()
    database.close()
    with pytest.raises(StorageError, match=r"newer Glossator.*99"):
        Ledger.open(path)


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="home"):
        Ledger.open(tmp_path / "file" / "l.sqlite")
    with pytest.raises(StorageError):
        Ledger.open(tmp_path)
    read_only = tmp_path / "read-only.sqlite"
    Ledger.open(read_only).close()
    with Ledger.open(read_only) as ledger:
        with ledger._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = ON")
        with pytest.raises(StorageError, match="cannot be written"):
            ledger.start_run("label", {})


def test_a_full_disk_keeps_what_was_stored(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        run = ledger.start_run("label", {})
        ledger.save_card(run, *card(0))
        with ledger._engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(StorageError, match="free space"):
            save_many(ledger, run, 50)
        kept = [c.card.feature.index for c in ledger.cards()]
        assert kept == list(range(len(kept)))
        assert ledger.counts().evidence == len(kept)


def test_numbers_that_are_not_finite_are_refused(place: str) -> None:
    made, evidence = card(1)
    with Ledger.open(place) as ledger:
        run = ledger.start_run("label", {})
        with pytest.raises(StorageError, match="not finite"):
            ledger.save_card(run, made.model_copy(update={"density": float("nan")}), evidence)


def test_urls_of_servers_are_checked_before_anything_is_opened(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'l.sqlite'}") as ledger:
        assert ledger.counts().cards == 0
    with pytest.raises(SettingsError, match=r"mysql.*postgresql"):
        Ledger.open("mysql://somewhere/glossator")
    with pytest.raises(MissingExtraError) as refused:
        Ledger.open("postgresql+psycopg_that_is_not_there://user:secret@host/glossator")
    assert "secret" not in str(refused.value)
    with pytest.raises(SettingsError, match="not a database URL"):
        Ledger.open("://nonsense")
    with pytest.raises(MissingExtraError, match=r"pip install 'psycopg\[binary\]'"):
        Ledger.open("postgresql+psycopg_that_is_not_there://user@host/glossator")


def test_postgresql_gets_tables_guards_and_harmless_repeats() -> None:
    statements: list[str] = []

    def record(statement: Any, *_: object, **__: object) -> None:
        statements.append(str(statement.compile(dialect=postgresql.dialect())))

    engine = create_mock_engine("postgresql+psycopg://", record)
    Table.metadata.create_all(engine, checkfirst=False)
    made = "\n".join(statements)
    assert made.count("CREATE TABLE") == made.count("DELETE OR TRUNCATE") == 19
    assert made.count("BEFORE UPDATE OR DELETE OR TRUNCATE") == 19 - len(STATE_TABLES)
    assert made.index("FUNCTION glossator_append_only() RETURNS trigger") < made.index("CREATE TABLE")
    assert "RAISE(ABORT" not in made


WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from test_ledger import card
from glossator.memory.call_store import CallStore, StoredCall
from glossator.memory.ledger import Ledger
ledger = Ledger.open(sys.argv[2])
run = ledger.start_run("label", {}, "key")
for index in range(int(sys.argv[3]), int(sys.argv[4])):
    ledger.save_card(run, *card(index))
    print(index, flush=True)
"""


def _writer(place: str, first: int, last: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(Path(__file__).parent), place, str(first), str(last)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": _source()}
    )


def _source() -> str:
    import glossator

    return str(Path(glossator.__file__).parent.parent)


def test_a_killed_writer_leaves_whole_features(place: str) -> None:
    chance = random.Random(0)
    seen = 0
    for attempt in range(4):
        writer = _writer(place, attempt * 1000, attempt * 1000 + 1000)
        assert writer.stdout is not None
        writer.stdout.readline()  # it writes
        time.sleep(chance.uniform(0.0, 0.15))
        writer.send_signal(signal.SIGKILL)
        told = writer.stdout.read().count("\n") + 1
        assert writer.wait() == -signal.SIGKILL
        with Ledger.open(place) as ledger:
            ledger.check()
            counts = ledger.counts()
            done = ledger.items_done("key")
            assert counts.cards == counts.scores == counts.evidence == counts.explanations == len(done)
            assert counts.cards - seen >= told  # what was reported as stored is stored
            for found in done:
                stored = ledger.latest_card(FeatureRef.parse(found))
                assert stored is not None
                assert ledger.evidence(stored.evidence[0]) is not None
            seen = counts.cards


def test_two_processes_write_at_once(place: str) -> None:
    writers = [_writer(place, 0, 40), _writer(place, 20, 60)]
    outputs = [w.communicate(timeout=120)[0] for w in writers]
    assert [w.returncode for w in writers] == [0, 0]
    assert [len(o.split()) for o in outputs] == [40, 40]
    with Ledger.open(place) as ledger:
        assert set(ledger.items_done("key")) == {str(ref(i)) for i in range(60)}
        assert ledger.counts().cards == 60


@pytest.mark.parametrize("table", ["trace_events", "findings", "dictionary_evidence"])
def test_a_check_reads_what_investigations_left(tmp_path: Path, table: str) -> None:
    path = tmp_path / "l.sqlite"
    with Ledger.open(path) as ledger:
        add_investigation(ledger)
        counts = ledger.counts()
        assert (counts.investigations, counts.trace_events, counts.findings) == (1, 1, 1)
        assert counts.dictionary_evidence == 1
        ledger.check()
    database = sqlite3.connect(path)
    database.execute(f"DROP TRIGGER {table}_no_UPDATE")
    database.execute(f"UPDATE {table} SET record = '{{}}'")
    database.commit()
    database.close()
    with Ledger.open(path) as ledger, pytest.raises(CorruptFileError, match="cannot read"):
        ledger.check()


def test_records_of_another_version_are_named(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with Ledger.open(path) as ledger:
        ledger.save_card(ledger.start_run("label", {}), *card(1))
    database = sqlite3.connect(path)
    record = json.loads(database.execute("SELECT record FROM evidence").fetchone()[0])
    record["id"], record["new_field"] = "e-new", 1
    database.execute(
        "INSERT INTO evidence VALUES ('e-new', 'tiny/3-resid-64/1', 'windows', ?)", [json.dumps(record)]
    )
    database.commit()
    database.close()
    with Ledger.open(path) as ledger, pytest.raises(CorruptFileError, match="cannot read"):
        ledger.evidence("e-new")
