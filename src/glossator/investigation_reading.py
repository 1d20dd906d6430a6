"""Investigations read back from the ledger: their events, what they came to, and what an audit says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from glossator.agents.trace.audit import AuditFlag, audit
from glossator.agents.trace.reading import claims_in, result_of
from glossator.memory.investigation_store import InvestigationStore, StoredInvestigation
from glossator.records import Answer, FeatureInvestigation, StoredEvent


class ReadInvestigation(NamedTuple):
    """One investigation with its whole trace."""

    stored: StoredInvestigation
    events: tuple[StoredEvent, ...]
    flags: tuple[AuditFlag, ...]


class ListedInvestigation(NamedTuple):
    """One investigation in a list."""

    stored: StoredInvestigation
    result: FeatureInvestigation | Answer | None
    """None where it has not finished."""


def read_investigation(store: InvestigationStore, identity: str) -> ReadInvestigation:
    """The investigation `identity`, or the only one whose id begins so, audited.

    Raises:
        UnknownNameError: there is none, or there are several.

    """
    stored = store.find(identity)
    events = tuple(store.events(stored.id))
    cited = {i for s in events for i in s.event.evidence}
    cited |= {i for s in events for claim in claims_in(s.event) for i in claim.evidence}
    known = store.existing(sorted(cited))
    return ReadInvestigation(stored, events, audit(events, known.__contains__))


def list_investigations(store: InvestigationStore, limit: int) -> list[ListedInvestigation]:
    """The newest investigations, newest first."""
    found: Sequence[StoredInvestigation] = store.all(limit)
    ends = store.results([s.id for s in found])
    return [ListedInvestigation(s, result_of(ends[s.id]) if s.id in ends else None) for s in found]
