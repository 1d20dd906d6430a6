"""A ledger of schema 4, from before labelling runs, on both kinds of database."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import create_engine, inspect, select

from glossator.errors import StorageError
from glossator.memory.call_store import CallStore
from glossator.memory.card_rows import card_rows
from glossator.memory.labelling_runs import LabellingRunStore, PlannedItem
from glossator.memory.ledger import Ledger, run_row
from glossator.memory.ledger_tables import ADDED_IN, SCHEMA_VERSION, RunItemRow, RunRow, SchemaRow, Table
from glossator.memory.run_workers import RunWorkers
from glossator.memory.work_queue import Ended, WorkQueue
from glossator.records import ItemState
from tests.memory.run_fixtures import plan
from tests.memory.test_ledger import card

NEW = {table.__tablename__ for table in ADDED_IN[5]}


def version_four(place: str) -> None:
    """The tables of that version, with the cards of three features."""
    engine = create_engine(place if "://" in place else f"sqlite:///{place}")
    older = [table for name, table in Table.metadata.tables.items() if name not in NEW]
    with engine.begin() as connection:
        Table.metadata.create_all(connection, tables=older)
        kept = {"version": 4, "written_by": "0.1.0", "at": "2026-11-01"}
        add = Table.metadata.tables
        connection.execute(add[SchemaRow.__tablename__].insert(), kept)
        connection.execute(add[RunRow.__tablename__].insert(), run_row("r-old", "label", {}, "old-key"))
        for index in range(3):
            rows = card_rows(*card(index))
            for table, values in rows.tables:
                connection.execute(add[table.__tablename__].insert(), [dict(v) for v in values])
            item = {"run": "r-old", "feature": str(card(index)[0].feature), "card": rows.card, "at": "then"}
            connection.execute(add[RunItemRow.__tablename__].insert(), item)
    engine.dispose()


def test_facts_of_schema_four_are_kept_and_runs_can_begin(place: str) -> None:
    version_four(place)
    with Ledger.open(place) as ledger:
        ledger.check()
        assert [c.card for c in ledger.cards()] == [card(i)[0] for i in range(3)]
        assert len(ledger.items_done("old-key")) == 3
        assert ledger.evidence(card(1)[1][0].id) == card(1)[1][0]
        assert CallStore(ledger).count() == 0
        versions = ledger.read_rows(select(SchemaRow.version).order_by(SchemaRow.version))
        assert [row["version"] for row in versions] == [4, SCHEMA_VERSION]
        run = LabellingRunStore(ledger).create(plan(), [PlannedItem(card(5)[0].feature, 1.0)])
        queue, worker = WorkQueue(ledger, run), RunWorkers(ledger, run).begin("here", 1)
        leases = queue.claim(worker, 1)
        assert queue.end([Ended(leases[0], ItemState.DONE, *card(5))]) == [True]
        for table in NEW:
            with pytest.raises(StorageError, match="append-only"), ledger.writing() as connection:
                connection.exec_driver_sql(f"DELETE FROM {table}")
    with Ledger.open(place) as ledger:
        assert len(list(ledger.cards())) == 4


def test_four_at_once_bring_it_up_to_date_once(place: str) -> None:
    version_four(place)
    opened: list[Ledger] = []
    threads = [threading.Thread(target=lambda: opened.append(Ledger.open(place))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4
    assert set(inspect(opened[0]._engine).get_table_names()) >= NEW
    assert opened[0].counts().cards == 3
    for ledger in opened:
        ledger.close()
