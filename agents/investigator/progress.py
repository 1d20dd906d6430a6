"""What an investigation knows at one moment: plain records and ids, stored after every step.

Texts that were run stand in the evidence of their experiments, tokens are read anew where they are
needed: so checkpoints stay small, and nothing but JSON is ever in one.
"""

from __future__ import annotations

from pydantic import Field

from glossator.records import (
    Belief,
    ExceptionRegion,
    Explanation,
    Facet,
    FeatureInvestigation,
    Finding,
    Hypothesis,
    LlmSpending,
    MinimalContext,
    Record,
    Score,
    StopReason,
    Verdict,
)


class SealedScores(Record):
    """What was scored on `sealed`, kept from scoring to the verdict."""

    explanation: Explanation | None
    """What is claimed; None where nothing was worth scoring."""
    scores: tuple[Score, ...] = ()
    """Its scores."""
    validate_value: float | None = None
    """What it was chosen by, on `validate`."""
    validate_n: int = Field(default=0, ge=0)
    """Windows behind that."""
    reader: str | None = None
    """The model that read it; None where none did."""
    baseline: Explanation | None = None
    """The embedded analyst's one-shot label; None where it has none."""
    baseline_scores: tuple[Score, ...] = ()
    """Its scores, on the same tokens."""


class Progress(Record):
    """Where an investigation stands."""

    hypotheses: tuple[Hypothesis, ...] = ()
    """Everything that was considered, in order of appearance."""
    beliefs: tuple[Belief, ...] = ()
    """Of all of them, most believed first; refuted ones last."""
    refuted: tuple[str, ...] = ()
    """Ids of hypotheses that experiments spoke against."""
    experiments: tuple[str, ...] = ()
    """Evidence ids, in order."""
    recalled: tuple[Finding, ...] = ()
    """Of this feature."""
    distractors: tuple[Finding, ...] = ()
    """Of its neighbours."""
    rounds: int = Field(default=0, ge=0)
    """Rounds of experiments."""
    quiet: int = Field(default=0, ge=0)
    """Rounds in a row that moved nothing."""
    texts: int = Field(default=0, ge=0)
    """Texts that were run for experiments."""
    challenges: int = Field(default=0, ge=0)
    """Challenges that were run."""
    broken: int = Field(default=0, ge=0)
    """Challenges that broke the leader."""
    refinements: int = Field(default=0, ge=0)
    """Times that corrections were asked for."""
    taken: dict[str, int] = Field(default_factory=dict)
    """Step to how often it was taken."""
    leads_to: str = ""
    """The step that comes next where several could."""
    stopped: StopReason | None = None
    """Why no more experiments are run; None while they are."""
    minimal: tuple[MinimalContext, ...] = ()
    """Shortest firing contexts."""
    facets: tuple[Facet, ...] = ()
    """Meanings, where there are several."""
    exceptions: tuple[ExceptionRegion, ...] = ()
    """Where the claim does not hold."""
    evidence: tuple[str, ...] = ()
    """Ids of evidence beside experiments."""
    spending: LlmSpending = Field(default_factory=LlmSpending)
    """What LLM calls cost in the steps that ended."""
    seconds: float = Field(default=0.0, ge=0)
    """Wall time of the steps that ended."""
    scored: SealedScores | None = None
    """What was scored; None until then."""
    verdict: Verdict | None = None
    """The decision; None until then."""
    result: FeatureInvestigation | None = None
    """What it came to; None until then."""
