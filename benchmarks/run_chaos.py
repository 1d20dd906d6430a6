"""A labelling run whose endpoint fails and whose workers are killed, and what came of it.

    python -m benchmarks.run_chaos [--features N] [--kills N] [--workers N] [--place FILE_OR_URL] [--json]

2,000 features by default, three questions each, against a scripted model on a real loopback connection:
5 % errors, 5 % malformed answers, two outages, workers killed with SIGKILL at random moments and begun anew.
`items_lost`, `items_twice`, `calls_over_needed` and `budget_exceeded` must be 0.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import JsonValue
from sqlalchemy import func, select

from benchmarks.chaos_endpoint import RunningEndpoint, Weather, chaos_endpoint
from benchmarks.chaos_work import QUESTIONS, SLOTS, WorkerOrder, card_of, expected, work_on
from benchmarks.report_form import Row, emit
from glossator.memory.call_store import CallStore
from glossator.memory.card_rows import id_of_card
from glossator.memory.labelling_runs import LabellingRunStore, PlannedItem
from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import RunItemRow
from glossator.memory.run_workers import RunWorkers
from glossator.memory.work_queue import WorkQueue
from glossator.records import (
    Depth,
    FeatureNames,
    FeatureRef,
    ItemState,
    RunEvent,
    RunEventKind,
    RunOrder,
    RunPlan,
    RunState,
    RunVariant,
)

NAMES = FeatureNames("tiny", "3-resid-64")
_LOOK = 0.02


class ChaosPlan(NamedTuple):
    """What is to be survived."""

    features: int = 2000
    kills: int = 20
    workers: int = 1
    """At once; a kill takes one of them."""
    calls: int | None = None
    """The budget; enough for everything where None."""
    weather: Weather = Weather()
    lease: float = 10.0
    seed: int = 0
    longest: float = 600.0
    """Seconds after which it is given up."""

    def feature(self, number: int) -> FeatureRef:
        """The feature with this number."""
        return FeatureRef(subject=NAMES.subject, dictionary=NAMES.dictionary, index=number)

    def needed(self) -> int:
        """Answers that must be paid."""
        refs, malformed = map(self.feature, range(self.features)), self.weather.malformed
        return sum(expected(ref, q, malformed).calls for ref in refs for q in range(QUESTIONS))

    def budget(self) -> int:
        """In calls."""
        return self.calls if self.calls is not None else 2 * self.needed() + 200 * self.kills

    def outages(self) -> Weather:
        """The weather, with an outage after a third and one after two thirds of the calls."""
        needed = self.needed()
        return self.weather._replace(outages=(needed // 3, 2 * needed // 3))


class ChaosResult(NamedTuple):
    """What came of it."""

    items_lost: int
    """Features without their one card, or with another than the answers ask for."""
    items_twice: int
    """Features that the run came to more than once."""
    calls_paid: int
    calls_needed: int
    in_flight_at_kills: int
    """Answers paid that no killed worker could store: sent or come, and not on disk. For each kill that is
    at most the questions that it was at."""
    calls_over_needed: int
    """Answers paid beyond what was needed and what was in flight at kills."""
    requests: int
    budget: int
    budget_exceeded: int
    """Requests beyond the budget."""
    unaccounted: int
    """Calls that count as spent because nobody knows what killed workers spent."""
    kills: int
    outages: int
    failures: dict[str, int]
    state: RunState
    left: int
    """Features still to be done."""
    seconds: float

    @property
    def keys(self) -> dict[str, JsonValue]:
        """The bars."""
        names = ("items_lost", "items_twice", "calls_over_needed", "budget_exceeded")
        return {name: getattr(self, name) for name in names}


def started_chaos(ledger: Ledger, plan: ChaosPlan) -> str:
    """A run over the features of `plan`, begun."""
    ordered = RunPlan(
        names=NAMES, index_identity="i" * 64, depth=Depth.LABEL, selection="all", order=RunOrder.INDEX,
        variants=(RunVariant(work_key="chaos"),), panel=(), budget=f"{plan.budget()}calls", settings={},
    )  # fmt: skip
    runs = LabellingRunStore(ledger)
    run = runs.create(ordered, [PlannedItem(plan.feature(i), 1.0) for i in range(plan.features)])
    runs.note(run, RunEvent(kind=RunEventKind.STARTED, words="begun"))
    return run


def run_chaos(place: str, plan: ChaosPlan) -> ChaosResult:
    """Go through with `plan` on the ledger at `place`."""
    began = time.monotonic()
    with Ledger.open(place) as ledger, chaos_endpoint(plan.outages()) as endpoint:
        run = started_chaos(ledger, plan)
        order = WorkerOrder(place, run, endpoint.port, plan.budget(), plan.lease)
        crew = _Crew(ledger, order, plan, endpoint)
        try:
            crew.work()
        finally:
            crew.dismiss()
        return _result(ledger, run, plan, crew, time.monotonic() - began)


class _Crew:
    """Worker processes, those that are killed replaced at once."""

    def __init__(
        self, ledger: Ledger, order: WorkerOrder, plan: ChaosPlan, endpoint: RunningEndpoint
    ) -> None:
        self._order, self._plan, self.endpoint = order, plan, endpoint
        self._calls, self._runs = CallStore(ledger), LabellingRunStore(ledger)
        self._queue = WorkQueue(ledger, order.run)
        self._chance = random.Random(plan.seed)
        self._moments = sorted(self._chance.randrange(int(0.75 * plan.features)) for _ in range(plan.kills))
        self._context: Any = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["benchmarks.chaos_work"])
        self._crew: list[Any] = []
        self.kills = self.in_flight = self.over = 0

    def work(self) -> None:
        """Until the run has ended, or must be given up."""
        until = time.monotonic() + self._plan.longest
        while self._runs.state(self._order.run) is RunState.RUNNING:
            if time.monotonic() > until:
                raise TimeoutError(f"not done after {self._plan.longest:g} s: {self._queue.counts()}")
            self._fill()
            if self.kills < self._plan.kills and self._is_due():
                time.sleep(self._chance.uniform(0.0, 0.4))
                self._kill()
            time.sleep(_LOOK)
        for process in self._crew:
            process.join()

    def dismiss(self) -> None:
        """End what still runs."""
        for process in self._crew:
            process.kill()
            process.join()

    def _is_due(self) -> bool:
        counts = self._queue.counts()
        return self._plan.features - counts.left >= self._moments[self.kills]

    def _fill(self) -> None:
        self._crew = [process for process in self._crew if process.is_alive()]
        while len(self._crew) < self._plan.workers:
            process = self._context.Process(target=work_on, args=(self._order,), daemon=True)
            process.start()
            self._crew.append(process)

    def _kill(self) -> None:
        victim = self._crew.pop(self._chance.randrange(len(self._crew)))
        if not victim.is_alive():
            return
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
        self.kills += 1
        if self._plan.workers == 1:  # else others are asking meanwhile, and only the sum can be told
            self._count_in_flight(1)

    def _count_in_flight(self, kills: int) -> None:
        """Questions that were sent and whose answers are not on disk: paid, and paid again."""
        lost = self.endpoint.drained().paid - self._calls.count() - self.in_flight - self.over
        most = SLOTS * QUESTIONS * kills
        self.in_flight += min(lost, most)
        self.over += max(0, lost - most)

    def settle(self) -> None:
        """Count what was in flight where that could only be told at the end."""
        if self._plan.workers > 1:
            self._count_in_flight(self.kills)


def _result(ledger: Ledger, run: str, plan: ChaosPlan, crew: _Crew, seconds: float) -> ChaosResult:
    crew.settle()
    seen, counts = crew.endpoint.drained(), WorkQueue(ledger, run).counts()
    done = counts.done + counts.failed + counts.skipped
    needed = plan.needed() if done == plan.features else CallStore(ledger).count()
    budget = plan.budget()
    return ChaosResult(
        items_lost=_lost(ledger, run, plan), items_twice=_twice(ledger, run), calls_paid=seen.paid,
        calls_needed=needed, in_flight_at_kills=crew.in_flight,
        calls_over_needed=max(0, seen.paid - needed - crew.in_flight), requests=seen.received, budget=budget,
        budget_exceeded=max(0, seen.received - budget),
        unaccounted=RunWorkers(ledger, run).spending().unaccounted_calls, kills=crew.kills,
        outages=seen.outages, failures=seen.failures, state=LabellingRunStore(ledger).state(run),
        left=counts.left, seconds=seconds,
    )  # fmt: skip


def _lost(ledger: Ledger, run: str, plan: ChaosPlan) -> int:
    """Features that have ended and not as the answers ask for, or that nobody will come to any more."""
    lost = 0
    for number, item in enumerate(WorkQueue(ledger, run).items()):
        if item.state is ItemState.PLANNED:
            continue
        ref = plan.feature(number)
        answers = [expected(ref, q, plan.weather.malformed).answer for q in range(QUESTIONS)]
        made, evidence = card_of(ref, answers)
        whole = ledger.latest_card(ref) == made and ledger.evidence(evidence.id) == evidence
        lost += not (item.state is ItemState.DONE and item.card == id_of_card(made) and whole)
    return lost


def _twice(ledger: Ledger, run: str) -> int:
    n = func.count().label("n")
    query = select(RunItemRow.feature, n).where(RunItemRow.run == run).group_by(RunItemRow.feature)
    return len(ledger.read_rows(query.having(n > 1)))


class Survived(NamedTuple):
    """What `benchmarks/runs.py` shows of it."""

    keys: dict[str, JsonValue]
    rows: list[Row]


def survived(*, quick: bool) -> Survived:
    """The bars of one night, on SQLite; a short one if `quick`."""
    plan = ChaosPlan(features=200, kills=4) if quick else ChaosPlan()
    with tempfile.TemporaryDirectory() as folder:
        came = run_chaos(str(Path(folder) / "ledger.sqlite"), plan)
    return Survived(came.keys, _rows(came))


def _rows(came: ChaosResult) -> list[Row]:
    return [Row(name, str(value)) for name, value in came._asdict().items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--place", default="", help="the ledger: a new file, or a URL of PostgreSQL")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    plan = ChaosPlan(features=given.features, kills=given.kills, workers=given.workers)
    with tempfile.TemporaryDirectory() as folder:
        came = run_chaos(given.place or str(Path(folder) / "ledger.sqlite"), plan)
    title = f"{plan.features} features, {plan.kills} kills, seed {plan.seed}"
    emit(title, _rows(came), came.keys, given.json)


if __name__ == "__main__":
    main()
