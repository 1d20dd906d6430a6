"""What features are called now, many at once: the current card's label and verdict, without reading cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, select

from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import CardRow, ExplanationRow, FeatureRow, RunItemRow
from glossator.records import FeatureNames, VerdictKind

_AT_ONCE = 500


class CurrentLabel(NamedTuple):
    """What the last run came to for one feature."""

    feature: int
    text: str
    """What was scored; empty where nothing was. Under an abstention it is a rejected hypothesis."""
    author: str
    verdict: VerdictKind
    card: str
    """Id of the card."""

    @property
    def stands(self) -> bool:
        """Whether the text is a label: neither missing nor rejected."""
        return bool(self.text) and self.verdict is not VerdictKind.ABSTAINED


def current_labels(
    ledger: Ledger, names: FeatureNames, features: Sequence[int] | None = None
) -> dict[int, CurrentLabel]:
    """What the features of one subject and dictionary are called, by index; of `features` alone if given.

    Features that were never looked at are missing.
    """
    if features is None:
        return _read(ledger, names, None)
    wanted, found = sorted(set(features)), dict[int, CurrentLabel]()
    for start in range(0, len(wanted), _AT_ONCE):
        found |= _read(ledger, names, wanted[start : start + _AT_ONCE])
    return found


def _read(ledger: Ledger, names: FeatureNames, features: Sequence[int] | None) -> dict[int, CurrentLabel]:
    latest = select(func.max(RunItemRow.seq)).group_by(RunItemRow.feature)
    if features is not None:  # of these alone, however many features the ledger holds
        ids = [f"{names.subject}/{names.dictionary}/{i}" for i in features]
        latest = latest.where(RunItemRow.feature.in_(ids))
    query = (
        select(FeatureRow.index, CardRow.id, CardRow.verdict, ExplanationRow.text, ExplanationRow.author)
        .join(RunItemRow, RunItemRow.feature == FeatureRow.id)
        .join(CardRow, CardRow.id == RunItemRow.card)
        .outerjoin(ExplanationRow, ExplanationRow.id == CardRow.explanation)
        .where(FeatureRow.subject == names.subject, FeatureRow.dictionary == names.dictionary)
        .where(RunItemRow.seq.in_(latest))
        .order_by(FeatureRow.index)
    )
    return {
        row["index"]: CurrentLabel(
            row["index"], row["text"] or "", row["author"] or "", VerdictKind(row["verdict"]), row["id"]
        )
        for row in ledger.read_rows(query)
    }
