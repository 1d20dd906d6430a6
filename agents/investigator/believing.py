"""Beliefs of an investigation, made anew from everything that was run."""

from __future__ import annotations

from glossator.agents.investigator.beliefs import Beliefs, believe
from glossator.agents.investigator.case import Case
from glossator.agents.investigator.progress import Progress


async def believed(case: Case, progress: Progress) -> tuple[Progress, Beliefs]:
    """`progress` with beliefs made anew."""
    experiments = case.experiments(progress.experiments)
    made = await case.bench.compute(
        lambda: believe(progress.hypotheses, experiments, case.texts, case.corpus)
    )
    return progress.model_copy(update={"beliefs": made.ranked, "refuted": made.refuted}), made
