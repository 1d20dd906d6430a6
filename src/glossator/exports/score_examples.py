"""The single answers behind a score, read from its evidence: what was true, what was said, never the text."""

from __future__ import annotations

from typing import NamedTuple

from glossator.exports.context import FindEvidence
from glossator.records import EvidenceKind, Score


class ScoredExample(NamedTuple):
    """One example that a reader was asked about."""

    fires: bool
    """Whether the feature fires there (fuzzing: whether the marks are right)."""
    said: bool | None
    """What the reader said; None where it gave no answer."""
    probability: float | None
    """How probable the reader held it, where it can say."""


def scored_examples(score: Score, find: FindEvidence) -> tuple[ScoredExample, ...] | None:
    """The examples of a score by yes or no, in the order in which they were read; None if not stored."""
    evidence = None if score.evidence is None else find(score.evidence)
    if evidence is None or evidence.kind is not EvidenceKind.SCORE or not isinstance(evidence.payload, dict):
        return None
    fires, answers = (_listed(evidence.payload.get(key)) for key in ("fires", "answers"))
    if not fires or len(fires) != len(answers):
        return None
    probabilities = _listed(evidence.payload.get("probabilities")) or [None] * len(fires)
    return tuple(
        ScoredExample(bool(f), _answer(a), float(p) if isinstance(p, int | float) else None)
        for f, a, p in zip(fires, answers, probabilities, strict=True)
    )


def _listed(value: object) -> list[object]:
    return [*value] if isinstance(value, list) else []


def _answer(value: object) -> bool | None:
    return None if value is None else bool(value)
