"""Which claim is put to the test on `sealed`: chosen on `validate` and by beliefs, never by sealed numbers.

Without a model that reads, only what can be executed is chosen, and its label is worded by code from the
predicate: a label that says something else than its predicate cannot slip through. With a reader, a
model's own words stand if the reader tells windows of `validate` apart with them about as well as the
predicate does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from glossator.agents.embedded_analyst.analyst import AUTHOR
from glossator.agents.explainers.explainer_settings import ExplainerSettings
from glossator.agents.explainers.judged_windows import JudgedWindows, detection_value, validate_windows
from glossator.agents.explainers.material import Material, OpenViews
from glossator.agents.investigator.case import Case
from glossator.agents.investigator.llm_proposer import AUTHORED
from glossator.agents.investigator.progress import Progress
from glossator.agents.scorers.llm_bench import LlmBench
from glossator.probes.predicate_evaluation import evaluate
from glossator.prompts.prompt_file import load_prompt
from glossator.records import (
    Explanation,
    ExplanationFlag,
    ExplanationMethod,
    Hypothesis,
    HypothesisOrigin,
    Predicate,
    PromptRef,
)

CLOSE = 0.03
"""Worth on `validate` by which a claim may fall short of the best and still be chosen for its belief."""
AGREES = 0.1
"""Balanced accuracy by which words and predicate may differ and still say the same."""
READ = 4
"""Claims that a reader reads, the most believed."""


class Chosen(NamedTuple):
    """What goes to `sealed`."""

    explanation: Explanation
    value: float | None
    """Balanced accuracy on windows of `validate`; None where it was not measured."""
    n: int
    """Windows behind that."""


def choose_executable(case: Case, progress: Progress) -> Chosen | None:
    """The best claim that can be executed, in words of code; failing that, the most believed one as it is."""
    playing = case.standing(progress).hypotheses
    best = _best_predicate(case, playing)
    if best is not None:
        return best
    first = next(iter(playing), None)
    return None if first is None else Chosen(_as_said(case, progress, first, None), None, 0)


async def choose_read(case: Case, progress: Progress, reading: LlmBench) -> Chosen | None:
    """The best claim with a model that reads; its words are its author's where they hold up.

    Raises:
        BudgetSpent: the next call could exceed the budget.
        EndpointError: the endpoint does not answer.
    """
    playing = case.standing(progress).hypotheses
    executable = await case.bench.compute(lambda: _best_predicate(case, playing))
    said = [h for h in playing if not _worded_by_code(h)][:READ]
    if not said:
        return executable
    windows = await case.bench.compute(lambda: _windows(case))
    found: list[Chosen] = []
    for hypothesis in said:
        value = await detection_value(reading.reader, hypothesis.text, windows)
        predicate = _agreeing(case, hypothesis.predicate, windows, value.accuracy)
        found.append(Chosen(_as_said(case, progress, hypothesis, predicate), value.accuracy, value.n))
    best = max(found, key=lambda c: -1.0 if c.value is None else c.value)
    if executable is None or best.value is None:
        return executable or best
    by_code = _accuracy(case, executable.explanation.predicate, windows)
    return best if best.value >= by_code - CLOSE else executable


def _best_predicate(case: Case, playing: Sequence[Hypothesis]) -> Chosen | None:
    """By worth on `validate`; among those close to the best, the most believed."""
    able = {h.predicate: h for h in reversed(playing) if h.predicate is not None}
    if not able:
        return None
    tried = case.bench.preparation.analyst.ranked(case.ref, list(able))
    best = max(t.score.worth for t in tried)
    close = [t for t in tried if t.score.worth >= best - CLOSE]
    believed = {h.id: i for i, h in enumerate(playing)}
    chosen = min(close, key=lambda t: believed[able[t.predicate].id])
    hypothesis = able[chosen.predicate]
    own = _worded_by_code(hypothesis)
    text = hypothesis.text if own else case.bench.preparation.analyst.worded(case.ref, chosen.predicate)
    explanation = Explanation.of(
        case.ref, hypothesis.author, text, chosen.predicate, _flags(case), case.prepared.cited
    )
    return Chosen(explanation, chosen.score.balanced_accuracy, 0)


def _as_said(
    case: Case, progress: Progress, hypothesis: Hypothesis, predicate: Predicate | None
) -> Explanation:
    cited = (*case.prepared.cited, *progress.experiments)
    return Explanation.of(
        case.ref, hypothesis.author, hypothesis.text, predicate, _flags(case), cited,
        method=ExplanationMethod.INVESTIGATED, prompts=_prompts(hypothesis),
    )  # fmt: skip


def _prompts(hypothesis: Hypothesis) -> tuple[PromptRef, ...]:
    """What asked for a claim that a model wrote."""
    if not hypothesis.author.startswith(AUTHORED):
        return ()
    refined = hypothesis.origin is HypothesisOrigin.REFINED
    return (load_prompt("investigate_refine" if refined else "investigate_hypotheses").ref,)


def _flags(case: Case) -> tuple[ExplanationFlag, ...]:
    return () if case.prepared.report is None else case.prepared.report.flags


def _worded_by_code(hypothesis: Hypothesis) -> bool:
    """Whether the claim's words are those of its predicate."""
    return hypothesis.predicate is not None and hypothesis.author == AUTHOR


def _windows(case: Case) -> JudgedWindows:
    preparation, prepared = case.bench.preparation, case.prepared
    shown = prepared.shown
    views = OpenViews(
        preparation.index.explore, preparation.index.validate, prepared.neighbours,
        preparation.explore_pool, preparation.room.validate_pool, preparation.room.embedder,
    )  # fmt: skip
    material = Material(case.ref, shown.max_activation, shown.windows, shown.silent_windows, shown.effects)
    return validate_windows(views, material, ExplainerSettings())


def _agreeing(
    case: Case, predicate: Predicate | None, windows: JudgedWindows, value: float | None
) -> Predicate | None:
    """The predicate, if it does as well as the words do; a label goes out without one that says less."""
    if predicate is None or value is None:
        return None
    return predicate if _accuracy(case, predicate, windows) >= value - AGREES else None


def _accuracy(case: Case, predicate: Predicate | None, windows: JudgedWindows) -> float:
    """Balanced accuracy of `predicate` on the same windows."""
    text = case.bench.preparation.index.validate.text
    if predicate is None or not windows.fires.any() or windows.fires.all():
        return 0.0
    total = np.concatenate([[0], np.cumsum(evaluate(predicate, text) & text.eligible)])
    held = total[windows.batch.stop] > total[windows.batch.start]
    return float((held[windows.fires].mean() + 1 - held[~windows.fires].mean()) / 2)
