"""Whether steered continuations of sealed prompts carry an explanation. Signatures only, so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from glossator.agents.causal.bench import CausalBench
from glossator.agents.causal.random_effects import ExplainedDirections
from glossator.records import Evidence, Explanation, InterventionScore, StrengthCalibration


class ScoredInterventions(NamedTuple):
    """One explanation, at every KL level."""

    scores: tuple[InterventionScore, ...]
    evidence: tuple[Evidence, ...]


def intervention_scores(
    bench: CausalBench,
    explanation: Explanation,
    calibration: StrengthCalibration,
    others: Sequence[Explanation] = (),
    *,
    null: ExplainedDirections | None = None,
) -> ScoredInterventions:
    """One score per KL target of `calibration`."""
    raise NotImplementedError
