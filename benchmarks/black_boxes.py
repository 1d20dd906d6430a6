"""What agents find out about functions from inputs and outputs alone: FIND-style, with known truth.

    python -m benchmarks.black_boxes [--functions 20] [--seed 0] [--kinds text_one,text_two] [--json]
    python -m benchmarks.black_boxes --model NAME --base-url http://127.0.0.1:8000/v1 [--home FOLDER]

Without a model: the embedded prober beside random inputs and the prior. With one: the agent, one-shot with
the same model at equal calls and inputs, and the model's guess without any experiment. Descriptions are
judged by a 3-way choice, forms by executing them. Finished functions are kept in FOLDER, one JSON line
each, and answers in a ledger there, so a run that was stopped goes on and asks nothing twice.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from benchmarks.black_box_table import keys_of, markdown, rows_of
from benchmarks.black_box_trial import Finished, FunctionResult, Plan, try_function
from benchmarks.report_form import emit
from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import ChatEndpoint, Role
from glossator.agents.llm_calls.model_spec import ModelSpec
from glossator.agents.llm_calls.open_endpoint import open_endpoint
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.memory.call_store import CallStore
from glossator.memory.ledger import Ledger
from glossator.probes.black_boxes.generate import HiddenFunction, generate
from glossator.probes.black_boxes.kinds import Kind
from glossator.records import content_id

VERSION = 1
"""Raised whenever finished functions would come out otherwise."""
_TIMEOUT = 600.0


def open_room(endpoint: ChatEndpoint, ledger: Ledger, slots: int) -> CallRoom:
    """A room whose answers are kept; unreadable answers are not asked for again, so that calls are equal."""
    roles = {Role.INVESTIGATOR: endpoint, Role.JUDGE: endpoint}
    return CallRoom(
        roles, budget=Budget(Limits()), store=CallStore(ledger), slots=slots, counter=TokenCounter(),
        prices=Prices(), run="black_boxes", reasks=0,
    )  # fmt: skip


async def run(
    functions: Sequence[HiddenFunction],
    calls: CallRoom | None,
    plan: Plan,
    kept: Finished,
    *,
    side_by_side: int = 2,
    minutes: float = 0.0,
) -> list[FunctionResult]:
    """The functions, some side by side; none is begun when the time is used up."""
    began, slots = time.monotonic(), asyncio.Semaphore(side_by_side)

    async def one(function: HiddenFunction) -> FunctionResult | None:
        async with slots:
            found = kept.get(function.name)
            if found is None and not (minutes and time.monotonic() - began > 60 * minutes):
                found = await try_function(function, calls, plan)
                kept.add(found)
                print(f"{function.name}: {found.seconds:.0f} s", file=sys.stderr, flush=True)
            return found

    try:
        results = await asyncio.gather(*map(one, functions))
    finally:
        if calls is not None:
            await calls.close()
    return [r for r in results if r is not None]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="name of a model; none: only the arms without one")
    parser.add_argument("--base-url", help="an OpenAI-compatible endpoint")
    parser.add_argument("--functions", type=int, default=20, help="how many functions")
    parser.add_argument("--seed", type=int, default=0, help="of the functions")
    parser.add_argument("--kinds", default="", help="some kinds only, joined by commas")
    parser.add_argument("--recipe", action="store_true", help="kinds in FIND's shares; else they take turns")
    parser.add_argument("--rounds", type=int, default=4, help="calls of the agent and of one-shot")
    parser.add_argument("--shufflings", type=int, default=3, help="orders in which a description is judged")
    parser.add_argument("--no-judge", action="store_true", help="judge descriptions by code alone")
    parser.add_argument("--minutes", type=float, default=0.0, help="begin no function after so long")
    parser.add_argument("--side-by-side", type=int, default=2, help="functions at once")
    parser.add_argument("--home", type=Path, default=Path("black-boxes"), help="where results are kept")
    parser.add_argument("--json", action="store_true", help="one last line of JSON")
    chosen = parser.parse_args()
    kinds = [Kind(k) for k in chosen.kinds.split(",") if k]
    plan = Plan(chosen.rounds, chosen.shufflings, judged=not chosen.no_judge)
    functions = generate(chosen.seed, chosen.functions, kinds, recipe=chosen.recipe)
    functions.sort(key=lambda f: f.signature.takes)  # prompts that begin alike follow each other
    identity = [VERSION, chosen.model, list(plan)]
    chosen.home.mkdir(parents=True, exist_ok=True)
    kept = Finished(chosen.home / f"{content_id('black-boxes', identity)}.jsonl")
    with contextlib.ExitStack() as stack:
        calls = None
        if chosen.model:
            ledger = stack.enter_context(Ledger.open(chosen.home / "ledger.sqlite"))
            spec = ModelSpec.parse(chosen.model, base_url=chosen.base_url)
            calls = open_room(open_endpoint(spec, timeout=_TIMEOUT), ledger, chosen.side_by_side)
        results = asyncio.run(
            run(functions, calls, plan, kept, side_by_side=chosen.side_by_side, minutes=chosen.minutes)
        )
    keys: dict[str, JsonValue] = {
        **keys_of(results), "functions": len(results), "seed": chosen.seed, "model": chosen.model,
        "rounds": plan.rounds, "shufflings": plan.shufflings,
    }  # fmt: skip
    print(markdown(results))
    title = f"Black boxes: {len(results)} functions, seed {chosen.seed}, model {chosen.model or 'none'}"
    emit(title, rows_of(results), keys, chosen.json)


if __name__ == "__main__":
    main()
