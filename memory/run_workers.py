"""The workers of a labelling run: who is alive until when, and what each may spend.

A worker beats while it lives. One whose time is over is lost: its features are free again, and whatever it
was granted counts as spent, because nobody knows which of its calls in flight were paid. So a run's budget
holds whatever is killed: what workers that ended spent, and what all others were granted, never exceeds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, update

from glossator.errors import LeaseLost
from glossator.memory.labelling_runs import lock_run, new_worker_id
from glossator.memory.lease_clock import LeaseClock, Moment, is_over, lease_clock
from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import RunEventRow, RunWorkerRow, WorkItemRow
from glossator.records import ItemState, RunEvent, RunEventKind, RunSpending, WorkerLoad

LEASE_SECONDS = 60.0
"""How long a worker counts as alive after a beat."""
_ALIVE, _ENDED, _LOST = "alive", "ended", "lost"


class Amount(NamedTuple):
    """Calls, tokens and money."""

    calls: int = 0
    tokens: int = 0
    usd: float = 0.0


class Ceiling(NamedTuple):
    """What may be spent at most; None is no limit."""

    calls: int | None = None
    tokens: int | None = None
    usd: float | None = None

    def holds(self, amount: Amount) -> bool:
        """Whether `amount` is within it."""
        return self.cut(amount) == amount

    def cut(self, amount: Amount) -> Amount:
        """`amount`, or as much of it as there is."""
        return Amount(
            calls=amount.calls if self.calls is None else min(amount.calls, self.calls),
            tokens=amount.tokens if self.tokens is None else min(amount.tokens, self.tokens),
            usd=amount.usd if self.usd is None else min(amount.usd, self.usd),
        )

    def less(self, amount: Amount) -> Ceiling:
        """What is left of it beside `amount`."""
        return Ceiling(
            calls=None if self.calls is None else self.calls - amount.calls,
            tokens=None if self.tokens is None else self.tokens - amount.tokens,
            usd=None if self.usd is None else self.usd - amount.usd,
        )


class RunWorkers:
    """The workers of one run. Its methods block, and may be called from any thread."""

    def __init__(self, ledger: Ledger, run: str, clock: LeaseClock | None = None) -> None:
        self._ledger, self._run = ledger, run
        self._clock = clock or lease_clock(ledger)

    def begin(self, host: str, process: int, seconds: float = LEASE_SECONDS) -> str:
        """Note a new worker, alive for `seconds`; returns its id."""
        worker = new_worker_id()
        with self._ledger.writing() as connection:
            now = self._clock.now(connection)
            row = {
                "id": worker, "run": self._run, "host": host, "process": process, "state": _ALIVE,
                "boot": now.boot, "alive_until": now.seconds + seconds, "granted_calls": 0,
                "granted_tokens": 0, "granted_usd": 0.0, "spent_calls": 0, "spent_tokens": 0,
                "spent_usd": 0.0, "load": "{}", "at": _wall(),
            }  # fmt: skip
            self._ledger.add(connection, RunWorkerRow, [row])
            self._note(connection, RunEventKind.WORKER_STARTED, f"worker {worker} began on {host}", worker)
        return worker

    def beat(
        self, worker: str, spent: Amount, load: WorkerLoad | None = None, seconds: float = LEASE_SECONDS
    ) -> bool:
        """Be alive for `seconds` more; returns whether the last beat was less than half of that ago.

        If not, this machine slept or the ledger was away, and others may not have been able to beat either.

        Raises:
            LeaseLost: it was taken for lost, and what it does no longer counts.

        """
        with self._ledger.writing() as connection:
            now = self._clock.now(connection)
            query = select(RunWorkerRow.boot, RunWorkerRow.alive_until).where(RunWorkerRow.id == worker)
            before = connection.execute(query).first()
            changed: dict[str, object] = {"alive_until": now.seconds + seconds, "boot": now.boot}
            if load is not None:
                changed["load"] = load.model_dump_json()
            self._change(connection, worker, changed | _columns("spent", spent))
        soon = Moment(now.boot, now.seconds + seconds / 2)
        return before is not None and not is_over(Moment(before.boot, before.alive_until), soon)

    def draw(
        self, worker: str, ceiling: Ceiling, spent: Amount, needed: Amount, portion: Amount
    ) -> Amount | None:
        """Ask for more to spend: `needed` beyond what is `spent`, and `portion` besides if there is so much.

        Returns what the worker may spend in all from now on, or None where the run's `ceiling` leaves no
        room for `needed`. A kind without a ceiling is granted as asked.

        Raises:
            LeaseLost: the worker was taken for lost.

        """
        with self._ledger.writing() as connection:
            lock_run(connection, self._run)
            room = self._room(connection, worker, ceiling)
            least = _sum(spent, needed)
            if not room.holds(least):
                self._change(connection, worker, _columns("spent", spent))
                return None
            granted = room.cut(_sum(least, portion))
            self._change(connection, worker, _columns("granted", granted) | _columns("spent", spent))
        return granted

    def left(self, ceiling: Ceiling) -> Ceiling:
        """What of the run's `ceiling` nobody has spent or was granted."""
        query = select(RunWorkerRow.__table__).where(RunWorkerRow.run == self._run)
        return ceiling.less(_taken(self._ledger.read_rows(query)))

    def end(self, worker: str, spent: Amount, why: str = "") -> None:
        """End in order: what was granted and not spent is free again, and so are features not finished."""
        with self._ledger.writing() as connection:
            changed = {"state": _ENDED} | _columns("granted", spent) | _columns("spent", spent)
            self._change(connection, worker, changed)
            _set_free(connection, self._run, worker)
            words = f"worker {worker} ended{': ' + why if why else ''}"
            self._note(connection, RunEventKind.WORKER_ENDED, words, worker)

    def reap(
        self,
        gone: Callable[[str, int], bool] = lambda host, process: False,
        sparing: str = "",
        *,
        silent: bool = True,
    ) -> list[str]:
        """Take workers for lost whose time is over (not without `silent`), or of which `gone(host, process)`
        says that they cannot be running, but not `sparing`, who asks; returns their ids."""
        with self._ledger.writing() as connection:
            lock_run(connection, self._run)
            now = self._clock.now(connection)
            rows = connection.execute(
                select(RunWorkerRow.__table__).where(
                    RunWorkerRow.run == self._run, RunWorkerRow.state == _ALIVE
                )
            ).all()
            over = {r.id for r in rows if is_over(Moment(r.boot, r.alive_until), now)}
            # Where the time of the one who asks is over, too, nobody could beat: the machine slept.
            late = over if silent and sparing not in over else set[str]()
            lost = [r for r in rows if (r.id in late or gone(r.host, r.process)) and r.id != sparing]
            return [r.id for r in lost if self._lose(connection, r.id, r.host, r.alive_until)]

    def loads(self) -> list[WorkerLoad]:
        """What the workers that have not ended say of themselves, as of their last beats."""
        query = select(RunWorkerRow.__table__).where(RunWorkerRow.run == self._run)
        rows = self._ledger.read_rows(query.where(RunWorkerRow.state == _ALIVE).order_by(RunWorkerRow.at))
        return [
            WorkerLoad(worker=r["id"], host=r["host"], process=r["process"], alive=True)
            if r["load"] == "{}"
            else WorkerLoad.model_validate_json(r["load"])
            for r in rows
        ]

    def spending(self) -> RunSpending:
        """What the run cost, by what its workers said last, and what lost ones may have spent besides."""
        query = select(RunWorkerRow.__table__).where(RunWorkerRow.run == self._run)
        rows = self._ledger.read_rows(query)
        lost = [r for r in rows if r["state"] == _LOST]
        return RunSpending(
            calls=sum(r["spent_calls"] for r in rows),
            tokens=sum(r["spent_tokens"] for r in rows),
            usd=sum(r["spent_usd"] for r in rows),
            unaccounted_calls=sum(max(0, r["granted_calls"] - r["spent_calls"]) for r in lost),
            unaccounted_usd=sum(max(0.0, r["granted_usd"] - r["spent_usd"]) for r in lost),
        )

    def _room(self, connection: Connection, worker: str, ceiling: Ceiling) -> Ceiling:
        """What `worker` may spend in all beside what others have spent or were granted."""
        query = select(RunWorkerRow.__table__).where(RunWorkerRow.run == self._run, RunWorkerRow.id != worker)
        return ceiling.less(_taken(connection.execute(query).mappings()))

    def _lose(self, connection: Connection, worker: str, host: str, alive_until: float) -> bool:
        """Unless it has beaten or ended since it was looked at; a server's other writers do not wait."""
        table = RunWorkerRow
        same = (table.id == worker, table.state == _ALIVE, table.alive_until == alive_until)
        if connection.execute(update(table).where(*same).values(state=_LOST)).rowcount == 0:
            return False
        freed = _set_free(connection, self._run, worker)
        words = f"worker {worker} on {host} was lost; {freed} features that it was at are free again"
        self._note(connection, RunEventKind.WORKER_LOST, words, worker)
        return True

    def _change(self, connection: Connection, worker: str, values: dict[str, object]) -> None:
        table = RunWorkerRow
        query = update(table).where(table.id == worker, table.state == _ALIVE).values(**values)
        if connection.execute(query).rowcount == 0:
            raise LeaseLost(
                f"the worker {worker} of {self._run} was taken for lost: it did not say in time that it lives"
            )

    def _note(self, connection: Connection, kind: RunEventKind, words: str, worker: str) -> None:
        event = RunEvent(kind=kind, words=words, worker=worker)
        row = {"run": self._run, "kind": kind.value, "record": event.model_dump_json(), "at": _wall()}
        self._ledger.add(connection, RunEventRow, [row])


def _set_free(connection: Connection, run: str, worker: str) -> int:
    items = WorkItemRow
    held = (items.run == run, items.worker == worker, items.state == ItemState.LEASED.value)
    return connection.execute(update(items).where(*held).values(state=ItemState.PLANNED.value)).rowcount


def _taken(rows: Iterable[Mapping[Any, Any]]) -> Amount:
    """What these workers have spent or may still spend."""
    taken = Amount()
    for r in rows:
        granted = Amount(r["granted_calls"], r["granted_tokens"], r["granted_usd"])
        spent = Amount(r["spent_calls"], r["spent_tokens"], r["spent_usd"])
        taken = _sum(taken, _larger(granted, spent))
    return taken


def _sum(a: Amount, b: Amount) -> Amount:
    return Amount(a.calls + b.calls, a.tokens + b.tokens, a.usd + b.usd)


def _larger(a: Amount, b: Amount) -> Amount:
    return Amount(max(a.calls, b.calls), max(a.tokens, b.tokens), max(a.usd, b.usd))


def _columns(prefix: str, amount: Amount) -> dict[str, object]:
    return {f"{prefix}_{kind}": value for kind, value in amount._asdict().items()}


def _wall() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
