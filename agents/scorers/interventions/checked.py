"""A check of the stress grade with the evidence behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from glossator.agents.scorers.room import ScoringRoom
from glossator.records import Evidence, EvidenceKind, Explanation, Interval, StressCheck

RECIPE_VERSION = 1
"""Raised whenever the same recipe would measure something else."""


class Checked(NamedTuple):
    """One check and its evidence, which holds documents and numbers, never sealed text."""

    check: StressCheck
    evidence: Evidence


class Finding(NamedTuple):
    """What a check found, before it becomes a record."""

    value: float | None
    interval: Interval | None
    passed: bool | None
    n: int
    words: str

    @classmethod
    def none(cls, reason: str) -> Finding:
        """Nothing could be measured."""
        return cls(None, None, None, 0, f"not measured: {reason}")


def checked(
    room: ScoringRoom,
    explanation: Explanation,
    name: str,
    bound: float | None,
    finding: Finding,
    recipe: Mapping[str, object],
    payload: Mapping[str, object],
) -> Checked:
    """The record of a check of `explanation`, and evidence that says how to make it again."""
    shared = {
        "recipe_version": RECIPE_VERSION,
        "check": name,
        "index": room.index_identity,
        "split": room.sealed.split.value,
        "explanation": explanation.id,
    }
    evidence = Evidence.of(
        explanation.feature, EvidenceKind.STRESS, {**shared, **recipe}, {"words": finding.words, **payload}
    )
    check = StressCheck(
        name=name,
        passed=finding.passed,
        value=finding.value,
        interval=finding.interval,
        bound=bound,
        n=finding.n,
        words=finding.words,
    )
    return Checked(check, evidence)
