"""The ledger's tables: one row per fact, its record as JSON beside the columns that are searched.

Rows are only ever added. Triggers refuse UPDATE and DELETE on every table, in SQLite and in
PostgreSQL, so that not even a hand at the database's own prompt rewrites a fact by accident. Two tables
are no facts but who is at what at present (`STATE_TABLES`): they are updated, and never deleted from.
"""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA_VERSION = 5
"""Raised by one whenever a table changes; an older Glossator refuses a newer ledger.

Version 2 added `llm_calls`, version 3 `run_evidence`, version 4 `investigations`, `trace_events`, `findings`,
`finding_sources` and `dictionary_evidence`, version 5 `labelling_runs`, `run_events`, `work_items` and
`run_workers`."""


class Table(DeclarativeBase):
    """What all tables share."""

    metadata = MetaData()


class SchemaRow(Table):
    """Which version of these tables the ledger was made with."""

    __tablename__ = "schema_versions"
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    written_by: Mapped[str] = mapped_column(String(64))
    at: Mapped[str] = mapped_column(String(40))


class FeatureRow(Table):
    """A feature that something is known of."""

    __tablename__ = "features"
    id: Mapped[str] = mapped_column(String(400), primary_key=True)
    subject: Mapped[str] = mapped_column(String(200), index=True)
    dictionary: Mapped[str] = mapped_column(String(200))
    index: Mapped[int] = mapped_column(Integer)


class RunRow(Table):
    """One start of a command that stores results."""

    __tablename__ = "runs"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    command: Mapped[str] = mapped_column(String(200))
    work_key: Mapped[str] = mapped_column(String(80), index=True)
    settings: Mapped[str] = mapped_column(Text)
    written_by: Mapped[str] = mapped_column(String(64))
    at: Mapped[str] = mapped_column(String(40))


