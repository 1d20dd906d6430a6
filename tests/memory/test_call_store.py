from __future__ import annotations

import multiprocessing
import sqlite3
from pathlib import Path

import pytest

from glossator.errors import StorageError
from glossator.memory.call_store import CallStore, StoredCall, StoredTotals
from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import ADDED_IN, SCHEMA_VERSION, Table
from glossator.records import (
    Candidate,
    Explanation,
    ExplanationMethod,
    FeatureCard,
    FeatureRef,
    PromptRef,
    Verdict,
    VerdictKind,
)

FEATURE = FeatureRef(subject="tiny", dictionary="3-resid-64", index=1)


def call(number: int, **changes: object) -> StoredCall:
    given: dict[str, object] = {
        "key": f"{number:064x}", "identity": "openai:m", "model": "m", "role": "scorer", "run": "r-1",
        "prompt": PromptRef(name="detection_one", version=2, sha256="a" * 64), "answer": '["1"]',
        "input_tokens": 100, "output_tokens": 2, "cached_tokens": 3, "counter": "c", "estimated_input": 90,
        "estimated_output": 1, "usd": 0.25,
    }  # fmt: skip
    return StoredCall.model_validate({**given, **changes})


def card(text: str, others: tuple[str, ...] = ()) -> FeatureCard:
    claims = [
        Explanation.of(FEATURE, "m", t, None, method=ExplanationMethod.ONE_SHOT) for t in (text, *others)
    ]
    candidates = tuple(Candidate(explanation=c, scores=(), chosen=c is claims[0]) for c in claims)
    return FeatureCard(
        feature=FEATURE, explanation=claims[0], verdict=Verdict(kind=VerdictKind.TENTATIVE, reason="r"),
        scores=(), density=0.01, n_firings=7, max_activation=2.0, histogram_edges=(1.0, 2.0),
        histogram_counts=(7,), promoted=(), suppressed=(), windows=(), silent_windows=(), neighbours=(),
        evidence=(), index_identity="i" * 64, candidates=candidates,
    )  # fmt: skip


def version_one(path: Path) -> None:
    """A ledger as the first Glossator left it, with a card in it."""
    with Ledger.open(path) as ledger:
        ledger.save_card(ledger.start_run("label", {}), card("the word cat"))
    database = sqlite3.connect(path)
    for tables in ADDED_IN.values():
        for table in tables:
            database.execute(f"DROP TABLE {table.__tablename__}")
    database.execute("DROP TRIGGER schema_versions_no_UPDATE")
    database.execute("UPDATE schema_versions SET version = 1")
    database.execute(
        "CREATE TRIGGER schema_versions_no_UPDATE BEFORE UPDATE ON schema_versions "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
    )
    database.commit()
    database.close()


def test_calls_come_back_as_they_went_in(place: str) -> None:
    with Ledger.open(place) as ledger:
        store = CallStore(ledger)
        some = [call(i) for i in range(1200)]
        silent = call(5000, identity="other", input_tokens=None, output_tokens=None, usd=None, run="")
        store.add([*some, silent])
        store.add([])
        assert store.count() == 1201
        assert store.find([]) == {}
        wanted = [c.key for c in some[::2]] + [f"{9999:064x}", silent.key]
        found = store.find(wanted)
        assert found == {c.key: c for c in [*some[::2], silent]}


def test_the_first_answer_stays(place: str) -> None:
    with Ledger.open(place) as ledger:
        store = CallStore(ledger)
        store.add([call(1)])
        store.add([call(1, answer='["0"]'), call(2, answer='["0"]')])
        assert [c.answer for c in store.find([call(1).key, call(2).key]).values()] == ['["1"]', '["0"]']


def test_totals_are_of_counted_calls_by_prompt_and_counter(place: str) -> None:
    other = PromptRef(name="fuzzing_one", version=1, sha256="b" * 64)
    with Ledger.open(place) as ledger:
        store = CallStore(ledger)
        store.add([call(i) for i in range(3)])
        store.add([call(10, prompt=other), call(11, counter="d"), call(12, identity="x")])
        store.add([call(13, input_tokens=None), call(14, output_tokens=None)])
        assert sorted(store.totals("openai:m", "c")) == [
            StoredTotals("detection_one", 270, 300, 3, 6),
            StoredTotals("fuzzing_one", 90, 100, 1, 2),
        ]


def test_an_older_ledger_is_upgraded_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    version_one(path)
    with Ledger.open(path) as ledger:
        assert ledger.latest_card(FEATURE) == card("the word cat")
        CallStore(ledger).add([call(1)])
    with Ledger.open(path) as ledger:
        assert CallStore(ledger).count() == 1
        ledger.check()
    database = sqlite3.connect(path)
    versions = database.execute("SELECT version FROM schema_versions ORDER BY 1").fetchall()
    assert versions == [(1,), (SCHEMA_VERSION,)]
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute("DELETE FROM llm_calls")
    fresh = tmp_path / "fresh.sqlite"
    Ledger.open(fresh).close()
    schema = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2"
    assert _squeezed(database.execute(schema).fetchall()) == _squeezed(
        sqlite3.connect(fresh).execute(schema).fetchall()
    )


def _squeezed(rows: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    return [(kind, name, " ".join(sql.split())) for kind, name, sql in rows]


def _open_and_add(path: Path, number: int) -> None:
    with Ledger.open(path) as ledger:
        CallStore(ledger).add([call(number)])


def test_processes_may_upgrade_at_once(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    version_one(path)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_open_and_add, args=(path, n)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(200)
    assert [p.exitcode for p in processes] == [0, 0, 0]
    with Ledger.open(path) as ledger:
        assert CallStore(ledger).count() == 3


def test_a_newer_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    Ledger.open(path).close()
    database = sqlite3.connect(path)
    database.execute("INSERT INTO schema_versions VALUES (?, 'later', 'now')", (SCHEMA_VERSION + 1,))
    database.commit()
    with pytest.raises(StorageError, match=f"schema {SCHEMA_VERSION + 1}.*upgrade Glossator"):
        Ledger.open(path)


def test_every_explanation_that_was_tried_is_stored(place: str) -> None:
    with Ledger.open(place) as ledger:
        ledger.save_card(ledger.start_run("label", {}), card("one", ("two", "three", "one")))
        assert {x.text for x in ledger.explanations(FEATURE)} == {"one", "two", "three"}
        ledger.save_card(ledger.start_run("label", {}), card("four", ("two",)))
        assert {x.text for x in ledger.explanations(FEATURE)} == {"one", "two", "three", "four"}


def test_an_upgrade_makes_what_a_new_ledger_has() -> None:
    """Every table is either of version 1 or named as added, so that no upgrade forgets one."""
    added = {t.__tablename__ for tables in ADDED_IN.values() for t in tables}
    first = {
        "schema_versions",
        "features",
        "runs",
        "evidence",
        "explanations",
        "cards",
        "scores",
        "run_items",
    }
    assert set(Table.metadata.tables) == first | added
    assert max(ADDED_IN) == SCHEMA_VERSION
