"""What explaining a feature gives: the candidates, how each did on `validate`, and which was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from glossator.records import Explanation, ExplanationMethod


class ValidatedCandidate(NamedTuple):
    """One explanation and what the choice was made by."""

    explanation: Explanation
    value: float | None = None
    """Balanced accuracy of detection on `validate`; None if it was not or could not be measured."""
    n: int = 0
    """Windows behind it."""


class ExplainedFeature(NamedTuple):
    """Every fit explanation of a feature; the embedded analyst's, if any, is the first."""

    candidates: tuple[ValidatedCandidate, ...]
    chosen: int | None
    """Index into `candidates`; None where there are none."""
    rejected: dict[str, int]
    """Reason to count: answers that are no fit explanation, and predicates that were dropped."""

    def best_of_each_method(self) -> tuple[int, ...]:
        """The best candidate of each method, in order of first appearance."""
        by_method: dict[ExplanationMethod, list[int]] = {}
        for i, one in enumerate(self.candidates):
            by_method.setdefault(one.explanation.method, []).append(i)
        return tuple(best_of(self.candidates, group) for group in by_method.values())


def best_of(candidates: Sequence[ValidatedCandidate], among: list[int] | None = None) -> int:
    """The candidate with the highest value; of equals one with a predicate, then the earliest.

    One that could not be measured is only taken where none could be. `among` must not be empty.
    """

    def rank(i: int) -> tuple[bool, float, bool, int]:
        one = candidates[i]
        value = 0.0 if one.value is None else one.value
        return (one.value is not None, value, one.explanation.predicate is not None, -i)

    return max(range(len(candidates)) if among is None else among, key=rank)
