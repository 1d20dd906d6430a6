"""Where evidence is cited, and which ids are near to one that does not exist."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Executable, select

from glossator.errors import UnknownNameError
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import (
    CardRow,
    DictionaryEvidenceRow,
    EvidenceRow,
    FindingRow,
    Table,
    TraceEventRow,
)
from glossator.records import AnyEvidence, Evidence, Finding

_NEAR = 5
_SHORTEST = 6
"""Characters from which on the beginning of an id stands for it."""


class Citations(NamedTuple):
    """What stands on a piece of evidence."""

    cards: tuple[str, ...]
    """Ids of cards of the feature."""
    findings: tuple[Finding, ...]
    investigations: tuple[str, ...]
    """Investigations in whose traces it appears."""


def find_evidence(store: InvestigationStore, identity: str) -> AnyEvidence:
    """The evidence with this id, or the only one whose id begins so.

    Raises:
        UnknownNameError: there is none, or there are several; names the nearest.

    """
    wanted = identity.strip()
    found = store.evidence(wanted)
    if found is not None:
        return found
    near = _beginning(store.ledger, wanted) if wanted else []
    if len(near) == 1 and len(wanted) >= _SHORTEST:
        only = store.evidence(near[0])
        if only is not None:
            return only
    if near:
        told = f"begins the ids of {len(near)} or more, such as {', '.join(near[:_NEAR])}: give all of it"
        raise UnknownNameError(f"the evidence {identity!r} {told}")
    nearest = _nearest(store.ledger, wanted)
    raise UnknownNameError(f"there is no evidence {identity!r} in this ledger{nearest}")


def citations(ledger: Ledger, evidence: AnyEvidence) -> Citations:
    """Cards, findings and investigations that name the evidence."""
    cards: list[str] = []
    if isinstance(evidence, Evidence):
        query = select(CardRow.id).where(CardRow.feature == str(evidence.feature))
        cards = [r["id"] for r in ledger.read_rows(query.where(CardRow.record.contains(evidence.id)))]
    found = ledger.read_rows(select(FindingRow.record).where(FindingRow.record.contains(evidence.id)))
    named = select(TraceEventRow.investigation).distinct().where(TraceEventRow.record.contains(evidence.id))
    return Citations(
        tuple(cards),
        tuple(Finding.model_validate_json(r["record"]) for r in found),
        tuple(sorted(r["investigation"] for r in ledger.read_rows(named))),
    )


def _nearest(ledger: Ledger, wanted: str) -> str:
    """`; the nearest are …`: those that share the longest beginning."""
    for length in range(len(wanted) - 1, 2, -1):
        near = _beginning(ledger, wanted[:length])
        if near:
            return f"; the nearest are {', '.join(near[:_NEAR])}"
    return ": cards (glossator show) and answers name the ids of their evidence"


def _beginning(ledger: Ledger, start: str) -> list[str]:
    tables: tuple[type[Table], ...] = (EvidenceRow, DictionaryEvidenceRow)
    return sorted(r["id"] for table in tables for r in ledger.read_rows(_ids(table, start)))


def _ids(table: type[Table], start: str) -> Executable:
    column = table.__table__.c["id"]
    return select(column).where(column.startswith(start, autoescape=True)).order_by(column).limit(_NEAR + 1)
