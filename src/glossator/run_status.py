"""A labelling run at one moment, summed up from the ledger: what the status file and the live view show.

Everything is counted by the database, so it costs the same at twenty thousand features as at twenty.
"""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import func, select

from glossator.agents.llm_calls.budget import Limits
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import WorkItemRow
from glossator.memory.run_figures import ended_since, run_figures
from glossator.memory.run_liveness import living_workers
from glossator.memory.run_workers import RunWorkers
from glossator.memory.work_queue import WorkQueue
from glossator.records import (
    RunCounts,
    RunEvent,
    RunEventKind,
    RunPlan,
    RunSpending,
    RunState,
    RunStatus,
    StoredRunEvent,
    WorkerLoad,
)

RATE_SECONDS = 600
"""The rate is that of the last ten minutes, or since the run began."""
_TROUBLES = 5
_TOLD = (
    RunEventKind.STARTED, RunEventKind.OUTAGE_BEGAN, RunEventKind.OUTAGE_ENDED, RunEventKind.TROUBLE,
    RunEventKind.WORKER_LOST, RunEventKind.SHORTFALL, RunEventKind.BUDGET_SPENT, RunEventKind.TIME_UP,
    RunEventKind.WORKER_ENDED,
)  # fmt: skip
_NO_TROUBLE = (RunEventKind.OUTAGE_ENDED, RunEventKind.WORKER_ENDED)


def run_status(ledger: Ledger, run: str, *, fresh: int = 5, now: datetime | None = None) -> RunStatus:
    """Where `run` stands.

    Args:
        ledger: where it is stored.
        run: its id.
        fresh: how many of the latest labels are shown.
        now: the present moment.

    Raises:
        UnknownNameError: there is no such run.

    """
    now = now or datetime.now(UTC)
    store = LabellingRunStore(ledger)
    plan, state = store.plan(run), store.state(run)
    counts, figures = WorkQueue(ledger, run).counts(), run_figures(ledger, run, fresh)
    events = store.events(run, *_TOLD)
    spent = run_spending(ledger, run)
    rate = _rate(ledger, run, events, now) if state is RunState.RUNNING else None
    ahead = _ahead(plan, state, counts, spent, rate, now)
    return RunStatus(
        run=run,
        state=state,
        at=now.isoformat(timespec="seconds"),
        depth=plan.depth,
        selection=plan.selection,
        counts=counts,
        features_per_minute=rate,
        seconds_left=ahead.seconds,
        will_finish=ahead.features,
        spent=spent,
        budget=plan.budget,
        until=plan.until,
        workers=_workers(ledger, run),
        verdicts=figures.verdicts,
        score_deciles=figures.deciles,
        failures=figures.failures,
        skipped=figures.skipped,
        unscored=figures.unscored,
        fresh=figures.fresh,
        trouble=_trouble(events),
    )


def is_gone(host: str, process: int) -> bool:
    """Whether a process cannot be running: it is of this machine, and there is none with this number."""
    if host != socket.gethostname():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def ends_outage(event: RunEvent, began: RunEvent) -> bool:
    """Whether by `event` the outage that `began` is over: its worker is answered again, or waits no more."""
    if event.worker != began.worker:
        return False
    if event.kind in (RunEventKind.WORKER_ENDED, RunEventKind.WORKER_LOST):
        return bool(event.worker)
    same = event.payload.get("model") == began.payload.get("model")
    return same and event.kind is RunEventKind.OUTAGE_ENDED


class _Ahead(NamedTuple):
    """What is to come."""

    seconds: float | None
    features: int | None


def _ahead(
    plan: RunPlan, state: RunState, counts: RunCounts, spent: RunSpending, rate: float | None, now: datetime
) -> _Ahead:
    """For how long, and how many will be done: by the money, by the time ordered, by the present rate."""
    if counts.left == 0:
        return _Ahead(0.0, counts.done)
    if state is not RunState.RUNNING:
        return _Ahead(None, None)
    ended = counts.done + counts.failed
    affordable = _affordable(plan.budget, spent, ended)
    to_do = counts.left if affordable is None else min(counts.left, affordable)
    if not rate:
        return _Ahead(None, None)
    seconds = 60 * to_do / rate
    if plan.until:
        seconds = min(seconds, max(0.0, (datetime.fromisoformat(plan.until) - now).total_seconds()))
    share = counts.done / ended if ended else 1.0
    return _Ahead(seconds, counts.done + math.floor(share * min(to_do, seconds * rate / 60) + 1e-6))


def _affordable(budget: str, spent: RunSpending, ended: int) -> int | None:
    """Features that what is left of the budget pays for, at what they cost so far; None for any number."""
    if not budget or not ended:
        return None
    limits = Limits.parse(budget)
    used = (
        (limits.usd, spent.usd or 0.0, spent.unaccounted_usd),
        (limits.calls, spent.calls, spent.unaccounted_calls),
        (limits.tokens, spent.tokens, 0),
    )
    bought = [
        max(0, math.floor((limit - paid - lost) * ended / paid))
        for limit, paid, lost in used
        if limit is not None and paid > 0
    ]
    return min(bought, default=None)


def _rate(ledger: Ledger, run: str, events: Sequence[StoredRunEvent], now: datetime) -> float | None:
    """Features a minute that ended lately; None before the first."""
    begun = [e.at for e in events if e.event.kind is RunEventKind.STARTED]
    if not begun:
        return None
    since_start = (now - datetime.fromisoformat(begun[-1])).total_seconds()
    seconds = min(float(RATE_SECONDS), max(1.0, since_start))
    ended = ended_since(ledger, run, int((now.timestamp() - seconds) * 1000))
    return 60 * ended / seconds if ended else None


def run_spending(ledger: Ledger, run: str) -> RunSpending:
    """What was spent; the money is unknown where a card says so, which is not the same as none."""
    spent = RunWorkers(ledger, run).spending()
    items = WorkItemRow
    query = select(func.count().label("n")).where(
        items.run == run, items.spending.is_not(None), items.spending.contains('"usd":null')
    )
    return spent.model_copy(update={"usd": None}) if ledger.read_rows(query)[0]["n"] else spent


def _workers(ledger: Ledger, run: str) -> tuple[WorkerLoad, ...]:
    loads, living = RunWorkers(ledger, run).loads(), living_workers(ledger, run)
    return tuple(
        load.model_copy(update={"alive": load.worker in living and not is_gone(load.host, load.process)})
        for load in loads
    )


def _trouble(events: Sequence[StoredRunEvent]) -> tuple[str, ...]:
    """What goes wrong since the last start; an outage that is over is no trouble any more."""
    told: list[RunEvent] = []
    for event in (stored.event for stored in events):
        if event.kind is RunEventKind.STARTED:
            told.clear()
            continue
        told = [e for e in told if e.kind is not RunEventKind.OUTAGE_BEGAN or not ends_outage(event, e)]
        if event.kind not in _NO_TROUBLE:
            told.append(event)
    words = (f"outage: {e.words}" if e.kind is RunEventKind.OUTAGE_BEGAN else e.words for e in told)
    return tuple(dict.fromkeys(words))[-_TROUBLES:]
