"""The explanations that are read on the same examples: the one that is scored, and its baselines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from jaxtyping import Bool
import numpy as np

from glossator.records import Baseline, BaselineName, Evidence, Explanation, Interval, Score


class Scored(NamedTuple):
    """A score and the evidence that it cites."""

    score: Score
    evidence: Evidence


class Measured(NamedTuple):
    """A value and its interval, before they become a score or a baseline."""

    value: float
    interval: Interval

    def baseline(self, name: BaselineName) -> Baseline:
        """This measurement as a baseline."""
        return Baseline(name=name, value=self.value, interval=self.interval)


COIN = Measured(0.5, Interval(low=0.5, high=0.5, method="exact: the same answer to every example"))
"""What a reader without an explanation reaches in balanced accuracy and in AUC."""


@dataclass(frozen=True)
class Compared:
    """The scored explanation with those that it is compared with."""

    explanation: Explanation
    donors: tuple[Explanation, ...]
    """Explanations of other features."""
    analyst: Explanation | None
    """The embedded analyst's label, where it is not the one scored."""

    def with_predicates(self) -> Compared:
        """Only those that can be executed; the scored one stays."""
        analyst = self.analyst if self.analyst is not None and self.analyst.predicate is not None else None
        return replace(self, donors=tuple(d for d in self.donors if d.predicate is not None), analyst=analyst)


def baselines(shuffled: Measured | None, empty: Measured, analyst: Measured | None) -> tuple[Baseline, ...]:
    """The baselines of one score; the analyst's is left out where the score is the analyst's own."""
    nothing = Baseline(name=BaselineName.SHUFFLED, value=None, interval=None)
    made = [nothing if shuffled is None else shuffled.baseline(BaselineName.SHUFFLED)]
    made.append(empty.baseline(BaselineName.EMPTY))
    if analyst is not None:
        made.append(analyst.baseline(BaselineName.EMBEDDED_ANALYST))
    return tuple(made)