class EvidenceRow(Table):
    """One `Evidence`."""

    __tablename__ = "evidence"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    feature: Mapped[str] = mapped_column(ForeignKey("features.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    record: Mapped[str] = mapped_column(Text)


class ExplanationRow(Table):
    """One `Explanation`."""

    __tablename__ = "explanations"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    feature: Mapped[str] = mapped_column(ForeignKey("features.id"), index=True)
    author: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    record: Mapped[str] = mapped_column(Text)


class CardRow(Table):
    """One `FeatureCard`: the verdict on a feature with everything that it rests on."""

    __tablename__ = "cards"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    feature: Mapped[str] = mapped_column(ForeignKey("features.id"), index=True)
    explanation: Mapped[str | None] = mapped_column(ForeignKey("explanations.id"))
    verdict: Mapped[str] = mapped_column(String(20))
    index_identity: Mapped[str] = mapped_column(String(128))
    record: Mapped[str] = mapped_column(Text)


class ScoreRow(Table):
    """One `Score` of one card."""

    __tablename__ = "scores"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    card: Mapped[str] = mapped_column(ForeignKey("cards.id"), index=True)
    method: Mapped[str] = mapped_column(String(40))
    metric: Mapped[str] = mapped_column(String(40))
    reader: Mapped[str] = mapped_column(String(200))
    negatives: Mapped[str] = mapped_column(String(40))
    split: Mapped[str] = mapped_column(String(20))
    threshold: Mapped[float] = mapped_column(Float)
    value: Mapped[float | None] = mapped_column(Float)
    record: Mapped[str] = mapped_column(Text)


class RunItemRow(Table):
    """A run came to this card for this feature; the item with the highest `seq` is the current one."""

    __tablename__ = "run_items"
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    run: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    feature: Mapped[str] = mapped_column(ForeignKey("features.id"))
    card: Mapped[str] = mapped_column(ForeignKey("cards.id"))
    at: Mapped[str] = mapped_column(String(40))
    __table_args__ = (UniqueConstraint("run", "feature", "card"), Index("run_items_latest", "feature", "seq"))


class RunEvidenceRow(Table):
    """A run came to this evidence; of one kind of one feature, the row with the highest `seq` is the
    current one. Evidence that a card cites has no such row: its place is the card's."""

    __tablename__ = "run_evidence"
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    run: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    feature: Mapped[str] = mapped_column(ForeignKey("features.id"))
    kind: Mapped[str] = mapped_column(String(40))
    evidence: Mapped[str] = mapped_column(ForeignKey("evidence.id"))
    at: Mapped[str] = mapped_column(String(40))
    __table_args__ = (
        UniqueConstraint("run", "evidence"),
        Index("run_evidence_latest", "feature", "kind", "seq"),
    )


class LlmCallRow(Table):
    """One answer of a language model that was paid for. What was asked is kept as a hash only: prompts
    of scorers hold sealed text."""

    __tablename__ = "llm_calls"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    identity: Mapped[str] = mapped_column(String(400), index=True)
    model: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    run: Mapped[str] = mapped_column(String(40))
    prompt: Mapped[str] = mapped_column(String(80))
    prompt_version: Mapped[int] = mapped_column(Integer)
    prompt_sha256: Mapped[str] = mapped_column(String(64))
    answer: Mapped[str] = mapped_column(Text)
    input_tokens: Mapped[int | None] = mapped_column(Integer)
    output_tokens: Mapped[int | None] = mapped_column(Integer)
    cached_tokens: Mapped[int] = mapped_column(Integer)
    counter: Mapped[str] = mapped_column(String(80))
    estimated_input: Mapped[int] = mapped_column(Integer)
    estimated_output: Mapped[int] = mapped_column(Integer)
    usd: Mapped[float | None] = mapped_column(Float)
    at: Mapped[str] = mapped_column(String(40))


class InvestigationRow(Table):
    """One investigation of a feature or a request. What came of it stands in its last trace event."""

    __tablename__ = "investigations"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(200), index=True)
    dictionary: Mapped[str] = mapped_column(String(200))
    asked: Mapped[str] = mapped_column(Text)
    work_key: Mapped[str] = mapped_column(String(80), index=True)
    continues: Mapped[str] = mapped_column(String(40))
    settings: Mapped[str] = mapped_column(Text)
    written_by: Mapped[str] = mapped_column(String(64))
    at: Mapped[str] = mapped_column(String(40))


class TraceEventRow(Table):
    """One `TraceEvent`. A step that is run again adds nothing that is there already."""

    __tablename__ = "trace_events"
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    investigation: Mapped[str] = mapped_column(ForeignKey("investigations.id"), index=True)
    step: Mapped[str] = mapped_column(String(120))
    number: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(20))
    record: Mapped[str] = mapped_column(Text)
    at: Mapped[str] = mapped_column(String(40))
    __table_args__ = (UniqueConstraint("investigation", "step", "number"),)


class DictionaryEvidenceRow(Table):
    """One `DictionaryEvidence`."""

    __tablename__ = "dictionary_evidence"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    subject: Mapped[str] = mapped_column(String(200), index=True)
    dictionary: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(40))
    record: Mapped[str] = mapped_column(Text)


class FindingRow(Table):
    """One `Finding`; found again, it is the same row."""

    __tablename__ = "findings"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    subject: Mapped[str] = mapped_column(String(200), index=True)
    dictionary: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text)
    record: Mapped[str] = mapped_column(Text)
    at: Mapped[str] = mapped_column(String(40))


class FindingSourceRow(Table):
    """An investigation came to this finding; the last one to come to it has the highest `seq`."""

    __tablename__ = "finding_sources"
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    finding: Mapped[str] = mapped_column(ForeignKey("findings.id"), index=True)
    investigation: Mapped[str] = mapped_column(ForeignKey("investigations.id"), index=True)
    at: Mapped[str] = mapped_column(String(40))
    __table_args__ = (UniqueConstraint("finding", "investigation"),)


class LabellingRunRow(Table):
    """One order to label many features; its id is that of its row in `runs`."""

    __tablename__ = "labelling_runs"
    id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    plan: Mapped[str] = mapped_column(Text)
    at: Mapped[str] = mapped_column(String(40))


