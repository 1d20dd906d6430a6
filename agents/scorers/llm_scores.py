"""All scores of one explanation that need a language model, dispatched by method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from glossator.agents.llm_calls.all_finished import all_finished
from glossator.agents.scorers.compared import Compared, Scored
from glossator.agents.scorers.examples import ScoringExamples
from glossator.agents.scorers.generation import generation_scores
from glossator.agents.scorers.llm_bench import LlmBench
from glossator.agents.scorers.llm_detection import detection_scores
from glossator.agents.scorers.llm_fuzzing import fuzzing_scores
from glossator.agents.scorers.llm_intruder import intruder_scores
from glossator.agents.scorers.llm_simulation import simulation_scores
from glossator.agents.scorers.room import FeatureNeighbours
from glossator.agents.scorers.score_explanation import ScoredExplanation
from glossator.agents.scorers.surprisal import surprisal_scores
from glossator.errors import UserError, listed
from glossator.records import Explanation, ScoreMethod

Scorer = Callable[[LlmBench, Compared, ScoringExamples], Awaitable[tuple[Scored, ...]]]
LLM_SCORERS: Mapping[ScoreMethod, Scorer] = {
    ScoreMethod.DETECTION: detection_scores,
    ScoreMethod.FUZZING: fuzzing_scores,
    ScoreMethod.INTRUDER: intruder_scores,
    ScoreMethod.SIMULATION: simulation_scores,
    ScoreMethod.SURPRISAL: surprisal_scores,
    ScoreMethod.GENERATION: generation_scores,
}
"""The methods that ask a language model."""


async def score_with_llm(
    bench: LlmBench,
    explanation: Explanation,
    others: Sequence[Explanation] = (),
    *,
    analyst: Explanation | None = None,
    neighbours: FeatureNeighbours | None = None,
) -> ScoredExplanation:
    """Measure `explanation` by every method of `bench.settings.methods`, all at once.

    Explanations of one feature with the same `neighbours` are read on the same windows in the same
    order, however many of them each needs.

    Raises:
        UserError: if a method asks no language model.
        BudgetSpent: if the next call could exceed the budget.
        EndpointError: if the endpoint does not answer after trying again.
    """
    examples = bench.room.examples(explanation.feature, neighbours or FeatureNeighbours())
    compared = Compared.of(explanation, others, analyst, bench.room.settings.n_donors)
    scorers = [_scorer(method) for method in bench.settings.methods]
    parts = await all_finished(scorer(bench, compared, examples) for scorer in scorers)
    scored = [s for part in parts for s in part]
    evidence = {s.evidence.id: s.evidence for s in scored}
    return ScoredExplanation(tuple(s.score for s in scored), tuple(evidence.values()))


def _scorer(method: ScoreMethod) -> Scorer:
    if method not in LLM_SCORERS:
        raise UserError(f"score method {method.value!r} asks no model: choose from {listed(LLM_SCORERS)}")
    return LLM_SCORERS[method]
