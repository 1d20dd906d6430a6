"""Every explanation of one feature, side by side, with paired differences against one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pydantic import Field

from glossator.records import (
    Candidate,
    Evidence,
    Explanation,
    ExplanationMethod,
    FeatureCard,
    FeatureRef,
    Interval,
    Metric,
    Negatives,
    Record,
    Score,
    ScoreMethod,
    Split,
)
from glossator.report.headline import is_llm

EvidenceOf = Callable[[str], Evidence | None]
"""Looks evidence up by its id; None where it is not stored."""


class Question(NamedTuple):
    """What two scores must share to be compared: the same question to the same reader."""

    method: ScoreMethod
    metric: Metric
    reader: str
    negatives: Negatives
    split: Split
    threshold: float

    @classmethod
    def of(cls, score: Score) -> Question:
        """The question that `score` answers."""
        return cls(score.method, score.metric, score.reader, score.negatives, score.split, score.threshold)


class Difference(Record):
    """A score minus the reference's, on the examples that both were scored on."""

    value: float | None
    """The difference; None where nothing could be paired."""
    interval: Interval | None
    """Its 95 % interval, the same documents drawn for both; None where there is none."""
    n: int = Field(default=0, ge=0)
    """Examples that both were scored on (documents, for scores over all tokens)."""
    note: str = ""
    """Why there is no paired difference; empty where there is one."""


class ComparedScore(Record):
    """A score beside the reference's answer to the same question."""

    score: Score
    """The score."""
    difference: Difference | None
    """Against the reference; None for the reference itself, and where it has no such score."""


class ComparedExplanation(Record):
    """One explanation with all that was measured of it."""

    explanation: Explanation
    """What is claimed."""
    chosen: bool
    """The feature's card shows it."""
    earlier: bool
    """Only an earlier card of the feature holds it."""
    scores: tuple[ComparedScore, ...]
    """Its scores."""
    validate_value: float | None = None
    """What the choice was made by; None where it was not measured."""
    validate_n: int = Field(default=0, ge=0)
    """Examples behind that."""

    def answer(self, question: Question) -> ComparedScore | None:
        """Its score for `question`; None if it was not asked."""
        return next((s for s in self.scores if Question.of(s.score) == question), None)


class Comparison(Record):
    """Every scored explanation of one feature on one index."""

    feature: FeatureRef
    """The feature."""
    index_identity: str
    """The activation index that they were measured on."""
    reference: str | None
    """Id of the explanation that the others are compared with: the embedded analyst's, else the chosen
    one; None where there is neither."""
    explanations: tuple[ComparedExplanation, ...]
    """The reference first, then in the order in which they were tried, earlier cards' last."""

    def questions(self) -> tuple[Question, ...]:
        """Every question that any of them was scored on: by method, what an LLM read first."""
        asked = (Question.of(s.score) for e in self.explanations for s in e.scores)
        order = list(_METHODS)
        return tuple(
            sorted(dict.fromkeys(asked), key=lambda q: (order.index(q.method), not is_llm(q.reader)))
        )


_METHODS = (
    ScoreMethod.DETECTION,
    ScoreMethod.FUZZING,
    ScoreMethod.PREDICATE,
    ScoreMethod.EMBEDDING,
    ScoreMethod.SIMULATION,
    ScoreMethod.SURPRISAL,
    ScoreMethod.GENERATION,
    ScoreMethod.INTRUDER,
    ScoreMethod.INTERVENTION,
)


def compare_cards(
    cards: Sequence[FeatureCard], evidence: EvidenceOf | None = None, *, seed: int = 0
) -> Comparison:
    """Compare what the cards of one feature hold.

    Args:
        cards: The feature's cards, newest first, at least one; those of another index are left out.
        evidence: Where per-example outcomes are looked up; without it there are no differences.
        seed: Seed of the intervals' draws.

    """
    newest = cards[0]
    found = _merged(card for card in cards if card.index_identity == newest.index_identity)
    reference = _reference(found)
    if reference is not None:
        found = [reference, *(e for e in found if e is not reference)]
    if reference is not None and evidence is not None:
        found = [reference, *(_against(e, reference, evidence, seed) for e in found[1:])]
    return Comparison(
        feature=newest.feature,
        index_identity=newest.index_identity,
        reference=reference.explanation.id if reference else None,
        explanations=tuple(found),
    )


def candidates_of(card: FeatureCard) -> tuple[Candidate, ...]:
    """The card's candidates; its one explanation where no others were tried."""
    if card.candidates or card.explanation is None:
        return card.candidates
    return (Candidate(explanation=card.explanation, scores=card.scores, chosen=True),)


def _merged(cards: Iterable[FeatureCard]) -> list[ComparedExplanation]:
    """Each explanation once; what an earlier card measured besides is added to it."""
    found: dict[str, ComparedExplanation] = {}
    for age, card in enumerate(cards):
        for candidate in candidates_of(card):
            known = found.get(candidate.explanation.id)
            if known is not None:
                asked = {Question.of(s.score) for s in known.scores}
                more = [s for s in candidate.scores if Question.of(s) not in asked]
                added = known.scores + _plain(more)
                found[candidate.explanation.id] = known.model_copy(update={"scores": added})
            elif age == 0 or candidate.scores:
                found[candidate.explanation.id] = _fresh(candidate, earlier=age > 0)
    return list(found.values())


def _fresh(candidate: Candidate, *, earlier: bool) -> ComparedExplanation:
    return ComparedExplanation(
        explanation=candidate.explanation,
        chosen=candidate.chosen and not earlier,
        earlier=earlier,
        scores=_plain(candidate.scores),
        validate_value=candidate.validate_value,
        validate_n=candidate.validate_n,
    )


def _plain(scores: Iterable[Score]) -> tuple[ComparedScore, ...]:
    return tuple(ComparedScore(score=s, difference=None) for s in scores)


def _reference(found: Sequence[ComparedExplanation]) -> ComparedExplanation | None:
    embedded = (e for e in found if e.explanation.method is ExplanationMethod.EMBEDDED)
    chosen = (e for e in found if e.chosen)
    return next(embedded, None) or next(chosen, None)


def _against(
    explained: ComparedExplanation, reference: ComparedExplanation, evidence: EvidenceOf, seed: int
) -> ComparedExplanation:
    from glossator.paired_outcomes import paired

    scores: list[ComparedScore] = []
    for compared in explained.scores:
        other = reference.answer(Question.of(compared.score))
        difference = None if other is None else paired(compared.score, other.score, evidence, seed)
        scores.append(ComparedScore(score=compared.score, difference=difference))
    return explained.model_copy(update={"scores": tuple(scores)})
