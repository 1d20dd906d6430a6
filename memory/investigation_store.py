"""Investigations in the ledger: what was asked, every event of their traces, and evidence of no one feature.

Append-only like everything in the ledger. An investigation's state is that of its last event.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import func, select

import glossator
from glossator.errors import UnknownNameError
from glossator.memory.card_rows import plain_json
from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import (
    DictionaryEvidenceRow,
    EvidenceRow,
    InvestigationRow,
    TraceEventRow,
)
from glossator.records import (
    AnyEvidence,
    DictionaryEvidence,
    Evidence,
    FeatureNames,
    StoredEvent,
    TraceEvent,
    TraceKind,
)

_AT_ONCE = 500
"""Ids in one question to the database, which takes a limited number."""

InvestigationKind = Literal["feature", "request"]
State = Literal["finished", "failed", "unfinished"]


class StoredInvestigation(NamedTuple):
    """One investigation, as it was begun and as it stands."""

    id: str
    kind: InvestigationKind
    names: FeatureNames
    asked: str
    """The feature, or the request in words."""
    work_key: str
    continues: str
    """The investigation whose conversation this goes on with; empty for none."""
    settings: str
    """JSON."""
    at: str
    state: State


class InvestigationStore:
    """Investigations, their events, and evidence of whole dictionaries. Its methods block; any thread."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def start(
        self,
        kind: InvestigationKind,
        names: FeatureNames,
        asked: str,
        settings: Mapping[str, object],
        *,
        work_key: str = "",
        continues: str = "",
    ) -> str:
        """Note that an investigation begins; returns its id. Several may share a `work_key`."""
        identity = f"i-{uuid.uuid4().hex[:12]}"
        row = {
            "id": identity, "kind": kind, "subject": names.subject, "dictionary": names.dictionary,
            "asked": asked, "work_key": work_key, "continues": continues,
            "settings": plain_json(dict(settings)), "written_by": glossator.__version__, "at": _now(),
        }  # fmt: skip
        self.ledger.add_rows(InvestigationRow, [row])
        return identity

    def find(self, identity: str) -> StoredInvestigation:
        """The investigation `identity`, or the only one whose id begins so.

        Raises:
            UnknownNameError: there is none, or there are several.

        """
        query = select(*InvestigationRow.__table__.columns).where(
            InvestigationRow.id.startswith(identity, autoescape=True)
        )
        rows = self.ledger.read_rows(query)
        if len(rows) != 1:
            found = ", ".join(row["id"] for row in rows[:5])
            told = f"begins several: {found}" if rows else "is not in this ledger: glossator investigations"
            raise UnknownNameError(f"the investigation {identity!r} {told}")
        return self._stored(rows[0])

    def all(self, limit: int = 50, work_key: str | None = None) -> list[StoredInvestigation]:
        """The newest investigations, newest first."""
        query = select(*InvestigationRow.__table__.columns)
        if work_key is not None:
            query = query.where(InvestigationRow.work_key == work_key)
        query = query.order_by(InvestigationRow.at.desc(), InvestigationRow.id).limit(limit)
        return [self._stored(row) for row in self.ledger.read_rows(query)]

    def append(self, investigation: str, events: Sequence[TraceEvent]) -> None:
        """Add events; those whose step and number are there already are left as they are."""
        now = _now()
        rows = [
            {
                "investigation": investigation, "step": e.step, "number": e.number, "kind": e.kind.value,
                "record": e.model_dump_json(), "at": now,
            }
            for e in events
        ]  # fmt: skip
        self.ledger.add_rows(TraceEventRow, rows)

    def events(self, investigation: str, after: int = 0) -> list[StoredEvent]:
        """Every event of an investigation whose `seq` is above `after`, in order."""
        query = select(*TraceEventRow.__table__.columns)
        query = query.where(TraceEventRow.investigation == investigation, TraceEventRow.seq > after)
        return [_event(row) for row in self.ledger.read_rows(query.order_by(TraceEventRow.seq))]

    def results(self, investigations: Sequence[str]) -> dict[str, TraceEvent]:
        """The events that finished these investigations, by their ids; those that have not are missing."""
        found: dict[str, TraceEvent] = {}
        for start in range(0, len(investigations), _AT_ONCE):
            query = select(TraceEventRow.investigation, TraceEventRow.record).where(
                TraceEventRow.kind == TraceKind.FINISHED.value,
                TraceEventRow.investigation.in_(list(investigations[start : start + _AT_ONCE])),
            )
            for row in self.ledger.read_rows(query.order_by(TraceEventRow.seq)):
                found[row["investigation"]] = TraceEvent.model_validate_json(row["record"])
        return found

    def save_evidence(self, run: str, evidence: Sequence[AnyEvidence]) -> None:
        """Store evidence of either kind; `run` is the ledger's run that measured it.

        Raises:
            StorageError: The run is unknown, the disk is full, or another process holds the ledger.

        """
        own = [e for e in evidence if isinstance(e, Evidence)]
        if own:
            self.ledger.save_evidence(run, own)
        wide = [e for e in evidence if isinstance(e, DictionaryEvidence)]
        rows = [
            {
                "id": e.id, "subject": e.subject, "dictionary": e.dictionary, "kind": e.kind.value,
                "record": e.model_dump_json(),
            }
            for e in wide
        ]  # fmt: skip
        self.ledger.add_rows(DictionaryEvidenceRow, rows)

    def evidence(self, identity: str) -> AnyEvidence | None:
        """Evidence of either kind; None if there is none with this id."""
        own = self.ledger.evidence(identity)
        if own is not None:
            return own
        query = select(DictionaryEvidenceRow.record).where(DictionaryEvidenceRow.id == identity)
        rows = self.ledger.read_rows(query)
        return DictionaryEvidence.model_validate_json(rows[0]["record"]) if rows else None

    def existing(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of `ids` that are evidence in this ledger."""
        found: set[str] = set()
        for table in (EvidenceRow, DictionaryEvidenceRow):
            for start in range(0, len(ids), _AT_ONCE):
                query = select(table.id).where(table.id.in_(list(ids[start : start + _AT_ONCE])))
                found |= {row["id"] for row in self.ledger.read_rows(query)}
        return frozenset(found)

    def _stored(self, row: Mapping[str, Any]) -> StoredInvestigation:
        last = select(func.max(TraceEventRow.seq)).where(TraceEventRow.investigation == row["id"])
        query = select(TraceEventRow.kind).where(TraceEventRow.seq == last.scalar_subquery())
        kinds = [r["kind"] for r in self.ledger.read_rows(query)]
        ended: dict[str, State] = {TraceKind.FINISHED.value: "finished", TraceKind.FAILED.value: "failed"}
        state = ended.get(kinds[0], "unfinished") if kinds else "unfinished"
        return StoredInvestigation(
            id=row["id"], kind=row["kind"], names=FeatureNames(row["subject"], row["dictionary"]),
            asked=row["asked"], work_key=row["work_key"], continues=row["continues"],
            settings=row["settings"], at=row["at"], state=state,
        )  # fmt: skip


def _event(row: Mapping[str, Any]) -> StoredEvent:
    return StoredEvent(seq=row["seq"], at=row["at"], event=TraceEvent.model_validate_json(row["record"]))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
