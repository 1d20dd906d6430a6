"""Records as rows of the ledger's tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from glossator.errors import StorageError
from glossator.memory.ledger_tables import CardRow, EvidenceRow, ExplanationRow, FeatureRow, ScoreRow, Table
from glossator.records import Evidence, Explanation, FeatureCard, FeatureRef, content_id

Rows = Sequence[Mapping[str, object]]


class CardRows(NamedTuple):
    """What storing one card adds, table by table, in an order that foreign keys allow."""

    card: str
    tables: tuple[tuple[type[Table], Rows], ...]


def card_rows(card: FeatureCard, evidence: Sequence[Evidence]) -> CardRows:
    """Rows of `card` with its explanation, those it was chosen from, its scores and `evidence`.

    Raises:
        StorageError: A number in the card is not finite.

    """
    tried = (card.explanation, *(c.explanation for c in card.candidates))
    claims = {claim.id: claim for claim in tried if claim is not None}
    card_id = id_of_card(card)
    named = (card.feature, *(e.feature for e in evidence), *(c.feature for c in claims.values()))
    features = {str(f): f for f in named}
    return CardRows(
        card_id,
        (
            (FeatureRow, [_feature_row(f) for f in features.values()]),
            (EvidenceRow, [_evidence_row(e) for e in evidence]),
            (ExplanationRow, [_explanation_row(c) for c in claims.values()]),
            (CardRow, [_card_row(card_id, card)]),
            (ScoreRow, _score_rows(card_id, card)),
        ),
    )


def id_of_card(card: FeatureCard) -> str:
    """The id that its content gives `card`; raises `StorageError` if a number in it is not finite."""
    try:
        return content_id("c", card.model_dump(mode="json"))
    except ValueError as error:
        raise StorageError(
            f"the card of {card.feature} holds a number that is not finite: measure it again"
        ) from error


def evidence_tables(evidence: Sequence[Evidence]) -> tuple[tuple[type[Table], Rows], ...]:
    """What storing `evidence` without a card adds, in an order that foreign keys allow."""
    features = {str(e.feature): e.feature for e in evidence}
    return (
        (FeatureRow, [_feature_row(f) for f in features.values()]),
        (EvidenceRow, [_evidence_row(e) for e in evidence]),
    )


def plain_json(value: object) -> str:
    """`value` as JSON text, keys in order."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _feature_row(feature: FeatureRef) -> dict[str, object]:
    kept = {"subject": feature.subject, "dictionary": feature.dictionary}
    return {"id": str(feature), **kept, "index": feature.index}


def _card_row(card_id: str, card: FeatureCard) -> dict[str, object]:
    kept = {"id": card_id, "feature": str(card.feature), "verdict": card.verdict.kind.value}
    claim = card.explanation.id if card.explanation else None
    return {
        **kept,
        "explanation": claim,
        "index_identity": card.index_identity,
        "record": card.model_dump_json(),
    }


def _evidence_row(evidence: Evidence) -> dict[str, object]:
    kept = {"id": evidence.id, "feature": str(evidence.feature), "kind": evidence.kind.value}
    return {**kept, "record": evidence.model_dump_json()}


def _explanation_row(claim: Explanation) -> dict[str, object]:
    kept = {"id": claim.id, "feature": str(claim.feature), "author": claim.author, "text": claim.text}
    return {**kept, "record": claim.model_dump_json()}


def _score_rows(card_id: str, card: FeatureCard) -> list[dict[str, object]]:
    columns = ("method", "metric", "reader", "negatives", "split", "threshold", "value")
    rows: list[dict[str, object]] = []
    for score in card.scores:
        plain = score.model_dump(mode="json")
        identity = content_id("s", [card_id, plain])
        rows.append(
            {"id": identity, "card": card_id, **{c: plain[c] for c in columns}, "record": plain_json(plain)}
        )
    return rows
