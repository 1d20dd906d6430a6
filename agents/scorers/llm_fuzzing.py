"""To come."""

from __future__ import annotations

from glossator.agents.scorers.compared import Compared, Scored
from glossator.agents.scorers.examples import ScoringExamples
from glossator.agents.scorers.llm_bench import LlmBench


async def fuzzing_scores(bench: LlmBench, compared: Compared, examples: ScoringExamples) -> tuple[Scored, ...]:
    """Scores."""
    raise NotImplementedError
