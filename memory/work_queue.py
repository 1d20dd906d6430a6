"""The features of a labelling run as a queue: leased to workers, ended by them, each exactly once.

Whoever claims a feature holds it until it ends it or is lost (`run_workers.py`). An end counts only while
the worker still holds the feature, and the card goes in with it in one transaction: a worker that was taken
for lost stores nothing that another stores again. Features that another run has under the same work key are
waited for, or taken over from it when they are done.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select, update

from glossator.errors import LeaseLost
from glossator.memory.labelling_runs import LabellingRunStore, run_of
from glossator.memory.lease_clock import LeaseClock, Moment, is_over, lease_clock
from glossator.memory.ledger import Ledger, storable
from glossator.memory.ledger_engine import alone_on_server
from glossator.memory.ledger_tables import RunWorkerRow, WorkItemRow
from glossator.records import (
    Evidence,
    FeatureCard,
    FeatureRef,
    ItemState,
    LlmSpending,
    RunCounts,
    RunItem,
)

_PAGE = 1000
_ENDS = (ItemState.DONE, ItemState.FAILED, ItemState.SKIPPED, ItemState.PLANNED)


class Lease(NamedTuple):
    """A feature that a worker holds."""

    number: int
    """Its place in the run."""
    feature: FeatureRef
    worker: str
    attempt: int
    """Counted from 1."""


class Ended(NamedTuple):
    """What became of a feature that was held."""

    lease: Lease
    state: ItemState
    """Done, failed, skipped, or planned: given back."""
    card: FeatureCard | None = None
    """Stored along with it."""
    evidence: Sequence[Evidence] = ()
    """What the card cites; stored along with it."""
    card_id: str | None = None
    """Instead of `card`, where that is stored already."""
    investigation: str | None = None
    variant: int = 0
    reason: str = ""
    """Why it failed or was skipped."""
    retryable: bool = False
    """Whether trying again could help: of one that is done, because answers of its card are missing."""
    value: float | None = None
    """Its headline score."""
    verdict: str = ""
    spending: LlmSpending | None = None
    seconds: float | None = None


class _Next(NamedTuple):
    """A feature that nobody in this run is at."""

    number: int
    feature: str
    attempts: int


class _Made(NamedTuple):
    """What another run has done."""

    run: str
    card: str


class WorkQueue:
    """The queue of one run. Its methods block, and may be called from any thread."""

    def __init__(self, ledger: Ledger, run: str, clock: LeaseClock | None = None) -> None:
        self._ledger, self._run = ledger, run
        self._clock = clock or lease_clock(ledger)

    def claim(self, worker: str, n: int) -> list[Lease]:
        """Hold up to `n` features that come next; fewer or none where all others are held or ended.

        Raises:
            LeaseLost: the worker was taken for lost.

        """
        items, rows = WorkItemRow, list[_Next]()
        with self._ledger.writing() as connection:
            work_key = self._work_key(connection)
            # Two runs with one work key must not both find a feature free.
            alone_on_server(connection, work_key)
            _refuse_lost(connection, worker)
            after, length = -1, n
            while len(rows) < n and (page := self._planned(connection, after, length)):
                after, length = page[-1].number, min(2 * length, _PAGE)
                rows += self._free(connection, work_key, page)
            rows = rows[:n]
            held = {"state": ItemState.LEASED.value, "worker": worker, "attempts": items.attempts + 1}
            mine = (items.run == self._run, items.number.in_([r.number for r in rows]))
            connection.execute(update(items).where(*mine).values(**held))
        return [Lease(r.number, FeatureRef.parse(r.feature), worker, r.attempts + 1) for r in rows]

    def end(self, ended: Sequence[Ended]) -> list[bool]:
        """Store what became of features, with their cards, in one transaction; one answer for each.

        False: the worker no longer holds it, and nothing was stored of it.

        Raises:
            StorageError: the disk is full, or another process holds the ledger; nothing was stored.

        """
        # All writers store features in one order, and lock workers before items: none waits in a circle.
        order = sorted(range(len(ended)), key=lambda i: str(ended[i].lease.feature))
        stored = [False] * len(ended)
        with self._ledger.writing() as connection:
            _hold_still(connection, {one.lease.worker for one in ended})
            for i in order:
                stored[i] = self._end(connection, ended[i])
        return stored

    def let_go(self, worker: str) -> int:
        """Plan again whatever `worker` holds; returns how many. For one that does nothing at present: where a
        server's answer to a claim was lost on the way, it holds features that it does not know of."""
        items = WorkItemRow
        held = (items.run == self._run, items.worker == worker, items.state == ItemState.LEASED.value)
        with self._ledger.writing() as connection:
            again = {"state": ItemState.PLANNED.value}
            return connection.execute(update(items).where(*held).values(**again)).rowcount

    def counts(self) -> RunCounts:
        """How many features stand where."""
        items = WorkItemRow
        n = func.count().label("n")
        query = select(items.state, n).where(items.run == self._run).group_by(items.state)
        return RunCounts(**{r["state"]: r["n"] for r in self._ledger.read_rows(query)})

    def items(self) -> Iterator[RunItem]:
        """Every feature of the run as it stands, in the run's order."""
        items, last = WorkItemRow, -1
        while True:
            query = select(items.__table__).where(items.run == self._run, items.number > last)
            rows = self._ledger.read_rows(query.order_by(items.number).limit(_PAGE))
            if not rows:
                return
            for row in rows:
                yield _item(dict(row))
            last = rows[-1]["number"]

    def plan_failed_again(self, *, hopeless: bool = False) -> int:
        """Plan failed features again: those for which trying again could help, or all; returns how many."""
        items = WorkItemRow
        chosen = [items.run == self._run, items.state == ItemState.FAILED.value]
        if not hopeless:
            chosen.append(items.retryable.is_(True))
        with self._ledger.writing() as connection:
            again = {"state": ItemState.PLANNED.value, "reason": "", "worker": ""}
            return connection.execute(update(items).where(*chosen).values(**again)).rowcount

    @cached_property
    def _scores_imported(self) -> bool:
        """The run writes no labels: it scores those of others."""
        return bool(LabellingRunStore(self._ledger).plan(self._run).labels_from)

    def _end(self, connection: Connection, ended: Ended) -> bool:
        if ended.state not in _ENDS:
            raise ValueError(f"a feature cannot end as {ended.state.value!r}")
        items, lease = WorkItemRow, ended.lease
        held = (
            items.run == self._run,
            items.number == lease.number,
            items.worker == lease.worker,
            items.attempts == lease.attempt,
            items.state == ItemState.LEASED.value,
        )
        # The row is changed before the card goes in, so that whoever is late stores nothing.
        spent = None if ended.spending is None else ended.spending.model_dump_json()
        over = ended.state is not ItemState.PLANNED
        changed = {
            "state": ended.state.value, "reason": storable(ended.reason), "retryable": ended.retryable,
            "variant": ended.variant, "investigation": ended.investigation, "card": ended.card_id,
            "value": ended.value, "verdict": ended.verdict, "spending": spent, "seconds": ended.seconds,
            "ended": int(time.time() * 1000) if over else 0,
        }  # fmt: skip
        if connection.execute(update(items).where(*held).values(**changed)).rowcount == 0:
            return self._is_ended_so(connection, ended)
        if ended.card is not None:
            run = run_of(self._run, ended.variant)
            card = self._ledger.add_card(
                connection, run, ended.card, ended.evidence, imported=self._scores_imported
            )
            mine = (items.run == self._run, items.number == lease.number)
            connection.execute(update(items).where(*mine).values(card=card))
        return True

    def _is_ended_so(self, connection: Connection, ended: Ended) -> bool:
        """Whether this very end is stored: a server's word that it is may have been lost on the way."""
        items, lease = WorkItemRow, ended.lease
        query = select(items.number).where(
            items.run == self._run,
            items.number == lease.number,
            items.worker == lease.worker,
            items.attempts == lease.attempt,
            items.state == ended.state.value,
            items.state != ItemState.PLANNED.value,
        )
        return connection.execute(query).first() is not None

    def _planned(self, connection: Connection, after: int, n: int) -> Sequence[_Next]:
        items = WorkItemRow
        # Written out, not bound: the index of planned features is used only where this is said.
        planned = bindparam("planned", ItemState.PLANNED.value, literal_execute=True)
        query = select(items.number, items.feature, items.attempts).where(
            items.run == self._run, items.state == planned, items.number > after
        )
        query = query.order_by(items.number).limit(n).with_for_update(skip_locked=True)
        return [_Next(r.number, r.feature, r.attempts) for r in connection.execute(query)]

    def _free(self, connection: Connection, work_key: str, page: Sequence[_Next]) -> list[_Next]:
        """Those of `page` that no other run has in work; what another run has done is skipped on the way."""
        items = WorkItemRow
        columns = (items.feature, items.state, items.card, items.run, items.worker, items.retryable)
        query = select(*columns).where(
            items.work_key == work_key,
            items.feature.in_([r.feature for r in page]),
            items.run != self._run,
            items.variant == 0,
            items.state.in_([ItemState.LEASED.value, ItemState.DONE.value]),
        )
        elsewhere = connection.execute(query).all()
        # One whose card lacks answers is worth doing again, as it was when this run was planned.
        ended = (r for r in elsewhere if r.state == ItemState.DONE.value and not r.retryable)
        done = {r.feature: _Made(r.run, r.card) for r in ended if r.card is not None}
        leased = [r for r in elsewhere if r.state == ItemState.LEASED.value]
        living = self._living(connection, {r.worker for r in leased}) if leased else set[str]()
        held = {r.feature for r in leased if r.worker in living}
        self._skip(connection, {row.number: done[row.feature] for row in page if row.feature in done})
        return [row for row in page if row.feature not in done and row.feature not in held]

    def _living(self, connection: Connection, workers: set[str]) -> set[str]:
        table, now = RunWorkerRow, self._clock.now(connection)
        query = select(table.id, table.boot, table.alive_until).where(table.id.in_(workers))
        rows = connection.execute(query.where(table.state == "alive"))
        return {r.id for r in rows if not is_over(Moment(r.boot, r.alive_until), now)}

    def _work_key(self, connection: Connection) -> str:
        query = select(WorkItemRow.work_key).where(WorkItemRow.run == self._run).limit(1)
        return connection.execute(query).scalar() or ""

    def _skip(self, connection: Connection, made: dict[int, _Made]) -> None:
        """Note which features have their card from another run."""
        items = WorkItemRow
        mine = (items.run == self._run, items.number == bindparam("its_number"))
        changes = [
            {
                "its_number": number,
                "reason": f"labelled meanwhile by the run {other.run}",
                "card": other.card,
                "state": ItemState.SKIPPED.value,
            }
            for number, other in made.items()
        ]
        if changes:
            connection.execute(update(items).where(*mine), changes)


def _refuse_lost(connection: Connection, worker: str) -> None:
    table = RunWorkerRow
    query = select(table.id).where(table.id == worker, table.state == "alive").with_for_update(read=True)
    if connection.execute(query).first() is None:
        raise LeaseLost(f"the worker {worker} was taken for lost, or has ended: it may claim nothing")


def _hold_still(connection: Connection, workers: set[str]) -> None:
    """Nobody takes these workers for lost before the transaction is over."""
    table = RunWorkerRow
    query = select(table.id).where(table.id.in_(workers)).order_by(table.id)
    connection.execute(query.with_for_update(read=True))


def _item(row: dict[str, object]) -> RunItem:
    spending = row["spending"]
    kept = {name: row[name] for name in RunItem.model_fields if name != "spending"}
    kept["feature"] = FeatureRef.parse(str(row["feature"]))
    kept["spending"] = None if spending is None else json.loads(str(spending))
    return RunItem.model_validate(kept)
