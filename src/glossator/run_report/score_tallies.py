"""The scores of a run by question: collected card by card, then summed up as distributions."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from glossator.comparison import Question
from glossator.probes.feature_estimates import mean_estimate, median_estimate
from glossator.records import (
    BaselineSpread,
    Estimate,
    FeatureCard,
    Metric,
    Reason,
    RunQuestion,
    ScoreDistribution,
    ScoreMethod,
    Split,
)
from glossator.report.headline import USUAL_THRESHOLD, is_llm
from glossator.report.wording import BASELINE_WORDS
from glossator.run_report.standings import MAIN_METRICS

BINS = 20
_FROM_MINUS_ONE = (Metric.CORRELATION, Metric.GAIN)
_METHODS = list(ScoreMethod)


def _doubles() -> array[float]:
    return array("d")


@dataclass
class _Tally:
    values: array[float] = field(default_factory=_doubles)
    baselines: dict[str, array[float]] = field(default_factory=dict[str, "array[float]"])
    positive: int = 0
    negative: int = 0
    without: int = 0
    unscored: Counter[str] = field(default_factory=Counter[str])


class ScoreTallies:
    """Collects the sealed scores of labels; one number per feature and question is kept."""

    def __init__(self) -> None:
        self._tallies: dict[Question, _Tally] = {}

    def add(self, card: FeatureCard) -> None:
        """Add the scores of the label that the card shows, accepted or not."""
        if card.explanation is None:
            return
        for score in card.scores:
            if score.split is not Split.SEALED:
                continue
            tally = self._tallies.setdefault(Question.of(score), _Tally())
            tally.unscored.update(score.unscored)
            if score.value is None:
                tally.without += 1
                continue
            tally.values.append(score.value)
            tally.positive += score.n_positive
            tally.negative += score.n_negative
            for baseline in score.baselines:
                if baseline.value is not None:
                    name = BASELINE_WORDS[baseline.name]
                    tally.baselines.setdefault(name, _doubles()).append(baseline.value)

    def distributions(self, seed: int) -> tuple[ScoreDistribution, ...]:
        """One per question: those that plots show first, by method and what a model read first."""
        questions = sorted(self._tallies, key=_order)
        return tuple(_distribution(q, self._tallies[q], seed) for q in questions)

    def reached_by_others(self, seed: int) -> Mapping[Question, Estimate]:
        """What labels of other features reach on average over the run, by question."""
        found: dict[Question, Estimate] = {}
        for question, tally in self._tallies.items():
            mean = mean_estimate(np.asarray(tally.baselines.get("shuffled", [])), seed=seed)
            if mean.interval is not None:
                found[question] = mean
        return found


def is_main(question: Question | RunQuestion) -> bool:
    """Whether a plot shows it: the method's main number, at the usual threshold."""
    usual = question.threshold in (0.0, USUAL_THRESHOLD)
    if question.method is ScoreMethod.PREDICATE:
        usual = question.threshold == USUAL_THRESHOLD
    return MAIN_METRICS[question.method] is question.metric and usual


def run_question(question: Question) -> RunQuestion:
    """The same as a record."""
    return RunQuestion(
        method=question.method,
        metric=question.metric,
        reader=question.reader,
        negatives=question.negatives,
        threshold=question.threshold,
    )


def reasons(counts: Mapping[str, int] | Iterable[tuple[str, int]]) -> tuple[Reason, ...]:
    """Reasons with their counts, most frequent first."""
    listed = sorted(dict(counts).items(), key=lambda item: (-item[1], item[0]))
    return tuple(Reason(words=words, n=n) for words, n in listed)


def _order(question: Question) -> tuple[bool, int, bool, str, str, str, float]:
    return (
        not is_main(question),
        _METHODS.index(question.method) if question.method is not ScoreMethod.DETECTION else -1,
        not is_llm(question.reader),
        question.reader,
        "" if question.negatives.value == "random" else question.negatives.value,
        question.metric.value,
        -question.threshold,
    )


def _distribution(question: Question, tally: _Tally, seed: int) -> ScoreDistribution:
    values = np.asarray(tally.values)
    low = -1.0 if question.metric in _FROM_MINUS_ONE else 0.0
    bins, _ = np.histogram(np.clip(values, low, 1.0), bins=BINS, range=(low, 1.0))
    spreads = (
        BaselineSpread(
            name=name,
            median=median_estimate(np.asarray(found)),
            mean=mean_estimate(np.asarray(found), seed=seed),
        )
        for name, found in tally.baselines.items()
    )
    return ScoreDistribution(
        question=run_question(question),
        low=low,
        high=1.0,
        bins=tuple(int(n) for n in bins),
        median=median_estimate(values),
        mean=mean_estimate(values, seed=seed),
        baselines=tuple(spreads),
        n_positive=tally.positive,
        n_negative=tally.negative,
        unscored_features=tally.without,
        unscored=reasons(tally.unscored),
    )