class RunEventRow(Table):
    """One `RunEvent` of a labelling run."""

    __tablename__ = "run_events"
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    run: Mapped[str] = mapped_column(ForeignKey("labelling_runs.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    record: Mapped[str] = mapped_column(Text)
    at: Mapped[str] = mapped_column(String(40))


_PLANNED = text("state = 'planned'")


class WorkItemRow(Table):
    """One feature of a labelling run as it stands; features with low numbers come first."""

    __tablename__ = "work_items"
    run: Mapped[str] = mapped_column(ForeignKey("labelling_runs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    feature: Mapped[str] = mapped_column(String(400))
    work_key: Mapped[str] = mapped_column(String(80))
    priority: Mapped[float] = mapped_column(Float)
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(Integer)
    variant: Mapped[int] = mapped_column(Integer)
    worker: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(Text)
    retryable: Mapped[bool] = mapped_column(Boolean)
    card: Mapped[str | None] = mapped_column(String(40))
    investigation: Mapped[str | None] = mapped_column(String(40))
    verdict: Mapped[str] = mapped_column(String(20))
    value: Mapped[float | None] = mapped_column(Float)
    spending: Mapped[str | None] = mapped_column(Text)
    seconds: Mapped[float | None] = mapped_column(Float)
    ended: Mapped[int] = mapped_column(BigInteger)
    __table_args__ = (
        Index("work_items_by_state", "run", "state", "number"),
        # Without it PostgreSQL may walk past everything that has ended to find what comes next.
        Index("work_items_next", "run", "number", postgresql_where=_PLANNED, sqlite_where=_PLANNED),
        Index("work_items_same", "work_key", "feature"),
        Index("work_items_ended", "run", "ended"),
    )


class RunWorkerRow(Table):
    """One process at work on a labelling run: until when it counts as alive, and what it may spend.

    `granted_*` is what it may have spent at most, `spent_*` what it said last; see `run_workers.py`."""

    __tablename__ = "run_workers"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    run: Mapped[str] = mapped_column(ForeignKey("labelling_runs.id"), index=True)
    host: Mapped[str] = mapped_column(String(200))
    process: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(10))
    boot: Mapped[str] = mapped_column(String(64))
    alive_until: Mapped[float] = mapped_column(Float)
    granted_calls: Mapped[int] = mapped_column(Integer)
    granted_tokens: Mapped[int] = mapped_column(BigInteger)
    granted_usd: Mapped[float] = mapped_column(Float)
    spent_calls: Mapped[int] = mapped_column(Integer)
    spent_tokens: Mapped[int] = mapped_column(BigInteger)
    spent_usd: Mapped[float] = mapped_column(Float)
    load: Mapped[str] = mapped_column(Text)
    at: Mapped[str] = mapped_column(String(40))


STATE_TABLES: frozenset[str] = frozenset({WorkItemRow.__tablename__, RunWorkerRow.__tablename__})
"""Tables whose rows change: what is going on, not what was found out."""

ADDED_IN: dict[int, tuple[type[Table], ...]] = {
    2: (LlmCallRow,),
    3: (RunEvidenceRow,),
    4: (InvestigationRow, TraceEventRow, DictionaryEvidenceRow, FindingRow, FindingSourceRow),
    5: (LabellingRunRow, RunEventRow, WorkItemRow, RunWorkerRow),
}
"""Tables that a ledger of an older version lacks, by the version that added them."""


_SQLITE_GUARD = """CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"""

_POSTGRES_REFUSAL = """CREATE OR REPLACE FUNCTION glossator_append_only() RETURNS trigger AS $$
BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$ LANGUAGE plpgsql"""

_POSTGRES_GUARD = """CREATE TRIGGER {table}_append_only BEFORE {verbs} ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION glossator_append_only()"""


def _guard_tables() -> None:
    event.listen(Table.metadata, "before_create", DDL(_POSTGRES_REFUSAL).execute_if(dialect="postgresql"))
    for name, table in Table.metadata.tables.items():
        for verb in ("DELETE",) if name in STATE_TABLES else ("UPDATE", "DELETE"):
            guard = DDL(_SQLITE_GUARD.format(table=name, verb=verb))
            event.listen(table, "after_create", guard.execute_if(dialect="sqlite"))
        verbs = "DELETE OR TRUNCATE" if name in STATE_TABLES else "UPDATE OR DELETE OR TRUNCATE"
        guard = DDL(_POSTGRES_GUARD.format(table=name, verbs=verbs))
        event.listen(table, "after_create", guard.execute_if(dialect="postgresql"))


_guard_tables()
