"""`glossator investigate`: one feature, or a request in words, with hypotheses, experiments and a verdict."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.labelling_flags import BudgetFlag
from glossator.commands.result_output import JsonFlag, note, print_json_line, print_rich, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.agents.investigator.limits import InvestigationLimits
    from glossator.investigation_run import Investigated
    from glossator.session import Session
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = Investigated = InvestigationLimits = Session = Any

_FEATURE = re.compile(r"\s*(\d+|[^/\s]+/[^/\s]+/\d+)\s*")


@with_settings
def investigate_command(
    what: Annotated[
        str, typer.Argument(help="A feature (its index, or SUBJECT/DICTIONARY/INDEX), or a request in words.")
    ],
    *,
    effective: EffectiveSettings,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of experiments, at most.")] = 4,
    texts: Annotated[int, typer.Option(min=1, help="Texts that the subject reads, at most.")] = 160,
    seconds: Annotated[float | None, typer.Option(min=1, help="Wall time, at most.")] = None,
    budget: BudgetFlag = None,
    no_llm: Annotated[
        bool,
        typer.Option("--no-llm", help="Ask no model, also where one is set: the embedded analyst proposes."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Investigate again what is stored.")] = False,
    out: Annotated[Path | None, typer.Option(help="File for the trace as an HTML page.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Investigate a feature, or whatever a request asks for, and store what was found."""
    if _FEATURE.fullmatch(what):
        from glossator.agents.investigator.limits import InvestigationLimits as Limits

        limits = Limits(rounds=rounds, texts=texts, seconds=seconds)
        _feature(
            effective, what, limits, budget, no_llm=no_llm, force=force, out=out, machine=wants_json(as_json)
        )
    else:
        from glossator.commands.ask import answer_one

        answer_one(
            effective, what, planner="rules" if no_llm else "auto", budget=budget, seconds=seconds, out=out,
            machine=wants_json(as_json),
        )  # fmt: skip


def _feature(
    effective: EffectiveSettings,
    what: str,
    limits: InvestigationLimits,
    budget: str | None,
    *,
    no_llm: bool,
    force: bool,
    out: Path | None,
    machine: bool,
) -> None:
    from glossator.causal_session import feature_of
    from glossator.report.progress import TaskProgress
    from glossator.session import Session as OpenedSession

    with TaskProgress() as progress, OpenedSession(effective.settings, progress) as session:
        session.index()
        ref = feature_of(session, what)
        found = _investigated(session, ref.index, limits, budget, no_llm=no_llm, force=force)
        if out is not None:
            from glossator.commands.investigations import write_page

            write_page(session, found.id, out)
    if machine:
        print_json_line({"investigation": found.id, **found.result.model_dump(mode="json")})
    else:
        from glossator.report.terminal_investigation import render_investigation

        print_rich(render_investigation(found.result, found.id))
    if found.from_ledger:
        note("investigated before under these settings (--force investigates again)")
    if out is not None:
        note(f"page: {out}")


def _investigated(
    session: Session,
    feature: int,
    limits: InvestigationLimits,
    budget: str | None,
    *,
    no_llm: bool,
    force: bool,
) -> Investigated:
    from glossator.agent_calls import agent_models
    from glossator.investigation_run import FeatureInvestigations
    from glossator.own_loop import run_to_end
    from glossator.report.terminal_trace import TraceLines

    models = agent_models(session, budget, without=no_llm)
    work = FeatureInvestigations(session, models, limits=limits, listeners=[TraceLines()])
    try:
        return run_to_end(work.investigate(feature, force=force))
    finally:
        work.close()
