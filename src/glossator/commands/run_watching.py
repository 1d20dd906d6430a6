"""`glossator run list`, `status` and `watch`: how labelling runs stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.result_output import JsonFlag, note, print_json_line, print_rich, wants_json
from glossator.commands.run_control import Identity
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.records import RunStatus
    from glossator.run_folder import RunFolder
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = RunFolder = RunStatus = Any


@with_settings
def list_command(
    *,
    effective: EffectiveSettings,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most how many, newest first.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """List labelling runs: how each stands, and what it cost."""
    from glossator.memory.labelling_runs import LabellingRunStore
    from glossator.report.terminal_run import runs_table
    from glossator.run_status import run_status
    from glossator.session import Session

    with Session(effective.settings) as session:
        stored = LabellingRunStore(session.ledger()).all()[:limit]
        statuses = [run_status(session.ledger(), one.id, fresh=0) for one in stored]
    if not statuses:
        note("there is no labelling run yet: glossator run start --features all")
    elif wants_json(as_json):
        for status in statuses:
            print_json_line(status.model_dump(mode="json"))
    else:
        print_rich(runs_table(statuses))


@with_settings
def status_command(
    identity: Identity = None, *, effective: EffectiveSettings, as_json: JsonFlag = False
) -> None:
    """Show how a run stands: progress, pace, spending, scores, failures, the latest labels."""
    from glossator.memory.labelling_runs import LabellingRunStore
    from glossator.report.terminal_run import status_view
    from glossator.run_folder import RunFolder
    from glossator.run_launch import find_run
    from glossator.run_status import run_status
    from glossator.session import Session

    with Session(effective.settings) as session:
        run = find_run(LabellingRunStore(session.ledger()), identity)
        status = run_status(session.ledger(), run)
    _say_if_abandoned(status, RunFolder.of(effective.settings.home, run))
    if wants_json(as_json):
        print_json_line(status.model_dump(mode="json"))
    else:
        print_rich(status_view(status))


@with_settings
def watch_command(
    identity: Identity = None,
    *,
    effective: EffectiveSettings,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON line for every change.")] = False,
) -> None:
    """Watch a run until it ends; Ctrl-C ends the watching, not the run."""
    import sys

    from glossator.memory.labelling_runs import LabellingRunStore
    from glossator.run_folder import RunFolder
    from glossator.run_launch import find_run
    from glossator.run_status import run_status
    from glossator.run_watch import changes, moments, watch_live
    from glossator.session import Session

    with Session(effective.settings) as session:
        ledger = session.ledger()
        run = find_run(LabellingRunStore(ledger), identity)
        folder = RunFolder.of(effective.settings.home, run)
        try:
            if sys.stdout.isatty() and not as_json:
                watch_live(ledger, run, folder)
            else:
                for status in changes(moments(ledger, run, folder)):
                    _print(status, as_json=as_json)
            _say_if_abandoned(run_status(ledger, run), folder)
        except KeyboardInterrupt:
            note(f"{run} goes on unwatched")


def _say_if_abandoned(status: RunStatus, folder: RunFolder) -> None:
    """A machine that was switched off could not note that nobody is left."""
    left = status.state.value == "running" and not any(worker.alive for worker in status.workers)
    if left and not folder.is_held():
        note(f"nobody is at {status.run}: go on with glossator run resume {status.run}")


def _print(status: Any, *, as_json: bool) -> None:
    from glossator.report.terminal_run import status_line

    if as_json:
        print_json_line(status.model_dump(mode="json"))
    else:
        typer.echo(status_line(status))
