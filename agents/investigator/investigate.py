"""Investigates one feature: hypotheses, experiments that could refute them, a verdict by the written rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glossator.agents.investigator.bench import InvestigatorBench
from glossator.agents.investigator.case import Case
from glossator.agents.investigator.graph import MOST_STEPS, investigation_graph
from glossator.agents.investigator.limits import InvestigationLimits
from glossator.agents.investigator.progress import Progress
from glossator.agents.investigator.proposer import Proposer
from glossator.agents.trace.trace import StepTrace, Trace
from glossator.errors import GlossatorError
from glossator.records import FeatureInvestigation, LlmSpending, TraceKind

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver


async def investigate_feature(
    bench: InvestigatorBench,
    feature: int,
    proposer: Proposer,
    *,
    limits: InvestigationLimits | None = None,
    trace: Trace,
    checkpointer: BaseCheckpointSaver[str] | None = None,
) -> FeatureInvestigation:
    """What `feature` means, or why that is not known.

    With the same `trace.investigation` and the checkpointer that it was begun with, an investigation that
    was killed goes on at the step that it was in; answers of models are in the ledger and not paid again.

    Args:
        bench: what is measured with.
        feature: its index.
        proposer: who proposes hypotheses and texts; it decides nothing.
        limits: how far to go.
        trace: where events, evidence and the card go.
        checkpointer: keeps progress after each step; None keeps none.

    Raises:
        UnknownNameError: the dictionary has no such feature.
        ModelAccessError: a model cannot be used as it is set.
        EndpointError: a model's endpoint does not answer, after trying again.
        StorageError: the ledger cannot be read or written.
        ProbeError: the subject or the dictionary failed while measuring.
    """
    limits = limits or InvestigationLimits()
    case = Case(bench, bench.preparation.ref(feature), proposer, limits, trace)
    try:
        result = await _run(case, checkpointer)
    except GlossatorError as error:
        _note_failure(trace, error)
        raise
    payload = result.model_dump(mode="json")
    words = f"{result.verdict.kind.value}: {result.explanation.text if result.explanation else 'no label'}"
    StepTrace(trace, "finish").add(TraceKind.FINISHED, words, payload, evidence=result.evidence)
    return result


async def _run(case: Case, checkpointer: BaseCheckpointSaver[str] | None) -> FeatureInvestigation:
    graph = investigation_graph(case, checkpointer)
    config: Any = {"configurable": {"thread_id": case.trace.investigation}, "recursion_limit": MOST_STEPS}
    begun = {} if checkpointer is None else (await graph.aget_state(config)).values
    if not begun:
        _note_start(case)
    free = LlmSpending(usd=0.0 if case.bench.calls is not None else None)
    start = None if begun else {"progress": Progress(spending=free).model_dump(mode="json")}
    durability = None if checkpointer is None else "sync"
    state: Any = await graph.ainvoke(start, config, durability=durability)  # pyright: ignore[reportArgumentType]
    result = Progress.model_validate(state["progress"]).result
    assert result is not None
    return result


def _note_start(case: Case) -> None:
    limits = case.limits
    payload: dict[str, object] = {
        "feature": str(case.ref),
        "proposer": case.proposer.author,
        "hypotheses": limits.hypotheses,
        "tests": limits.tests,
        "rounds": limits.rounds,
        "texts": limits.texts,
        "seconds": limits.seconds,
        "decided": limits.decided,
    }
    words = f"investigating {case.ref} with {case.proposer.author}"
    StepTrace(case.trace, "start").add(TraceKind.STARTED, words, payload)


def _note_failure(trace: Trace, error: GlossatorError) -> None:
    """A failure of this process; each has a name of its own, as the same may happen again."""
    number = len(trace.store.events(trace.investigation))
    StepTrace(trace, f"failed-{number}").add(TraceKind.FAILED, str(error))
