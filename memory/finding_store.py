"""Findings in the ledger: what investigations learnt, each once, with every investigation that came to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select

from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import FindingRow, FindingSourceRow
from glossator.records import FeatureNames, Finding, FindingKind

_AT_ONCE = 500
"""Ids in one question to the database, which takes a limited number."""


class StoredFinding(NamedTuple):
    """A finding and where it came from."""

    finding: Finding
    investigations: tuple[str, ...]
    """Those that came to it, first to last."""
    at: str
    """When it was first found, ISO 8601 in UTC."""
    seq: int
    """Of its last source: of two that disagree, the larger is the newer."""


class FindingStore:
    """The ledger's findings. Its methods block, and may be called from any thread."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def add(self, investigation: str, findings: Sequence[Finding]) -> None:
        """Note that `investigation` came to `findings`, all or none; what is there already gains a source.

        Raises:
            StorageError: The investigation is unknown, the disk is full, or the ledger is held.

        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        rows = [
            {
                "id": f.id, "subject": f.subject, "dictionary": f.dictionary, "kind": f.kind.value,
                "text": f.text, "record": f.model_dump_json(), "at": now,
            }
            for f in findings
        ]  # fmt: skip
        sources = [{"finding": f.id, "investigation": investigation, "at": now} for f in findings]
        self._ledger.add_together([(FindingRow, rows), (FindingSourceRow, sources)])

    def all(
        self, names: FeatureNames, *, kinds: Sequence[FindingKind] = (), feature: int | None = None
    ) -> list[StoredFinding]:
        """Findings of one subject and dictionary, oldest first; of some kinds, of one feature.

        Another subject's or dictionary's are never among them.
        """
        query = select(FindingRow.record, FindingRow.at, FindingSourceRow.investigation, FindingSourceRow.seq)
        query = query.join(FindingSourceRow, FindingSourceRow.finding == FindingRow.id)
        query = query.where(
            FindingRow.subject == names.subject, FindingRow.dictionary == names.dictionary
        ).order_by(FindingSourceRow.seq)
        if kinds:
            query = query.where(FindingRow.kind.in_([k.value for k in kinds]))
        stored = _grouped(self._ledger.read_rows(query))
        return [s for s in stored if feature is None or feature in s.finding.features]

    def by_id(self, ids: Sequence[str]) -> dict[str, Finding]:
        """The findings with these ids, as far as they exist, in the order of `ids`."""
        found: dict[str, Finding] = {}
        for start in range(0, len(ids), _AT_ONCE):
            query = select(FindingRow.record).where(FindingRow.id.in_(list(ids[start : start + _AT_ONCE])))
            records = [Finding.model_validate_json(row["record"]) for row in self._ledger.read_rows(query)]
            found |= {f.id: f for f in records}
        return {i: found[i] for i in ids if i in found}

    def ids(self) -> frozenset[str]:
        """Ids of all findings, of whatever subject and dictionary."""
        return frozenset(row["id"] for row in self._ledger.read_rows(select(FindingRow.id)))

    def dictionaries(self) -> list[FeatureNames]:
        """Subjects and dictionaries that something was learnt of."""
        query = select(FindingRow.subject, FindingRow.dictionary).distinct()
        return sorted(
            FeatureNames(row["subject"], row["dictionary"]) for row in self._ledger.read_rows(query)
        )

    def count(self) -> int:
        """How many findings are stored."""
        query = select(func.count().label("n")).select_from(FindingRow)
        return self._ledger.read_rows(query)[0]["n"]


def _grouped(rows: Sequence[Mapping[str, Any]]) -> list[StoredFinding]:
    found: dict[str, StoredFinding] = {}
    for row in rows:
        finding = Finding.model_validate_json(row["record"])
        known = found.get(finding.id)
        sources = (*(known.investigations if known else ()), row["investigation"])
        found[finding.id] = StoredFinding(finding, sources, known.at if known else row["at"], row["seq"])
    return list(found.values())
