"""`glossator run start`: order a labelling run, and stay with it or send it to the background."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.labelling_flags import (
    CausalFlag,
    ExplainByFlag,
    LabelAgainFlag,
    SamplesFlag,
    ScoreByFlag,
)
from glossator.commands.result_output import JsonFlag, note, note_if_heard, print_json_line, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from pydantic import JsonValue

    from glossator.run_planning import PlannedRun, RunWish
    from glossator.session import Session
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = JsonValue = PlannedRun = RunWish = Session = Any

INTERRUPTED = 130
BUDGET_HELP = "What may be spent on LLM calls, such as 20usd, 5000calls or 10Mtokens."
UNTIL_HELP = "When no new feature is begun any more: 07:00, 2026-11-29T07:00, or +8h."
NOTIFY_HELP = (
    "Shell command run at the end and on trouble, with GLOSSATOR_RUN, GLOSSATOR_EVENT and GLOSSATOR_WORDS "
    "set and the status as JSON on its standard input."
)
DetachFlag = Annotated[
    bool, typer.Option("--detach", help="Work in the background, also when this terminal is closed.")
]

RAY_HELP = "Have the workers live on the nodes of a Ray cluster."
RayFlag = Annotated[str | None, typer.Option("--ray", metavar="auto|ADDRESS", help=RAY_HELP)]


@with_settings
def start_command(
    *,
    effective: EffectiveSettings,
    features: Annotated[str, typer.Option(help="Which features: all, 0-99,812, or random:500.")],
    depth: Annotated[
        str, typer.Option(help="label: explained once and scored; investigate: by experiments.")
    ] = "label",
    budget: Annotated[str, typer.Option(help=BUDGET_HELP, show_default=False)] = "",
    until: Annotated[str, typer.Option(help=UNTIL_HELP, show_default=False)] = "",
    workers: Annotated[int, typer.Option(min=1, max=256, help="Worker processes.")] = 1,
    ray: RayFlag = None,
    detach: DetachFlag = False,
    order: Annotated[
        str, typer.Option(help="What comes first: promising, index, dense, given.")
    ] = "promising",
    shortfall: Annotated[
        str,
        typer.Option(
            help="What to do when the budget will not pay for all: fewer features, or cheaper ones."
        ),
    ] = "fewer",
    explain_by: ExplainByFlag = None,
    score_by: ScoreByFlag = None,
    samples: SamplesFlag = 1,
    causal: CausalFlag = False,
    notify: Annotated[str, typer.Option(metavar="CMD", help=NOTIFY_HELP, show_default=False)] = "",
    labels_from: Annotated[
        str,
        typer.Option(
            metavar="AUTHOR",
            help="Score the imported labels by this author instead of writing new ones.",
            show_default=False,
        ),
    ] = "",
    force: LabelAgainFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Order a labelling run over many features, and start it."""
    from glossator.records import Depth, RunOrder, Shortfall
    from glossator.report.progress import TaskProgress
    from glossator.run_launch import placement_on
    from glossator.run_planning import RunWish as Wish
    from glossator.run_until import parse_until
    from glossator.session import Session as OpenedSession

    wish = Wish(
        features=features,
        depth=one_of(Depth, depth, "--depth"),
        order=one_of(RunOrder, order, "--order"),
        budget=budget,
        until=parse_until(until) if until else "",
        shortfall=one_of(Shortfall, shortfall, "--shortfall"),
        explain_by=explain_by,
        score_by=score_by,
        samples=samples,
        causal=causal,
        workers=workers,
        notify=notify,
        labels_from=labels_from,
        force=force,
    )
    with (
        TaskProgress() as progress,
        OpenedSession(effective.settings, progress) as session,
        placement_on(ray, session),  # what is wrong with the cluster is said before anything is ordered
    ):
        planned = ordered(session, wish)
    with OpenedSession(effective.settings) as session:
        go(session, planned.id, {}, detached=detach, machine=wants_json(as_json), ray=ray)


def one_of(kind: Any, text: str, flag: str) -> Any:
    """The member of an enumeration that `text` names; raises `SettingsError` naming all."""
    from glossator.errors import SettingsError, listed

    try:
        return kind(text)
    except ValueError as error:
        known = listed(member.value for member in kind)
        raise SettingsError(f"{flag} is {text!r}: known are {known}") from error


def ordered(session: Session, wish: RunWish) -> PlannedRun:
    """Store the run, and say what it holds."""
    from glossator.run_planning import plan_run

    planned = plan_run(session, wish)
    counts = planned.counts
    note(f"run {planned.id}: {counts.planned:,} features to do, {counts.skipped:,} skipped")
    return planned


def go(
    session: Session,
    run: str,
    changes: Mapping[str, JsonValue],
    *,
    detached: bool,
    machine: bool,
    ray: str | None = None,
) -> None:
    """Conduct `run` here, or in the background."""
    if not detached:
        conduct_and_say(session, run, changes, machine=machine, ray=ray)
        return
    from glossator.run_launch import detach

    folder = detach(session, run, changes, ray)
    if machine:
        print_json_line({"run": run, "status": str(folder.status), "log": str(folder.log)})
        return
    note(
        f"{run} works in the background\nstatus: {folder.status}\nlog: {folder.log}\n"
        f"watch it with: glossator run watch {run}"
    )


def conduct_and_say(
    session: Session,
    run: str,
    changes: Mapping[str, JsonValue],
    *,
    machine: bool = False,
    ray: str | None = None,
) -> None:
    """Conduct `run` to its end, and say how it ended; raises what its exit code asks for."""
    from glossator.report.terminal_run import status_line
    from glossator.run_coordinator import failure
    from glossator.run_launch import conduct_run

    conducted = conduct_run(session, run, changes, ray=ray)
    if machine:
        print_json_line(conducted.status.model_dump(mode="json"))
    else:
        note_if_heard(status_line(conducted.status))
    if conducted.interrupted:
        note_if_heard(f"stopped; what was finished is stored. Go on with: glossator run resume {run}")
        raise typer.Exit(INTERRUPTED)
    failed = failure(conducted)
    if failed is not None:
        raise failed
