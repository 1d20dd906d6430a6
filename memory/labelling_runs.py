"""Labelling runs in the ledger: what was ordered, what happened, and where each stands.

Orders and events are facts and never change. A run's state is that of its last event that says one; a
later start may widen its budget, its time or its number of workers.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import JsonValue
from sqlalchemy import Connection, func, select

from glossator.errors import UnknownNameError, listed
from glossator.memory.ledger import Ledger, run_row
from glossator.memory.ledger_tables import LabellingRunRow, RunEventRow, RunRow, WorkItemRow
from glossator.records import (
    FeatureRef,
    ItemState,
    RunEvent,
    RunEventKind,
    RunPlan,
    RunState,
    StoredRunEvent,
    content_id,
)

OVERRIDES = ("budget", "until", "workers", "notify")
"""Fields of a plan that the payload of a later `STARTED` may replace."""
_STATES = {
    RunEventKind.STARTED: RunState.RUNNING,
    RunEventKind.PAUSED: RunState.PAUSED,
    RunEventKind.STOPPED: RunState.STOPPED,
    RunEventKind.BUDGET_SPENT: RunState.STOPPED,
    RunEventKind.TIME_UP: RunState.STOPPED,
    RunEventKind.FINISHED: RunState.FINISHED,
}
_AT_ONCE = 500


class PlannedItem(NamedTuple):
    """One feature of a new run."""

    feature: FeatureRef
    priority: float
    skip: str = ""
    """Why there is nothing to do; empty where there is."""
    card: str | None = None
    """The card that it has already, where that is why."""


class StoredRun(NamedTuple):
    """One run as it was ordered."""

    id: str
    plan: RunPlan
    at: str


class LabellingRunStore:
    """Orders and events of labelling runs. Its methods block, and may be called from any thread."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def create(self, plan: RunPlan, items: Sequence[PlannedItem]) -> str:
        """Store an order with its features, first things first, in one transaction; returns the run's id.

        It has no event yet: nothing is begun before `STARTED`.
        """
        run = f"r-{uuid.uuid4().hex[:12]}"
        facts: dict[str, object] = dict(plan.settings)
        now = _now()
        with self.ledger.writing() as connection:
            for number, variant in enumerate(plan.variants):
                row = run_row(run_of(run, number), "run", facts, variant.work_key)
                self.ledger.add(connection, RunRow, [row])
            order = {"id": run, "plan": plan.model_dump_json(), "at": now}
            self.ledger.add(connection, LabellingRunRow, [order])
            rows = [_item_row(run, i, plan, item) for i, item in enumerate(items)]
            for start in range(0, len(rows), _AT_ONCE):
                self.ledger.add(connection, WorkItemRow, rows[start : start + _AT_ONCE])
        return run

    def plan(self, run: str) -> RunPlan:
        """What `run` was ordered with, as later starts have changed it.

        Raises:
            UnknownNameError: there is no such run.

        """
        ordered = self._ordered(run).plan
        changed: dict[str, JsonValue] = {}
        for stored in self.events(run, RunEventKind.STARTED):
            changed |= {k: v for k, v in stored.event.payload.items() if k in OVERRIDES}
        return RunPlan.model_validate({**ordered.model_dump(), **changed}) if changed else ordered

    def all(self) -> list[StoredRun]:
        """Every run as it was ordered, newest first."""
        query = select(LabellingRunRow.id, LabellingRunRow.plan, LabellingRunRow.at)
        rows = self.ledger.read_rows(query.order_by(LabellingRunRow.at.desc(), LabellingRunRow.id))
        return [StoredRun(r["id"], RunPlan.model_validate_json(r["plan"]), r["at"]) for r in rows]

    def note(self, run: str, event: RunEvent) -> None:
        """Store `event`; it is on disk afterwards."""
        self.ledger.add_rows(RunEventRow, [_event_row(run, event)])

    def note_once(self, run: str, event: RunEvent, *along: RunEvent) -> bool:
        """Store `event`, and `along` with it, unless the run has one of its kind since its last start.

        Events whose payloads say that they are `about` something else count as of another kind. Returns
        whether it was stored.
        """
        with self.ledger.writing() as connection:
            lock_run(connection, run)
            last = func.max(RunEventRow.seq)
            of_run = select(last).where(RunEventRow.run == run)
            started = connection.scalar(of_run.where(RunEventRow.kind == RunEventKind.STARTED.value)) or 0
            known = select(RunEventRow.record).where(
                RunEventRow.run == run, RunEventRow.kind == event.kind.value, RunEventRow.seq > started
            )
            if any(_about(text) == event.payload.get("about") for text in connection.scalars(known)):
                return False
            self.ledger.add(connection, RunEventRow, [_event_row(run, one) for one in (event, *along)])
        return True

    def events(self, run: str, *kinds: RunEventKind) -> list[StoredRunEvent]:
        """What happened in `run`, in order; only of these kinds where any are given."""
        query = select(RunEventRow.seq, RunEventRow.at, RunEventRow.record).where(RunEventRow.run == run)
        if kinds:
            query = query.where(RunEventRow.kind.in_([k.value for k in kinds]))
        rows = self.ledger.read_rows(query.order_by(RunEventRow.seq))
        return [
            StoredRunEvent(seq=r["seq"], at=r["at"], event=RunEvent.model_validate_json(r["record"]))
            for r in rows
        ]

    def state(self, run: str) -> RunState:
        """Where `run` stands; stopped before it was ever started."""
        query = select(RunEventRow.kind).where(RunEventRow.run == run)
        query = query.where(RunEventRow.kind.in_([k.value for k in _STATES]))
        rows = self.ledger.read_rows(query.order_by(RunEventRow.seq.desc()).limit(1))
        return _STATES[RunEventKind(rows[0]["kind"])] if rows else RunState.STOPPED

    def _ordered(self, run: str) -> StoredRun:
        query = select(LabellingRunRow.plan, LabellingRunRow.at).where(LabellingRunRow.id == run)
        rows = self.ledger.read_rows(query)
        if not rows:
            known = listed(stored.id for stored in self.all()) or "none"
            raise UnknownNameError(f"there is no labelling run {run!r}: known are {known}")
        return StoredRun(run, RunPlan.model_validate_json(rows[0]["plan"]), rows[0]["at"])


