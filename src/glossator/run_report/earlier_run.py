"""A run beside an earlier one, paired by feature; only answers to the same question are compared.

The same question is the same method, number, reader, negatives and threshold, on the same index. The label
may have changed, and the prompts with it: that is what is compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from glossator.agents.memory_use.same_text import plain_words
from glossator.comparison import Question
from glossator.probes.feature_estimates import mean_estimate
from glossator.records import (
    ChangedFeature,
    EarlierComparison,
    FeatureCard,
    FeatureNames,
    NamedEstimate,
    Split,
)
from glossator.report.wording import question_words, threshold_words
from glossator.run_report.score_tallies import is_main
from glossator.run_report.standings import Standing, question_of, standing
from glossator.run_report.top_list import TopList

SHOWN = 12
_LEAST_CHANGE = 1e-9


class EarlierRun(NamedTuple):
    """An earlier run over the same dictionary."""

    run: str
    """Its id."""
    cards: Iterable[FeatureCard]
    """Its cards; read once, few facts of each are kept."""
    same: frozenset[int] = frozenset()
    """Features that have one card in both runs, because one of them skipped it; not among `cards`."""


class _Then(NamedTuple):
    index_identity: str
    standing: Standing
    values: dict[Question, float]


class EarlierPairing:
    """Reads an earlier run first, then takes this run's cards one by one."""

    def __init__(self, earlier: EarlierRun, names: FeatureNames) -> None:
        self._run, self._same = earlier.run, earlier.same
        self._then = {
            card.feature.index: _Then(card.index_identity, standing(card), _main_values(card))
            for card in earlier.cards
            if (card.feature.subject, card.feature.dictionary) == names
        }
        self._met: set[int] = set()
        self._shared = self._only_here = self._other_index = self._same_label = self._same_card = 0
        self._labelled = 0
        self._differences: dict[Question, list[float]] = defaultdict(list)
        self._transitions: dict[str, dict[str, int]] = {}
        self._changed = TopList[ChangedFeature](SHOWN)

    def add(self, card: FeatureCard, now: Standing) -> None:
        """Compare one card."""
        if now.feature in self._same:
            self._same_card += 1
            return
        then = self._then.get(now.feature)
        if then is None:
            self._only_here += 1
            return
        self._met.add(now.feature)
        if then.index_identity != card.index_identity:
            self._other_index += 1
            return
        self._shared += 1
        if then.standing.label and now.label:
            self._labelled += 1
            self._same_label += plain_words(then.standing.label) == plain_words(now.label)
        row = self._transitions.setdefault(then.standing.verdict.value, {})
        row[now.verdict.value] = row.get(now.verdict.value, 0) + 1
        for question, value in _main_values(card).items():
            if question in then.values:
                self._differences[question].append(value - then.values[question])
        self._change(then.standing, now)

    def found(self, *, seed: int) -> EarlierComparison:
        """The comparison."""
        return EarlierComparison(
            run=self._run,
            shared=self._shared,
            only_here=self._only_here,
            only_there=len(self._then) - len(self._met),
            other_index=self._other_index,
            same_card=self._same_card,
            labelled=self._labelled,
            same_label=self._same_label,
            differences=tuple(
                difference(f"{question_words(q)}, {threshold_words(q.threshold)}", values, seed)
                for q, values in self._differences.items()
            ),
            transitions=self._transitions,
            changed=self._changed.entries(),
            note=self._note(),
        )

    def _note(self) -> str:
        if self._same_card and not self._shared:
            return "no feature was done by both runs, so nothing can be paired"
        if not self._then:
            return "the earlier run has no card of a feature of this dictionary"
        if self._shared and not self._differences:
            return "no question was asked by both: other readers, negatives or thresholds"
        if not self._shared and self._other_index:
            return "every feature of both was measured on another index, so nothing can be paired"
        if not self._shared:
            return "no feature is in both, so nothing can be paired"
        return ""

    def _change(self, then: Standing, now: Standing) -> None:
        if then.question is None or then.question != now.question or then.value is None or now.value is None:
            return
        before, value = then.value, now.value
        if abs(value - before) <= _LEAST_CHANGE:
            return

        def make() -> ChangedFeature:
            return ChangedFeature(
                feature=now.feature,
                before_label=then.label,
                label=now.label,
                before_verdict=then.verdict.value,
                verdict=now.verdict.value,
                before=before,
                before_interval=then.interval,
                before_n=then.n_positive + then.n_negative,
                value=value,
                interval=now.interval,
                n=now.n_positive + now.n_negative,
            )

        self._changed.offer(abs(value - before), now.feature, make)


def difference(name: str, values: list[float], seed: int) -> NamedEstimate:
    """The mean of paired differences."""
    return NamedEstimate(name=name, estimate=mean_estimate(np.array(values, dtype=np.float64), seed=seed))


def _main_values(card: FeatureCard) -> dict[Question, float]:
    """The sealed values of the label shown, for questions that stand for their method."""
    if card.explanation is None:
        return {}
    return {
        question: s.value
        for s in card.scores
        if s.value is not None and s.split is Split.SEALED and is_main(question := question_of(s))
    }
