"""`glossator run plan`: the runs of a plan file, one after the other, resumable by the same command."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from glossator.commands.result_output import JsonFlag, note, note_if_heard, wants_json
from glossator.commands.run_start import RayFlag, conduct_and_say
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.records import RunSpending
    from glossator.run_plan_file import PlannedStep
    from glossator.run_planning import RunWish
    from glossator.session import Session
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = PlannedStep = RunSpending = RunWish = Session = Any


@with_settings
def plan_command(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="What to label, and how.")],
    *,
    effective: EffectiveSettings,
    dry: Annotated[bool, typer.Option("--dry", help="Say what would be done, and do nothing.")] = False,
    ray: RayFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Conduct the runs that a file plans; the same command again goes on with what is unfinished."""
    from glossator.errors import BudgetSpent
    from glossator.report.progress import TaskProgress
    from glossator.run_launch import placement_on
    from glossator.run_plan_file import left_of, read_plan_file
    from glossator.session import Session as OpenedSession

    plan = read_plan_file(file, effective)
    spent: dict[str, RunSpending] = {}
    seconds = 0.0
    for number, step in enumerate(plan.steps, 1):
        note_if_heard(f"{number} of {len(plan.steps)}{': ' + step.words if step.words else ''}")
        with TaskProgress() as progress, OpenedSession(step.settings, progress) as session:
            if dry:
                _say_what_would_be(session, plan.wish)
                continue
            budget = left_of(plan.wish.budget, spent.values(), seconds)
            if budget is None:
                raise BudgetSpent(
                    f"the budget ({plan.wish.budget}) was spent by the runs before: raise it in "
                    f"{str(file)!r} and repeat the command; it goes on from here"
                )
            with placement_on(ray, session):  # as in `run start`: what is wrong is said before anything
                run = _step(session, plan.wish._replace(budget=budget))
        begun = time.monotonic()
        spent[run.id] = _conduct(step, run, ray, machine=wants_json(as_json))
        seconds += time.monotonic() - begun


class _Step(NamedTuple):
    """A run of the plan."""

    id: str
    changes: dict[str, Any]
    """Of its plan, where it was begun before."""
    over: bool = False
    """Nothing is left of it."""


def _step(session: Session, wish: RunWish) -> _Step:
    """The run that was begun for this step, or a new one."""
    from glossator.memory.labelling_runs import LabellingRunStore
    from glossator.records import RunState
    from glossator.run_planning import draft_run, equal_runs

    store = LabellingRunStore(session.ledger())
    draft = draft_run(session, wish)
    known = equal_runs(store, draft.plan)
    if not known:
        made = store.create(draft.plan, draft.items)
        counts = draft.counts
        note_if_heard(f"run {made}: {counts.planned:,} features to do, {counts.skipped:,} skipped")
        return _Step(made, {})
    if store.state(known[0]) is RunState.FINISHED:
        note_if_heard(f"run {known[0]} was finished before")
        return _Step(known[0], {}, over=True)
    note_if_heard(f"run {known[0]} was begun before and goes on")
    changes = {"budget": wish.budget, "until": wish.until, "workers": wish.workers, "notify": wish.notify}
    return _Step(known[0], changes)


def _conduct(step: PlannedStep, run: _Step, ray: str | None, *, machine: bool) -> RunSpending:
    """Conduct a run unless it is over; returns what it cost in all."""
    from glossator.run_status import run_status
    from glossator.session import Session as OpenedSession

    with OpenedSession(step.settings) as session:
        if not run.over:
            conduct_and_say(session, run.id, run.changes, machine=machine, ray=ray)
        return run_status(session.ledger(), run.id).spent


def _say_what_would_be(session: Session, wish: RunWish) -> None:
    """What a step comes to, where that can be said without building an index."""
    from glossator.memory.labelling_runs import LabellingRunStore
    from glossator.run_planning import draft_run, equal_runs

    if session.passport() is None:
        note("  its index does not stand yet and would be built first")
        return
    draft = draft_run(session, wish)
    store = LabellingRunStore(session.ledger())
    known = equal_runs(store, draft.plan)
    if known:
        note(f"  run {known[0]} stands: {store.state(known[0]).value}")
    else:
        note(f"  {draft.counts.planned:,} features to do, {draft.counts.skipped:,} skipped")
