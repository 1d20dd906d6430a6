"""How many requests of the suite each planner answers as expected.

    python -m benchmarks.requests [--planner rules|schema|native] [--model NAME --base-url URL] [--show]

Without a model, `schema` and `native` are played by a scripted one (`competent_planner.py`), which shows that
the loop works, not how good a model is. Prints one line of JSON with `pass_rate_<planner>`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.competent_planner import competent
from benchmarks.planted_requests import PlantedRequests, planted_requests
from benchmarks.request_suite import HELD_OUT, SUITE, Outcome, Request, judged, load_suite, pass_rate
from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Capabilities, ChatEndpoint, Role
from glossator.agents.llm_calls.model_spec import ModelSpec
from glossator.agents.llm_calls.open_endpoint import open_endpoint
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.scripted_chat import ScriptedChat
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.agents.orchestrator.loop import answer_request
from glossator.agents.orchestrator.native_planner import NativePlanner
from glossator.agents.orchestrator.planner import Planner
from glossator.agents.orchestrator.rule_planner import RulePlanner
from glossator.agents.orchestrator.schema_planner import SchemaPlanner
from glossator.agents.orchestrator.situation import Exchange
from glossator.agents.orchestrator.surroundings import Surroundings
from glossator.agents.trace.trace import Trace
from glossator.memory.call_store import CallStore
from glossator.memory.investigation_store import InvestigationStore
from glossator.records import Answer, PlannerKind
from tests.agents.tools.tool_bench import planted

ABLE = Capabilities(schema=True, logprobs=True, tools=True)


def scripted() -> ChatEndpoint:
    """The scripted model, which calls tools in its own form where they are offered."""
    return ScriptedChat(competent, capabilities=ABLE)


async def run_suite(
    bench: PlantedRequests, kind: PlannerKind, endpoint: ChatEndpoint, requests: Sequence[Request]
) -> list[Outcome]:
    """Every request, one after another."""
    room = CallRoom(
        {Role.INVESTIGATOR: endpoint}, budget=Budget(Limits()), store=CallStore(bench.ledger), slots=1,
        counter=TokenCounter(), prices=Prices("0/0"), run=bench.run,
    )  # fmt: skip
    try:
        return [await _outcome(bench, kind, room, request) for request in requests]
    finally:
        await room.close()


async def _outcome(bench: PlantedRequests, kind: PlannerKind, room: CallRoom, request: Request) -> Outcome:
    conversation: list[Exchange] = []
    if request.after:
        conversation.append(Exchange.of(await _answer(bench, kind, room, request.after, ())))
    return judged(request, await _answer(bench, kind, room, bench.text_of(request), conversation))


async def _answer(
    bench: PlantedRequests, kind: PlannerKind, room: CallRoom, text: str, conversation: Sequence[Exchange]
) -> Answer:
    store = InvestigationStore(bench.ledger)
    trace = Trace(store, store.start("request", bench.names, text, {}), bench.run)
    around = Surroundings(calls=room)
    planner = _planner(kind, room)
    return await answer_request(text, planner, bench.tools, trace, conversation=conversation, around=around)


def _planner(kind: PlannerKind, room: CallRoom) -> Planner:
    if kind is PlannerKind.RULES:
        return RulePlanner()
    return NativePlanner(room) if kind is PlannerKind.NATIVE else SchemaPlanner(room)


def _show(outcome: Outcome, *, whole: bool) -> None:
    sign = "pass" if outcome.passed else "FAIL"
    print(f"{sign}  {outcome.request.name}: {'; '.join(outcome.problems)}", file=sys.stderr)
    if whole and not outcome.passed:
        for line in (*outcome.answer.tried, outcome.answer.stopped):
            print(f"        {line[:160]}", file=sys.stderr)


def main() -> None:
    """Run the suite and print the rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planner", choices=[k.value for k in PlannerKind], default="rules")
    parser.add_argument("--model")
    parser.add_argument("--base-url")
    parser.add_argument("--held-out", action="store_true", help="The requests that nothing was tuned on.")
    parser.add_argument("--show", action="store_true", help="Say what failed requests tried.")
    given = parser.parse_args()
    kind = PlannerKind(given.planner)
    endpoint = (
        open_endpoint(ModelSpec.parse(given.model, base_url=given.base_url), timeout=300.0)
        if given.model
        else scripted()
    )
    suite = load_suite(HELD_OUT if given.held_out else SUITE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        index = planted(folder)
        began = time.perf_counter()
        with planted_requests(index, folder) as bench:
            outcomes = asyncio.run(run_suite(bench, kind, endpoint, suite))
    for outcome in outcomes:
        _show(outcome, whole=given.show)
    struck = sum(len(c.struck) for o in outcomes for c in o.answer.claims)
    calls = sum(o.answer.spending.calls for o in outcomes)
    print(json.dumps({
        f"pass_rate_{kind.value}": round(pass_rate(outcomes), 3), "requests": len(outcomes),
        "model": given.model or ("none" if kind is PlannerKind.RULES else "scripted"), "calls": calls,
        "struck": struck, "seconds": round(time.perf_counter() - began, 1),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
