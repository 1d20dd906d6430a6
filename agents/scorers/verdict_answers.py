"""What one explanation's reader said of the items that were read, and what that measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from glossator.agents.scorers.compared import Measured
from glossator.agents.scorers.examples import Group
from glossator.agents.scorers.question_set import QuestionSet
from glossator.agents.scorers.sequential import Bootstrap, counts_against
from glossator.agents.scorers.staged_reading import PartReading
from glossator.probes.auc import auc_interval, auc_value
from glossator.probes.intervals import metric_intervals, metric_value
from glossator.records import Metric, Negatives, PromptRef, ScoreMethod

METRICS = (Metric.BALANCED_ACCURACY, Metric.PRECISION, Metric.RECALL)
"""What verdicts alone give; probabilities add AUC."""


@dataclass(frozen=True)
class VerdictQuestion:
    """What a method asks, of which items, and how it came to them."""

    method: ScoreMethod
    negatives: Mapping[Group, Negatives]
    """What the silent groups are called."""
    questions: QuestionSet
    prompt: PromptRef
    seed: int
    bootstrap: Bootstrap


@dataclass(frozen=True)
class Answers:
    """One reading spread over the items that were read; unread ones are -1 and nan."""

    questions: QuestionSet
    fires: Int8[np.ndarray, " read"]
    probability: Float[np.ndarray, " read"]

    @classmethod
    def of(cls, questions: QuestionSet, part: PartReading | None, n: int) -> Answers | None:
        if part is None:
            return None
        fires, probability = np.full(n, -1, np.int8), np.full(n, np.nan)
        fires[part.at], probability[part.at] = part.readings.fires, part.readings.probability
        return cls(questions, fires, probability)

    @cached_property
    def group(self) -> Int[np.ndarray, " read"]:
        return self.questions.group[: len(self.fires)]

    @cached_property
    def document(self) -> Int[np.ndarray, " read"]:
        return self.questions.document[: len(self.fires)]

    def measured(self, negatives: Group, bootstrap: Bootstrap) -> dict[Metric, Measured]:
        """Every metric that is defined."""
        found: dict[Metric, Measured] = {}
        counts = counts_against(self.fires, self.group, self.document, negatives)
        if counts is not None:
            intervals = metric_intervals(counts, METRICS, **bootstrap._asdict())
            n = (int((counts.tp + counts.fn).sum()), int((counts.fp + counts.tn).sum()))
            for metric, interval in zip(METRICS, intervals, strict=True):
                if (value := metric_value(counts, metric)) is not None:
                    found[metric] = Measured(value, interval, *n)
        chosen = self.with_probability(negatives)
        scores, fires = self.probability[None, chosen], self.group[chosen] == Group.FIRING
        if (value := auc_value(scores, fires)) is not None:
            interval = auc_interval(scores, fires, self.document[chosen])
            found[Metric.AUC] = Measured(value, interval, int(fires.sum()), int((~fires).sum()))
        return found

    def against(self, negatives: Group) -> Bool[np.ndarray, " read"]:
        return (self.group == Group.FIRING) | (self.group == negatives)

    def with_probability(self, negatives: Group) -> Bool[np.ndarray, " read"]:
        return self.against(negatives) & (self.fires >= 0) & ~np.isnan(self.probability)