def run_of(run: str, variant: int) -> str:
    """The row of `runs` that cards of a variant belong to; calls of all variants belong to `run`."""
    return run if variant == 0 else f"{run}-{variant}"


def lock_run(connection: Connection, run: str) -> None:
    """Let one transaction at a time decide on `run`; a SQLite writer is alone anyway."""
    row = select(LabellingRunRow.id).where(LabellingRunRow.id == run)
    # Not FOR UPDATE, which would stand in the way of whoever only adds rows that refer to the run.
    connection.execute(row.with_for_update(key_share=True))


def new_worker_id() -> str:
    """An id that no other worker has."""
    return f"k-{uuid.uuid4().hex[:12]}"


def order_id(plan: RunPlan) -> str:
    """The same for the same order: tells whether a plan file was started before."""
    return content_id("o", plan.model_dump(mode="json"))


def _event_row(run: str, event: RunEvent) -> dict[str, object]:
    return {"run": run, "kind": event.kind.value, "record": event.model_dump_json(), "at": _now()}


def _about(record: str) -> JsonValue:
    return RunEvent.model_validate_json(record).payload.get("about")


def _item_row(run: str, number: int, plan: RunPlan, item: PlannedItem) -> dict[str, object]:
    return {
        "run": run, "number": number, "feature": str(item.feature), "work_key": plan.variants[0].work_key,
        "priority": item.priority, "state": (ItemState.SKIPPED if item.skip else ItemState.PLANNED).value,
        "attempts": 0, "variant": 0, "worker": "", "reason": item.skip, "retryable": False,
        "card": item.card, "investigation": None, "verdict": "", "value": None, "spending": None,
        "seconds": None, "ended": 0,
    }  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
