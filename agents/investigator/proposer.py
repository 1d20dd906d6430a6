"""What proposes: hypotheses, texts that test them, cases that could break them. Code does the rest.

A proposer never sees `validate` or `sealed` text, never says what came out of an experiment, never sets a
belief. Whatever it answers, the verdict is the written rule's. Implementations: the embedded analyst
(`embedded_proposer.py`), a language model (`llm_proposer.py`), and scripted ones in tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from glossator.agents.feature_evidence import FeatureEvidence
from glossator.records import (
    Belief,
    Expectation,
    Experiment,
    ExperimentKind,
    FeatureRef,
    Finding,
    Hypothesis,
    Predicate,
)


class Proposal(NamedTuple):
    """A claim, not yet a hypothesis: nothing has checked it."""

    text: str
    predicate: Predicate | None
    parents: tuple[str, ...] = ()
    """Ids of hypotheses that it was made from."""


class TextTest(NamedTuple):
    """A text with what a hypothesis predicts for it. The expectation is not optional."""

    text: str
    expected: Expectation
    why: str = ""
    pair: int = -1
    """Texts with the same number above -1 are a minimal pair."""


class TestBatch(NamedTuple):
    """Texts that test one hypothesis in one way."""

    hypothesis: str
    """Its id."""
    kind: ExperimentKind
    tests: tuple[TextTest, ...]

    __test__ = False  # pytest


@dataclass(frozen=True)
class Observed:
    """What a proposer is shown of a feature: `explore` alone."""

    feature: FeatureRef
    shown: FeatureEvidence
    """Firing windows, silent windows, statistics, output tokens; `shown.evidence` holds the ids."""
    threshold: float
    """The activation above which the feature counts as firing."""
    recalled: tuple[Finding, ...] = ()
    """What memory holds of this feature: priors, not facts."""
    distractors: tuple[Finding, ...] = ()
    """What memory holds of its neighbours: labels that must be told apart from this one's."""


@dataclass(frozen=True)
class Standing:
    """Where an investigation stands: what was claimed, run and believed."""

    hypotheses: tuple[Hypothesis, ...]
    """In play, most believed first."""
    beliefs: tuple[Belief, ...]
    """In the same order."""
    experiments: tuple[Experiment, ...]
    """Everything that was run, in order."""
    round: int
    """Rounds of experiments so far."""

    @property
    def leader(self) -> Hypothesis | None:
        """The most believed; None where nothing is in play."""
        return self.hypotheses[0] if self.hypotheses else None


@runtime_checkable
class Proposer(Protocol):
    """Who proposes."""

    @property
    def author(self) -> str:
        """Name for the record: `embedded-analyst/1`, `investigator:MODEL`."""
        ...

    async def hypotheses(self, observed: Observed, k: int) -> Sequence[Proposal]:
        """Up to `k` competing claims; none is an answer, too."""
        ...

    async def tests(self, observed: Observed, standing: Standing, n: int) -> Sequence[TestBatch]:
        """Up to `n` texts that could refute the hypotheses in play, or tell them apart."""
        ...

    async def challenges(self, observed: Observed, standing: Standing, n: int) -> Sequence[TestBatch]:
        """Up to `n` boundary cases and minimal pairs, written to break the leader."""
        ...

    async def refine(self, observed: Observed, standing: Standing, k: int) -> Sequence[Proposal]:
        """Up to `k` better claims after what the experiments showed: narrower, wider, or others."""
        ...
