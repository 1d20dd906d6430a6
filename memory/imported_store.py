"""Labels of others in the ledger: stored as evidence, to be scored by a later run, and found by author."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import EvidenceRow, FeatureRow, RunEvidenceRow
from glossator.records import Evidence, EvidenceKind, FeatureNames, FeatureRef, ImportedLabel

_AT_ONCE = 500


def store_imported(ledger: Ledger, names: FeatureNames, labels: Iterable[ImportedLabel]) -> str:
    """Store `labels` of one dictionary; returns the id of the run that stands for the import.

    Raises:
        StorageError: the disk is full, or another process holds the ledger.
    """
    run = ledger.start_run("import", {"subject": names.subject, "dictionary": names.dictionary})
    found = [label.as_evidence(_ref(names, label.feature)) for label in labels]
    for start in range(0, len(found), _AT_ONCE):
        ledger.save_evidence(run, found[start : start + _AT_ONCE])
    return run


def imported_labels(ledger: Ledger, names: FeatureNames, author: str) -> dict[int, ImportedLabel]:
    """The labels by `author` that were stored last, one a feature; empty where none were.

    The form in which a run takes labels of others: feature to label.
    """
    query = select(EvidenceRow.record).join(RunEvidenceRow, RunEvidenceRow.evidence == EvidenceRow.id)
    query = query.join(FeatureRow, FeatureRow.id == EvidenceRow.feature)
    query = query.where(FeatureRow.subject == names.subject, FeatureRow.dictionary == names.dictionary)
    query = query.where(EvidenceRow.kind == EvidenceKind.IMPORTED.value).order_by(RunEvidenceRow.seq)
    records = (Evidence.model_validate_json(row["record"]) for row in ledger.read_rows(query))
    labels = (ImportedLabel.model_validate(record.payload) for record in records)
    return {label.feature: label for label in labels if label.author == author}


def _ref(names: FeatureNames, feature: int) -> FeatureRef:
    return FeatureRef(subject=names.subject, dictionary=names.dictionary, index=feature)
