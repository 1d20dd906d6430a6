"""The explanations that are read on the same examples: the one that is scored, and its baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from glossator.agents.scorers.donors import choose_donors
from glossator.records import Baseline, BaselineName, Evidence, Explanation, Interval, Score


class Scored(NamedTuple):
    """A score and the evidence that it cites."""

    score: Score
    evidence: Evidence


class Measured(NamedTuple):
    """A value and its interval, before they become a score or a baseline."""

    value: float
    interval: Interval
    n_positive: int | None = None
    """Firing examples behind it; None where it is known without any."""
    n_negative: int | None = None


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

    @classmethod
    def of(
        cls, explanation: Explanation, others: Sequence[Explanation], analyst: Explanation | None, n: int
    ) -> Compared:
        """For readers of texts."""
        mine = analyst is None or analyst.id == explanation.id
        return cls(explanation, choose_donors(explanation, others, n), None if mine else analyst)

    @classmethod
    def executable(
        cls, explanation: Explanation, others: Sequence[Explanation], analyst: Explanation | None, n: int
    ) -> Compared:
        """For readers of predicates: donors and analyst only where they have one."""
        analyst = analyst if analyst is not None and analyst.predicate is not None else None
        return cls.of(explanation, [o for o in others if o.predicate is not None], analyst, n)

    @property
    def readings(self) -> tuple[Explanation, ...]:
        """All of them: the scored one, the donors, then the analyst's if there is one."""
        return (self.explanation, *self.donors, *((self.analyst,) if self.analyst is not None else ()))


def baselines(
    shuffled: Measured | None, empty: Measured | None, analyst: Measured | None
) -> tuple[Baseline, ...]:
    """The baselines of one score; the analyst's is left out where there is none to compare with."""
    named = [(BaselineName.SHUFFLED, shuffled), (BaselineName.EMPTY, empty)]
    if analyst is not None:
        named.append((BaselineName.EMBEDDED_ANALYST, analyst))
    return tuple(
        Baseline(name=name, value=None, interval=None) if m is None else Baseline(name=name, **m._asdict())
        for name, m in named
    )
