"""The chosen claim and the one-shot label on `sealed`, through the scorers; nothing is chosen after this."""

from __future__ import annotations

from glossator.agents.firing_facts import STRONG
from glossator.agents.investigator.case import Case
from glossator.agents.investigator.claim_choice import Chosen, choose_executable, choose_read
from glossator.agents.investigator.progress import Progress, SealedScores
from glossator.agents.scorers import ScoredExplanation, score_explanation
from glossator.agents.scorers.leakage import flagged
from glossator.agents.scorers.llm_scores import score_with_llm
from glossator.agents.trace.trace import StepTrace
from glossator.errors import BudgetSpent
from glossator.records import (
    Explanation,
    ExplanationMethod,
    Metric,
    Negatives,
    Score,
    ScoreMethod,
    StopReason,
    TraceKind,
)


async def score(case: Case, progress: Progress, events: StepTrace) -> Progress:
    """Choose on `validate`, then measure on `sealed`; no model is asked once money or time is spent."""
    reading = case.bench.reading
    if reading is not None and progress.stopped not in (StopReason.BUDGET, StopReason.TIME):
        try:
            return await _scored(case, progress, events, read=True)
        except BudgetSpent as spent:
            events.add(TraceKind.LIMIT, str(spent))
            progress = progress.model_copy(update={"stopped": StopReason.BUDGET})
    return await _scored(case, progress, events, read=False)


async def _scored(case: Case, progress: Progress, events: StepTrace, *, read: bool) -> Progress:
    reading = case.bench.reading if read else None
    chosen = (
        await case.bench.compute(lambda: choose_executable(case, progress))
        if reading is None
        else await choose_read(case, progress, reading)
    )
    chosen = await case.bench.compute(lambda: _marked(case, chosen))
    explanation = None if chosen is None else chosen.explanation
    baseline = case.prepared.embedded
    computed = await case.bench.compute(lambda: _computed(case, explanation))
    against = await case.bench.compute(lambda: _computed(case, baseline))
    asked = ScoredExplanation((), ())
    if reading is not None and explanation is not None and _is_read(explanation):
        asked = await score_with_llm(
            reading, explanation, case.bench.others, analyst=baseline, neighbours=case.prepared.neighbours
        )
    ids = case.trace.keep((*computed.evidence, *against.evidence, *asked.evidence))
    sealed = SealedScores(
        explanation=explanation,
        scores=(*computed.scores, *asked.scores),
        validate_value=None if chosen is None else chosen.value,
        validate_n=0 if chosen is None else chosen.n,
        reader=None if reading is None else reading.reader.name,
        baseline=baseline,
        baseline_scores=against.scores,
    )
    words = "nothing to score" if explanation is None else f"scored: {explanation.text}"
    events.add(TraceKind.TOOL_RESULT, words, {"tool": "score"}, evidence=ids)
    evidence = tuple(dict.fromkeys((*progress.evidence, *ids)))
    return progress.model_copy(update={"scored": sealed, "evidence": evidence})


def _is_read(explanation: Explanation) -> bool:
    """Whether a model must read it: code's own words are their predicate."""
    return explanation.method is not ExplanationMethod.EMBEDDED


def _marked(case: Case, chosen: Chosen | None) -> Chosen | None:
    """With a flag where the label repeats a window: it may be recognised by it."""
    if chosen is None or not _is_read(chosen.explanation):
        return chosen
    room, prepared = case.bench.preparation.room, case.prepared
    shown = ["".join(w.tokens) for w in (*prepared.shown.windows, *prepared.shown.silent_windows)]
    examples = room.examples(case.ref, prepared.neighbours)
    return chosen._replace(explanation=flagged(chosen.explanation, room, examples, shown))


def _computed(case: Case, explanation: Explanation | None) -> ScoredExplanation:
    if explanation is None:
        return ScoredExplanation((), ())
    bench, prepared = case.bench, case.prepared
    return score_explanation(
        bench.preparation.room, explanation, bench.others, analyst=prepared.embedded,
        neighbours=prepared.neighbours,
    )  # fmt: skip


def sealed_f1(scores: tuple[Score, ...]) -> Score | None:
    """F1 over all tokens at the strong threshold; None where there is no predicate."""
    wanted = (ScoreMethod.PREDICATE, Metric.F1, Negatives.ALL_TOKENS, STRONG)
    for one in scores:
        if (one.method, one.metric, one.negatives, one.threshold) == wanted:
            return one if one.value is not None else None
    return None
