"""What a labelling run's events order its workers to do at present.

Read anew again and again: somebody else pauses and resumes the run, and the wall clock may be set while it
goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from glossator.agents.run_work.worker_end import Halt, WhyEnded
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.records import RunEvent, RunEventKind, RunPlan

_ENDING = {
    RunEventKind.STOPPED: WhyEnded.STOPPED,
    RunEventKind.BUDGET_SPENT: WhyEnded.BUDGET_SPENT,
    RunEventKind.TIME_UP: WhyEnded.TIME_UP,
    RunEventKind.FINISHED: WhyEnded.NOTHING_LEFT,
}
_ORDERING = (RunEventKind.STARTED, RunEventKind.PAUSED, *_ENDING)


class Orders(NamedTuple):
    """What is to be done."""

    plan: RunPlan
    """As later starts have changed it."""
    paused: bool = False
    halt: Halt | None = None
    """Why nothing new is begun; None while the run goes on."""
    variant: int = 0
    """The way in which features begun from now on are done."""

    def is_time_up(self, now: datetime) -> bool:
        """Whether the time that was ordered is over."""
        return bool(self.plan.until) and now >= datetime.fromisoformat(self.plan.until)


def read_orders(runs: LabellingRunStore, run: str) -> Orders:
    """What `run` orders at present. Blocks."""
    events = [s.event for s in runs.events(run, *_ORDERING, RunEventKind.SHORTFALL)]
    last = next((e for e in reversed(events) if e.kind in _ORDERING), None)
    halt = None
    if last is None:
        halt = Halt(WhyEnded.STOPPED, "the run was not started")
    elif last.kind in _ENDING:
        halt = Halt(_ENDING[last.kind], last.words)
    paused = last is not None and last.kind is RunEventKind.PAUSED
    return Orders(runs.plan(run), paused, halt, _variant(events))


def _variant(events: Iterable[RunEvent]) -> int:
    """What a shortfall chose; a start with another budget takes that back, a mere resumption does not."""
    variant = 0
    for event in events:
        if event.kind is RunEventKind.SHORTFALL:
            chosen = event.payload.get("variant", 0)
            variant = chosen if isinstance(chosen, int) else 0
        elif event.kind is RunEventKind.STARTED and "budget" in event.payload:
            variant = 0
    return variant
