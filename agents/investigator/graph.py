"""The graph of an investigation: its steps, what follows which, and how one is resumed.

LangGraph (https://langchain-ai.github.io/langgraph/) runs it and keeps a checkpoint after every step. The
state is one JSON object, a `Progress`: nothing in a checkpoint needs more than JSON to be read again.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypedDict

from glossator.agents.investigator.case import Case, tracing
from glossator.agents.investigator.concluding_steps import facets, minimal, remember, verdict
from glossator.agents.investigator.progress import Progress
from glossator.agents.investigator.proposing_steps import observe, propose, recall, refine
from glossator.agents.investigator.sealed_scoring import score
from glossator.agents.investigator.testing_steps import challenge, experiment, update
from glossator.agents.trace.trace import StepTrace
from glossator.records import LlmSpending, StopReason

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

Step = Callable[[Case, Progress, StepTrace], Awaitable[Progress]]
STEPS: dict[str, Step] = {
    "recall": recall,
    "observe": observe,
    "propose": propose,
    "experiment": experiment,
    "update": update,
    "refine": refine,
    "challenge": challenge,
    "minimal": minimal,
    "facets": facets,
    "score": score,
    "verdict": verdict,
    "remember": remember,
}
"""Every step, by name."""
REPEATED = ("experiment", "update", "refine", "challenge")
"""Steps that may be taken several times; each time has a name of its own, such as `experiment-2`."""
MOST_STEPS = 200


class State(TypedDict):
    """What a checkpoint holds."""

    progress: dict[str, Any]
    """A `Progress` as JSON."""


def investigation_graph(
    case: Case, checkpointer: BaseCheckpointSaver[str] | None
) -> CompiledStateGraph[State, None, State, State]:
    """The compiled graph of one investigation."""
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(State)
    for name, step in STEPS.items():
        graph.add_node(name, _node(case, name, step))  # pyright: ignore[reportArgumentType]  # its stubs
    graph.add_edge(START, "recall")
    graph.add_edge("recall", "observe")
    graph.add_conditional_edges("observe", _after_observing, ["propose", "verdict"])
    graph.add_conditional_edges("propose", _after_proposing, ["experiment", "update"])
    graph.add_edge("experiment", "update")
    graph.add_conditional_edges("update", _leads_to, ["experiment", "refine", "challenge", "minimal"])
    graph.add_conditional_edges("refine", _leads_to, ["experiment", "update"])
    graph.add_conditional_edges("challenge", _leads_to, ["refine", "minimal"])
    for before, after in (("minimal", "facets"), ("facets", "score"), ("score", "verdict")):
        graph.add_edge(before, after)
    graph.add_edge("verdict", "remember")
    graph.add_edge("remember", END)
    return graph.compile(checkpointer=checkpointer)


def _node(case: Case, name: str, step: Step) -> Callable[[State], Awaitable[State]]:
    async def run(state: State) -> State:
        progress = Progress.model_validate(state["progress"])
        number = progress.taken.get(name, 0) + 1
        began = time.monotonic()
        with case.trace.at(f"{name}-{number}" if name in REPEATED else name) as events:
            calls = case.bench.calls
            with tracing(events), nullcontext() if calls is None else calls.meter() as meter:
                after = await step(case, progress, events)
        counted = {
            "taken": {**progress.taken, name: number},
            "seconds": progress.seconds + time.monotonic() - began,
            "spending": progress.spending if meter is None else added(progress.spending, meter.spending),
        }
        return {"progress": after.model_copy(update=counted).model_dump(mode="json")}

    return run


def added(first: LlmSpending, second: LlmSpending) -> LlmSpending:
    """What both cost together; money is unknown where either's is."""
    unknown = first.usd is None or second.usd is None
    reasons = sorted({*first.unscored, *second.unscored})
    return LlmSpending(
        calls=first.calls + second.calls,
        cached=first.cached + second.cached,
        input_tokens=first.input_tokens + second.input_tokens,
        output_tokens=first.output_tokens + second.output_tokens,
        usd=None if unknown else (first.usd or 0.0) + (second.usd or 0.0),
        unscored={r: first.unscored.get(r, 0) + second.unscored.get(r, 0) for r in reasons},
    )


def _after_observing(state: State) -> str:
    return "verdict" if state["progress"]["stopped"] == StopReason.UNFIT else "propose"


def _after_proposing(state: State) -> str:
    return "experiment" if state["progress"]["stopped"] is None else "update"


def _leads_to(state: State) -> str:
    return state["progress"]["leads_to"]
