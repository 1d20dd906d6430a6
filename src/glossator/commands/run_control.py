"""`glossator run pause`, `resume`, `stop` and `retry-failed`: runs that are going on, or went on once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.result_output import JsonFlag, note, wants_json
from glossator.commands.run_start import BUDGET_HELP, NOTIFY_HELP, UNTIL_HELP, DetachFlag, RayFlag, go
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.memory.labelling_runs import LabellingRunStore
    from glossator.records import RunEventKind
    from glossator.session import Session
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = LabellingRunStore = RunEventKind = Session = Any

Identity = Annotated[
    str | None,
    typer.Argument(
        metavar="[ID]", help="Its id, or how it begins; the latest if left out.", show_default=False
    ),
]


@with_settings
def pause_command(identity: Identity = None, *, effective: EffectiveSettings) -> None:
    """Let a run rest: what is in work is finished, and nothing new is begun until it is resumed."""
    from glossator.records import RunEventKind as Kind
    from glossator.session import Session as OpenedSession

    with OpenedSession(effective.settings) as session:
        run = _asked(session, identity, Kind.PAUSED, "somebody asked it to rest")
    note(f"{run} rests when what is in work is finished; go on with: glossator run resume {run}")


@with_settings
def stop_command(identity: Identity = None, *, effective: EffectiveSettings) -> None:
    """End a run: what is in work is finished, what is left stays planned and can be resumed."""
    from glossator.records import RunEventKind as Kind
    from glossator.session import Session as OpenedSession

    with OpenedSession(effective.settings) as session:
        run = _asked(session, identity, Kind.STOPPED, "somebody asked it to end")
    note(f"{run} ends when what is in work is finished; what is left: glossator run resume {run}")


@with_settings
def resume_command(
    identity: Identity = None,
    *,
    effective: EffectiveSettings,
    budget: Annotated[
        str | None, typer.Option(help=f"Instead of the one ordered; `none` for no limit. {BUDGET_HELP}")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help=f"Instead of the one ordered; `never` for no limit. {UNTIL_HELP}")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="Worker processes.")] = None,
    notify: Annotated[str | None, typer.Option(metavar="CMD", help=NOTIFY_HELP)] = None,
    ray: RayFlag = None,
    detach: DetachFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Go on with a run exactly where it is; its budget, time and workers may be changed."""
    from glossator.agents.llm_calls.budget import Limits
    from glossator.llm_plan import llm_plan
    from glossator.records import RunState
    from glossator.run_folder import RunFolder
    from glossator.run_launch import note_start
    from glossator.run_settings import run_settings
    from glossator.run_until import parse_until
    from glossator.session import Session as OpenedSession

    if budget is not None and budget != "none":
        Limits.parse(budget)
    limits = "" if budget == "none" else budget
    moment = None if until is None else "" if until == "never" else parse_until(until)
    given = {"budget": limits, "until": moment, "workers": workers, "notify": notify}
    changes = {key: value for key, value in given.items() if value is not None}
    with OpenedSession(effective.settings) as session:
        store = _store(session)
        run = _found(store, identity)
        _refuse_what_cannot_go_on(store, run, changes)
        settings = run_settings(store.plan(run), effective)
        if RunFolder.of(effective.settings.home, run).is_held():
            _refuse_what_needs_a_start(run, changes)
            _refuse_what_winds_down(store, run)
            if changes or store.state(run) is not RunState.RUNNING:
                note_start(store, run, changes)
            note(f"{run} goes on; watch it with: glossator run watch {run}")
            return
    if limits:
        llm_plan(settings, budget=limits)  # refuses one where nothing is asked of a model
    with OpenedSession(settings) as session:
        go(session, run, changes, detached=detach, machine=wants_json(as_json), ray=ray)


@with_settings
def retry_command(
    identity: Identity = None,
    *,
    effective: EffectiveSettings,
    hopeless: Annotated[
        bool, typer.Option("--all", help="Also those for which trying again should not help.")
    ] = False,
) -> None:
    """Plan failed features again: those for which trying again could help."""
    from glossator.memory.work_queue import WorkQueue
    from glossator.records import RunEvent
    from glossator.records import RunEventKind as Kind
    from glossator.session import Session as OpenedSession

    with OpenedSession(effective.settings) as session:
        store = _store(session)
        run = _found(store, identity)
        queue = WorkQueue(session.ledger(), run)
        planned = queue.plan_failed_again(hopeless=hopeless)
        if planned:
            words = f"{planned} failed features are planned again"
            store.note(run, RunEvent(kind=Kind.RETRIED, words=words))
        failed = queue.counts().failed
    others = f"; {failed:,} failed ones are left as they are (--all plans them as well)" if failed else ""
    next_step = f"; now: glossator run resume {run}" if planned else ""
    note(f"{planned:,} features of {run} are planned again{others}{next_step}")


def _asked(session: Session, identity: str | None, kind: RunEventKind, words: str) -> str:
    """Note what somebody asks of a run; raises `UserError` where it is over."""
    from glossator.errors import UserError
    from glossator.records import RunEvent, RunState

    store = _store(session)
    run = _found(store, identity)
    state = store.state(run)
    if state in (RunState.FINISHED, RunState.STOPPED):
        raise UserError(f"the run {run} is {state.value} already: see glossator run status {run}")
    store.note(run, RunEvent(kind=kind, words=words))
    return run


def _refuse_what_needs_a_start(run: str, changes: dict[str, Any]) -> None:
    """Workers that live keep to the budget that they began with."""
    from glossator.errors import UserError

    late = [f"--{name}" for name in ("budget", "workers", "notify") if name in changes]
    if late:
        raise UserError(
            f"the run {run} is going on, and {' and '.join(late)} can be changed at a start alone: "
            f"glossator run stop {run}, and when it has ended resume it"
        )


def _refuse_what_winds_down(store: LabellingRunStore, run: str) -> None:
    """Workers that were told to end do not come back, and a coordinator starts others at its start alone."""
    from glossator.errors import BusyError
    from glossator.memory.run_liveness import living_workers
    from glossator.records import RunState

    going_on = store.state(run) in (RunState.RUNNING, RunState.PAUSED)
    if not going_on or not living_workers(store.ledger, run):
        raise BusyError(
            f"a process of this machine is about to begin the run {run}, or to end it: wait until it has "
            f"(glossator run status {run}), then repeat this command"
        )


def _refuse_what_cannot_go_on(store: LabellingRunStore, run: str, changes: dict[str, Any]) -> None:
    from datetime import UTC, datetime

    from glossator.errors import UserError
    from glossator.memory.work_queue import WorkQueue

    counts = WorkQueue(store.ledger, run).counts()
    if counts.left == 0:
        failed = f"; glossator run retry-failed {run} plans failed ones again" if counts.failed else ""
        raise UserError(f"the run {run} has nothing left to do: {counts.done} features are done{failed}")
    until = str(changes.get("until", store.plan(run).until))
    if until and datetime.fromisoformat(until) <= datetime.now(UTC):
        raise UserError(f"the time of the run {run} ({until}) is over: give --until LATER, or --until never")


def _store(session: Session) -> LabellingRunStore:
    from glossator.memory.labelling_runs import LabellingRunStore as Store

    return Store(session.ledger())


def _found(store: LabellingRunStore, identity: str | None) -> str:
    from glossator.run_launch import find_run

    return find_run(store, identity)
