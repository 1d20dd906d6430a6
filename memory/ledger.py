"""The ledger: everything that Glossator found out, as facts that are added and never changed.

Records are stored whole, under ids derived from their content, so storing one twice stores it once.
A feature's card, explanation, scores and evidence go in together or not at all.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError
from sqlalchemy import Connection, Executable, ScalarSelect, Select, func, select
from sqlalchemy.dialects import postgresql, sqlite

import glossator
from glossator.errors import CorruptFileError
from glossator.memory.card_rows import card_rows, evidence_tables, plain_json
from glossator.memory.kept_cards import stays
from glossator.memory.ledger_engine import (
    add_missing_tables,
    alone_on_server,
    open_server,
    open_sqlite,
    page_check,
    reading,
    refuse_newer,
    schema_version,
    writing,
)
from glossator.memory.ledger_tables import (
    SCHEMA_VERSION,
    CardRow,
    DictionaryEvidenceRow,
    EvidenceRow,
    ExplanationRow,
    FeatureRow,
    FindingRow,
    InvestigationRow,
    RunEvidenceRow,
    RunItemRow,
    RunRow,
    SchemaRow,
    ScoreRow,
    Table,
    TraceEventRow,
)
from glossator.records import (
    DictionaryEvidence,
    Evidence,
    EvidenceKind,
    Explanation,
    FeatureCard,
    FeatureRef,
    Finding,
    Record,
    TraceEvent,
    VerdictKind,
    content_id,
)

AnyRecord = TypeVar("AnyRecord", bound=Record)


class StoredCard(NamedTuple):
    """A card and the id that its content gives it."""

    id: str
    card: FeatureCard


class LedgerCounts(NamedTuple):
    """How much is stored."""

    features: int
    explanations: int
    cards: int
    scores: int
    evidence: int
    runs: int
    investigations: int
    trace_events: int
    findings: int
    dictionary_evidence: int


class Ledger:
    """Facts in a database. Use as a context manager, or call `close`."""

    def __init__(self, where: str | Path) -> None:
        text = str(where)
        if isinstance(where, str) and "://" in where and not where.startswith("sqlite:///"):
            self._engine, text = open_server(where)
        else:
            path = Path(text.removeprefix("sqlite:///")).expanduser()
            text = str(path)
            self._engine = open_sqlite(path)
        self.where = text
        self._make_tables()

    @classmethod
    def open(cls, where: str | Path) -> Ledger:
        """The ledger in the SQLite file `where`, or behind the URL `where`; made where missing.

        Raises:
            CorruptFileError: The file is damaged; it is left as it is.
            StorageError: It cannot be read or written, or a newer Glossator wrote it.

        """
        return cls(where)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start_run(self, command: str, settings: Mapping[str, object], work_key: str = "") -> str:
        """Note that `command` starts with `settings`; returns the run's id.

        `work_key` names the work whatever run does it: items done under it count for `items_done`.
        """
        run = f"r-{uuid.uuid4().hex[:12]}"
        with self.writing() as connection:
            self.add(connection, RunRow, [run_row(run, command, settings, work_key)])
        return run

    def save_card(
        self, run: str, card: FeatureCard, evidence: Sequence[Evidence] = (), *, imported: bool = False
    ) -> str:
        """Store `card`, its explanation, scores and `evidence` in one transaction; returns the card's id.

        It is the feature's current card from then on; but one of an `imported` label is so only where it
        stands better than one of our own.

        Raises:
            StorageError: The run is unknown, the disk is full, or another process holds the ledger.

        """
        with self.writing() as connection:
            return self.add_card(connection, run, card, evidence, imported=imported)

    def add_card(
        self,
        connection: Connection,
        run: str,
        card: FeatureCard,
        evidence: Sequence[Evidence] = (),
        *,
        imported: bool = False,
    ) -> str:
        """`save_card` within a transaction of `writing`, together with whatever else goes in."""
        rows = card_rows(card, evidence)
        alone_on_server(connection, f"card of {card.feature}")  # nobody's card comes between these two
        current = self._current(connection, card.feature) if imported else None
        for table, values in rows.tables:
            self.add(connection, table, values)
        self._add_item(connection, run, card.feature, rows.card)
        if current is not None and stays(current.card, card):
            kept = content_id("r", [run, rows.card])
            self.add(connection, RunRow, [run_row(kept, "own label kept", {"run": run})])
            self._add_item(connection, kept, card.feature, current.id)
        return rows.card

    def _add_item(self, connection: Connection, run: str, feature: FeatureRef, card: str) -> None:
        item = {"run": run, "feature": str(feature), "card": card, "at": _now()}
        self.add(connection, RunItemRow, [item])

    def _current(self, connection: Connection, feature: FeatureRef) -> StoredCard | None:
        query = select(CardRow.id, CardRow.record).where(CardRow.id == _newest(feature))
        row = connection.execute(query).one_or_none()
        return None if row is None else StoredCard(row.id, self._read(FeatureCard, row.record))

    def save_evidence(self, run: str, evidence: Sequence[Evidence]) -> None:
        """Store `evidence` that belongs to no card, all of it or nothing; the last of a kind is current.

        Raises:
            StorageError: The run is unknown, the disk is full, or another process holds the ledger.

        """
        items = [
            {"run": run, "feature": str(e.feature), "kind": e.kind.value, "evidence": e.id, "at": _now()}
            for e in evidence
        ]
        with writing(self._engine, self.where) as connection:
            for table, values in evidence_tables(evidence):
                self.add(connection, table, values)
            self.add(connection, RunEvidenceRow, items)

    def latest_evidence(self, feature: FeatureRef, kind: EvidenceKind) -> Evidence | None:
        """What the last run that measured `kind` of `feature` by itself came to; None if none did."""
        item = select(RunEvidenceRow.evidence).where(RunEvidenceRow.feature == str(feature))
        item = item.where(RunEvidenceRow.kind == kind.value).order_by(RunEvidenceRow.seq.desc()).limit(1)
        query = select(EvidenceRow.record).where(EvidenceRow.id == item.scalar_subquery())
        found = self._texts(query)
        return self._read(Evidence, found[0]) if found else None

    def evidence_done(self, work_key: str) -> list[Evidence]:
        """What runs have measured by itself under `work_key`, in order, each once."""
        seq = func.max(RunEvidenceRow.seq).label("seq")
        items = select(RunEvidenceRow.evidence, seq).join(RunRow, RunRow.id == RunEvidenceRow.run)
        items = items.where(RunRow.work_key == work_key).group_by(RunEvidenceRow.evidence)
        last = items.subquery()
        query = select(EvidenceRow.record).join(last, last.c.evidence == EvidenceRow.id).order_by(last.c.seq)
        return [self._read(Evidence, text) for text in self._texts(query)]

    def latest_card(self, feature: FeatureRef) -> FeatureCard | None:
        """The card that the last run came to; None if the feature was never looked at."""
        with reading(self._engine, self.where) as connection:
            found = self._current(connection, feature)
        return found and found.card

    def card_history(self, feature: FeatureRef) -> list[FeatureCard]:
        """Every card of `feature`, newest first, each once; empty if it was never looked at."""
        newest = func.max(RunItemRow.seq)
        items = select(RunItemRow.card, newest.label("seq")).where(RunItemRow.feature == str(feature))
        last = items.group_by(RunItemRow.card).subquery()
        query = select(CardRow.record).join(last, last.c.card == CardRow.id).order_by(last.c.seq.desc())
        return [self._read(FeatureCard, text) for text in self._texts(query)]

    def cards(self, subject: str | None = None, dictionary: str | None = None) -> Iterator[StoredCard]:
        """The current card of each feature, by subject, dictionary and index."""
        query = select(CardRow.id, CardRow.record).join(RunItemRow, RunItemRow.card == CardRow.id)
        query = query.join(FeatureRow, FeatureRow.id == CardRow.feature).where(
            RunItemRow.seq.in_(_current_items())
        )
        if subject is not None:
            query = query.where(FeatureRow.subject == subject)
        if dictionary is not None:
            query = query.where(FeatureRow.dictionary == dictionary)
        query = query.order_by(FeatureRow.subject, FeatureRow.dictionary, FeatureRow.index)
        with reading(self._engine, self.where) as connection:
            for card_id, record in connection.execution_options(yield_per=200).execute(query):
                yield StoredCard(card_id, self._read(FeatureCard, record))

    def labelled_ids(self) -> frozenset[str]:
        """Ids of the current cards whose label stands: neither missing nor rejected."""
        query = select(CardRow.id).join(RunItemRow, RunItemRow.card == CardRow.id)
        query = query.where(RunItemRow.seq.in_(_current_items()), CardRow.explanation.is_not(None))
        query = query.where(CardRow.verdict != VerdictKind.ABSTAINED.value)
        return frozenset(self._texts(query))

    def cards_by_id(self, ids: Iterable[str]) -> Iterator[StoredCard]:
        """The cards with these ids, in this order and each once, as far as they exist."""
        wanted = list(dict.fromkeys(ids))
        for start in range(0, len(wanted), 200):
            part = wanted[start : start + 200]
            query = select(CardRow.id, CardRow.record).where(CardRow.id.in_(part))
            with reading(self._engine, self.where) as connection:
                found = {card_id: record for card_id, record in connection.execute(query)}
            for card_id in part:
                if card_id in found:
                    yield StoredCard(card_id, self._read(FeatureCard, found[card_id]))

    def evidence(self, evidence_id: str) -> Evidence | None:
        """The evidence with this id; None if there is none."""
        found = self._texts(select(EvidenceRow.record).where(EvidenceRow.id == evidence_id))
        return self._read(Evidence, found[0]) if found else None

    def explanations(self, feature: FeatureRef) -> list[Explanation]:
        """Everything that was ever claimed of `feature`, by id."""
        query = select(ExplanationRow.record).where(ExplanationRow.feature == str(feature))
        return [self._read(Explanation, text) for text in self._texts(query.order_by(ExplanationRow.id))]

    def items_done(self, work_key: str) -> dict[str, str]:
        """Features (as text) that any run has finished under `work_key`, with the ids of their cards."""
        query = select(RunItemRow.feature, RunItemRow.card).join(RunRow, RunRow.id == RunItemRow.run)
        query = query.where(RunRow.work_key == work_key).order_by(RunItemRow.seq)
        with reading(self._engine, self.where) as connection:
            return {feature: card for feature, card in connection.execute(query)}

    def dictionaries(self) -> list[tuple[str, str]]:
        """Subject and dictionary names that something is stored of."""
        query = select(FeatureRow.subject, FeatureRow.dictionary).distinct()
        with reading(self._engine, self.where) as connection:
            return sorted((subject, dictionary) for subject, dictionary in connection.execute(query))

    def counts(self) -> LedgerCounts:
        """How much is stored."""
        tables = (
            FeatureRow, ExplanationRow, CardRow, ScoreRow, EvidenceRow, RunRow,
            InvestigationRow, TraceEventRow, FindingRow, DictionaryEvidenceRow,
        )  # fmt: skip
        with reading(self._engine, self.where) as connection:
            return LedgerCounts(
                *(connection.execute(select(func.count()).select_from(t)).scalar_one() for t in tables)
            )

    def check(self) -> None:
        """Read every page and every record; raises `CorruptFileError` at the first that is not sound."""
        page_check(self._engine, self.where)
        kinds = (
            (CardRow.record, FeatureCard),
            (EvidenceRow.record, Evidence),
            (ExplanationRow.record, Explanation),
            (DictionaryEvidenceRow.record, DictionaryEvidence),
            (TraceEventRow.record, TraceEvent),
            (FindingRow.record, Finding),
        )
        for column, record in kinds:
            with reading(self._engine, self.where) as connection:
                for text in connection.execution_options(yield_per=200).scalars(select(column)):
                    self._read(record, text)

    def _make_tables(self) -> None:
        with reading(self._engine, self.where) as connection:
            version = schema_version(connection)
        refuse_newer(version, self.where)
        if version == SCHEMA_VERSION:
            return
        with writing(self._engine, self.where) as connection:
            add_missing_tables(connection, self.where)
            row = {"version": SCHEMA_VERSION, "written_by": glossator.__version__, "at": _now()}
            self.add(connection, SchemaRow, [row])

    def add_rows(self, table: type[Table], rows: Sequence[Mapping[str, object]]) -> None:
        """Add `rows` to `table` in one transaction; those whose key is there already are left out."""
        self.add_together([(table, rows)])

    def add_together(self, tables: Sequence[tuple[type[Table], Sequence[Mapping[str, object]]]]) -> None:
        """Add rows to several tables, in this order, in one transaction: all of them or none."""
        with writing(self._engine, self.where) as connection:
            for table, rows in tables:
                self.add(connection, table, rows)

    def writing(self) -> AbstractContextManager[Connection]:
        """A write transaction: all of it is stored, or nothing. Keep it short; others wait."""
        return writing(self._engine, self.where)

    @property
    def is_server(self) -> bool:
        """It is a database server, which machines may share; else a file on this one."""
        return self._engine.dialect.name == "postgresql"

    def read_rows(self, query: Executable) -> Sequence[Mapping[str, Any]]:
        """What `query` finds, all at once: values by the names of columns."""
        with reading(self._engine, self.where) as connection:
            return [{**row} for row in connection.execute(query).mappings()]

    def add(self, connection: Connection, table: type[Table], rows: Sequence[Mapping[str, object]]) -> None:
        """Add `rows` within a transaction of `writing`; those whose key is there already are left out."""
        if rows:
            dialect = postgresql if self.is_server else sqlite
            values = [{name: storable(value) for name, value in row.items()} for row in rows]
            connection.execute(dialect.insert(table).on_conflict_do_nothing(), values)

    def _texts(self, query: Select[str]) -> list[str]:
        with reading(self._engine, self.where) as connection:
            return list(connection.scalars(query))

    def _read(self, record: type[AnyRecord], text: str) -> AnyRecord:
        try:
            return record.model_validate_json(text)
        except ValidationError as error:
            raise CorruptFileError(
                f"the ledger {self.where!r} holds a {record.__name__} that this Glossator "
                f"({glossator.__version__}) cannot read: {error.errors()[0]['msg']} in {text[:60]!r}…"
            ) from error


def run_row(run: str, command: str, settings: Mapping[str, object], work_key: str = "") -> dict[str, object]:
    """The row of a run that begins now."""
    kept = {"id": run, "command": command, "work_key": work_key, "settings": plain_json(dict(settings))}
    return {**kept, "written_by": glossator.__version__, "at": _now()}


def storable(value: object) -> object:
    """`value` as every database takes it: PostgreSQL has no text with the character 0."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value


def _current_items() -> Select[int]:
    return select(func.max(RunItemRow.seq)).group_by(RunItemRow.feature)


def _newest(feature: FeatureRef) -> ScalarSelect[str]:
    item = select(RunItemRow.card).where(RunItemRow.feature == str(feature))
    return item.order_by(RunItemRow.seq.desc()).limit(1).scalar_subquery()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
