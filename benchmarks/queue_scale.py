"""What the queue of a labelling run costs as it grows: planning, claiming, ending, counting, summing up.

    python -m benchmarks.queue_scale [--items N] [--place FILE_OR_URL] [--json]

A run over N features (100,000 by default); half of them are ended in the database at once, as a run half-way
through, then a few thousand are claimed and ended through the queue, 32 at a time, without cards.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue
from sqlalchemy import update

from benchmarks.report_form import Row, emit
from benchmarks.run_chaos import NAMES
from glossator.memory.labelling_runs import LabellingRunStore, PlannedItem
from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import WorkItemRow
from glossator.memory.run_figures import ended_since, run_figures
from glossator.memory.run_workers import RunWorkers
from glossator.memory.work_queue import Ended, WorkQueue
from glossator.records import Depth, FeatureRef, ItemState, LlmSpending, RunOrder, RunPlan, RunVariant

AT_ONCE = 32
ROUNDS = 60


class QueueCosts(NamedTuple):
    """Seconds and milliseconds of a queue of one length."""

    items: int
    plan_s: float
    claim_ms: float
    """Of 32 features."""
    end_ms: float
    """Of 32 features, without their cards."""
    counts_ms: float
    figures_ms: float
    ended_since_ms: float
    bytes_per_item: float | None
    """None on a server."""


def queue_costs(place: str, items: int) -> QueueCosts:
    """Measure a queue of `items` features in a new ledger at `place`."""
    with Ledger.open(place) as ledger:
        ref = FeatureRef(subject=NAMES.subject, dictionary=NAMES.dictionary, index=0)
        planned = [PlannedItem(ref.model_copy(update={"index": i}), 1.0) for i in range(items)]
        store, began = LabellingRunStore(ledger), time.perf_counter()
        run = store.create(_plan(), planned)
        planning = time.perf_counter() - began
        _end_half(ledger, run, items)
        worker, queue = RunWorkers(ledger, run).begin("here", 1, 3600.0), WorkQueue(ledger, run)
        claim = end = 0.0
        for _ in range(ROUNDS):
            began = time.perf_counter()
            leases = queue.claim(worker, AT_ONCE)
            claimed = time.perf_counter()
            queue.end([Ended(lease, ItemState.DONE, value=0.7, verdict="accepted") for lease in leases])
            claim, end = claim + claimed - began, end + time.perf_counter() - claimed
        return QueueCosts(
            items, planning, 1000 * claim / ROUNDS, 1000 * end / ROUNDS, _ms(queue.counts),
            _ms(lambda: run_figures(ledger, run)), _ms(lambda: ended_since(ledger, run, 10**12)),
            None if ledger.is_server else Path(place).stat().st_size / items,
        )  # fmt: skip


def _plan() -> RunPlan:
    return RunPlan(
        names=NAMES, index_identity="i", depth=Depth.LABEL, selection="all", order=RunOrder.INDEX,
        variants=(RunVariant(work_key="scale"),), panel=(), settings={},
    )  # fmt: skip


def _end_half(ledger: Ledger, run: str, items: int) -> None:
    table = WorkItemRow
    spent = LlmSpending(calls=7, input_tokens=9000, output_tokens=300, unscored={"malformed answer": 1})
    done = {
        "state": "done", "verdict": "accepted", "value": (table.number % 100) / 100.0, "ended": table.number,
        "spending": spent.model_dump_json(), "card": "c-" + "0" * 30, "worker": "k-0", "seconds": 3.0,
    }  # fmt: skip
    with ledger.writing() as connection:
        chosen = (table.run == run, table.number < items // 2)
        connection.execute(update(table).where(*chosen).values(**done))


def _ms(call: Callable[[], object], times: int = 3) -> float:
    began = time.perf_counter()
    for _ in range(times):
        call()
    return 1000 * (time.perf_counter() - began) / times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--place", default="")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        costs = queue_costs(given.place or str(Path(folder) / "ledger.sqlite"), given.items)
    rows = [Row(name, f"{value:,.1f}") for name, value in costs._asdict().items() if value is not None]
    keys: dict[str, JsonValue] = dict(costs._asdict())
    emit(f"The queue of a run over {given.items:,} features", rows, keys, given.json)


if __name__ == "__main__":
    main()
