"""`glossator ask`: a request in words, answered with evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.labelling_flags import BudgetFlag
from glossator.commands.result_output import JsonFlag, note, print_json_line, print_rich, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = Any

PlannerFlag = Annotated[
    str,
    typer.Option(
        help="Who chooses tools: native (the model's own tool calls), schema (JSON), rules (no model), auto."
    ),
]
ContinueFlag = Annotated[
    str | None, typer.Option("--continue", help="The request to go on from, such as i-3f9a1c204b77.")
]


@with_settings
def ask_command(
    request: Annotated[str, typer.Argument(help="What to find out, in words.")],
    *,
    effective: EffectiveSettings,
    continues: ContinueFlag = None,
    planner: PlannerFlag = "auto",
    budget: BudgetFlag = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="Wall time, at most.")] = None,
    out: Annotated[Path | None, typer.Option(help="File for the trace as an HTML page.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Answer a request about features; every claim cites its evidence."""
    answer_one(
        effective, request, planner=planner, budget=budget, seconds=seconds, out=out,
        machine=wants_json(as_json), continues=continues or "",
    )  # fmt: skip


def answer_one(
    effective: EffectiveSettings,
    request: str,
    *,
    planner: str,
    budget: str | None,
    seconds: float | None,
    out: Path | None,
    machine: bool,
    continues: str = "",
) -> None:
    """Answer one request and print the answer: events go to stderr as they happen."""
    from dataclasses import replace

    from glossator.agent_calls import agent_models
    from glossator.agents.orchestrator.limits import OrchestratorLimits
    from glossator.report.progress import TaskProgress
    from glossator.report.terminal_answer import render_answer
    from glossator.report.terminal_trace import TraceLines
    from glossator.request_run import run_request
    from glossator.session import Session

    limits = OrchestratorLimits()
    if seconds is not None:
        limits = replace(limits, seconds=seconds)
    with TaskProgress() as progress, Session(effective.settings, progress) as session:
        models = agent_models(session, budget, without=planner == "rules")
        session.index()
        answer = run_request(
            session, request, models, planner=planner, continues=continues, limits=limits,
            listeners=[TraceLines()],
        )  # fmt: skip
        if out is not None:
            from glossator.commands.investigations import write_page

            write_page(session, answer.investigation, out)
    if machine:
        print_json_line(answer.model_dump(mode="json"))
    else:
        print_rich(render_answer(answer))
        note(f'go on with: glossator ask --continue {answer.investigation} "…"')
    if out is not None:
        note(f"page: {out}")
