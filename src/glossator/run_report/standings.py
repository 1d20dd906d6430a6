"""The score that a feature's verdict rests on, and the little that a report keeps of each feature."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from glossator.agents import verdict
from glossator.comparison import Question
from glossator.records import (
    Baseline,
    BaselineName,
    FeatureCard,
    Interval,
    Metric,
    Negatives,
    Score,
    ScoreMethod,
    ShownFeature,
    VerdictKind,
)
from glossator.report.headline import USUAL_THRESHOLD, baseline_of, is_llm

MAIN_METRICS = {
    ScoreMethod.DETECTION: Metric.BALANCED_ACCURACY,
    ScoreMethod.FUZZING: Metric.BALANCED_ACCURACY,
    ScoreMethod.PREDICATE: Metric.F1,
    ScoreMethod.EMBEDDING: Metric.AUC,
    ScoreMethod.SURPRISAL: Metric.AUC,
    ScoreMethod.SIMULATION: Metric.CORRELATION,
    ScoreMethod.GENERATION: Metric.BALANCED_ACCURACY,
    ScoreMethod.INTRUDER: Metric.ACCURACY,
    ScoreMethod.INTERVENTION: Metric.GAIN,
}
"""The one number that stands for a method in a plot."""


class Standing(NamedTuple):
    """What is kept of a feature."""

    feature: int
    label: str
    """What was claimed; empty where nothing was."""
    verdict: VerdictKind
    method: str
    """How the claim came about; empty without one."""
    value: float | None
    """The deciding score; None where there is none."""
    interval: Interval | None
    n_positive: int
    n_negative: int
    reader: str
    shuffled: float | None
    """What labels of other features reach."""
    shuffled_interval: Interval | None
    shuffled_n: tuple[int, int] | None
    """Firing and silent examples that this was read on; None where the card does not say."""
    reached: float
    """What the label has to beat by the evidence of this feature alone; at least 0.5."""
    evidence: str | None
    """Where the deciding score's outcomes are."""
    question: Question | None
    """What the deciding score answers."""
    stopped: str
    """Why reading ended, where looks were taken on the way; empty where all was read at once."""

    @property
    def accepted(self) -> bool:
        """Whether its label is one."""
        return self.verdict is VerdictKind.ACCEPTED

    @property
    def low(self) -> float:
        """The lower end of what is known of the deciding score."""
        return self.interval.low if self.interval else self.value or 0.0

    @property
    def high(self) -> float:
        """The upper end."""
        return self.interval.high if self.interval else self.value or 0.0

    def shown(self) -> ShownFeature:
        """The same as a row."""
        return ShownFeature(
            feature=self.feature,
            label=self.label,
            verdict=self.verdict.value,
            value=self.value,
            interval=self.interval,
            n_positive=self.n_positive,
            n_negative=self.n_negative,
            shuffled=self.shuffled,
            shuffled_interval=self.shuffled_interval,
            shuffled_n=self.shuffled_n,
            reader=self.reader,
        )


def question_of(score: Score) -> Question:
    """The question that `score` answers, one object for all features that were asked it."""
    return _same(Question.of(score))


@cache
def _same(question: Question) -> Question:
    return question


def standing(card: FeatureCard) -> Standing:
    """What a report keeps of `card`."""
    score, claim = deciding_score(card), card.explanation
    shuffled = baseline_of(score, BaselineName.SHUFFLED)
    return Standing(
        feature=card.feature.index,
        label="" if claim is None else claim.text,
        verdict=card.verdict.kind,
        method="" if claim is None else claim.method.value,
        value=score and score.value,
        interval=score and score.interval,
        n_positive=score.n_positive if score else 0,
        n_negative=score.n_negative if score else 0,
        reader=score.reader if score else "",
        shuffled=shuffled and shuffled.value,
        shuffled_interval=shuffled and shuffled.interval,
        shuffled_n=_examples(shuffled),
        reached=verdict.others_reach(score) if score else 0.5,
        evidence=score and score.evidence,
        question=question_of(score) if score else None,
        stopped=score.stopped if score else "",
    )


def _examples(baseline: Baseline | None) -> tuple[int, int] | None:
    if baseline is None or baseline.n_positive is None or baseline.n_negative is None:
        return None
    return baseline.n_positive, baseline.n_negative


def deciding_score(card: FeatureCard) -> Score | None:
    """The detection that the card's verdict rests on, by the rule that made it."""
    if card.explanation is None:
        return None
    found = detections(card.scores, Negatives.RANDOM)
    model = next((s.reader for s in found if is_llm(s.reader)), None)
    return verdict.deciding_score(card.explanation, found, model)


def detections(scores: Sequence[Score], negatives: Negatives) -> list[Score]:
    """The sealed detection scores at the usual threshold, one per reader."""
    wanted = (ScoreMethod.DETECTION, Metric.BALANCED_ACCURACY, negatives, "sealed", USUAL_THRESHOLD)
    return [s for s in scores if (s.method, s.metric, s.negatives, s.split.value, s.threshold) == wanted]
