"""Labels that are accepted now, many at once: the current cards' explanations, without reading the cards."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import CardRow, ExplanationRow, FeatureRow, RunItemRow
from glossator.records import Explanation, FeatureNames, FeatureRef, VerdictKind

_AT_ONCE = 500


def accepted_labels(
    ledger: Ledger, names: FeatureNames, features: Sequence[int] | None = None
) -> list[Explanation]:
    """Explanations of one subject and dictionary whose current card accepts them, by feature.

    Of `features` alone, if given.
    """
    if features is None:
        return _read(ledger, names, None)
    wanted = sorted(set(features))
    parts = [wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE)]
    return [label for part in parts for label in _read(ledger, names, part)]


def _read(ledger: Ledger, names: FeatureNames, features: Sequence[int] | None) -> list[Explanation]:
    current = select(func.max(RunItemRow.seq)).group_by(RunItemRow.feature)
    query = select(ExplanationRow.record).join(CardRow, CardRow.explanation == ExplanationRow.id)
    query = query.join(RunItemRow, RunItemRow.card == CardRow.id)
    query = query.join(FeatureRow, FeatureRow.id == CardRow.feature)
    query = query.where(RunItemRow.seq.in_(current), CardRow.verdict == VerdictKind.ACCEPTED.value)
    query = query.where(FeatureRow.subject == names.subject, FeatureRow.dictionary == names.dictionary)
    if features is not None:
        query = query.where(FeatureRow.index.in_(list(features)))
    rows = ledger.read_rows(query.order_by(FeatureRow.index))
    return [Explanation.model_validate_json(row["record"]) for row in rows]


def explanations_of(
    ledger: Ledger, names: FeatureNames, features: Sequence[int]
) -> dict[int, list[Explanation]]:
    """Everything that was ever claimed of `features` on a card, by feature: where predicates are found."""
    refs = {f: FeatureRef(subject=names.subject, dictionary=names.dictionary, index=f) for f in features}
    return {feature: ledger.explanations(ref) for feature, ref in refs.items()}
