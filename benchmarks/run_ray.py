"""Two workers on two Ray nodes against one, where the endpoint is the limit; and a node killed in the middle.

    python -m benchmarks.run_ray

A feature asks five questions one after the other, each answered after 200 ms; a worker has 8 slots, so one
alone can end 8 features a second, whatever its CPU. The work is all wait: the nodes of this cluster are
processes of one machine, and with work that computes they would share its cores. Queue, leases, cards and
PostgreSQL are the real ones; the clock runs from when all workers have begun, since starting Python takes
seconds and is done once a night.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pydantic import JsonValue

from benchmarks.report_form import Row
from glossator.agents.run_work.item_work import WorkLoad
from glossator.agents.run_work.worker import RunWorker, WorkerTimes
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import Amount, RunWorkers
from glossator.memory.work_queue import Ended, Lease, WorkQueue
from glossator.ray_cluster import RayCluster
from glossator.ray_placement import RayPlacement
from glossator.records import ItemState, RunEvent, RunEventKind, RunVariant
from glossator.run_placement import WorkerOutcome
from glossator.settings import Settings
from tests.memory.postgres_server import postgres_server
from tests.memory.run_fixtures import started_run
from tests.shell.ray_fixtures import started_cluster
from tests.shell.shell_fixtures import FakeLabeller

SLOTS, LATENCY, CALLS = 8, 0.2, 5
SPEEDUP_BAR = 1.7
_TIMES = WorkerTimes(look=0.1, tick=0.02, beat=1.0)


class AskingWork:
    """An `ItemWork` that only waits for answers, over one connection a slot."""

    def __init__(self, port: int) -> None:
        self._port, self._labeller, self._calls = port, FakeLabeller(), 0
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._busy = 0

    def wanted(self, in_work: int) -> int:
        return max(0, SLOTS - in_work)

    async def do(self, lease: Lease, variant: int) -> Ended:
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(port=self._port)
        self._busy += 1
        for _ in range(CALLS):
            writer.write(b"?\n")
            await reader.readline()
            self._calls += 1
        self._busy -= 1
        self._idle.append((reader, writer))
        made = self._labeller.one("x", lease.feature)
        return Ended(lease, ItemState.DONE, card=made.card, evidence=made.evidence, variant=variant)

    def spent(self) -> Amount:
        return Amount(calls=self._calls)

    def load(self) -> WorkLoad:
        return WorkLoad(slots=SLOTS, in_flight=self._busy)

    async def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


def asking_work(run: str, settings: Settings, stop: threading.Event) -> WorkerOutcome:
    """What a worker does on its node."""
    assert settings.ledger_url is not None
    assert settings.base_url is not None
    work = AskingWork(int(settings.base_url.rsplit(":", 1)[1]))
    with Ledger.open(settings.ledger_url) as ledger:
        worker = RunWorker(LabellingRunStore(ledger), run, work, times=_TIMES, stop=stop)
        ended = asyncio.run(worker.work())
    return WorkerOutcome(ended.why, ended.words)


@contextmanager
def slow_endpoint() -> Generator[int]:
    """The port of a server that answers each line after `LATENCY`."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # of a worker that was killed
            while await reader.readline():
                await asyncio.sleep(LATENCY)
                writer.write(b"!\n")
        writer.close()

    loop, listening = asyncio.new_event_loop(), socket.create_server(("127.0.0.1", 0), backlog=64)
    server = loop.run_until_complete(asyncio.start_server(answer, sock=listening))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


class Bench(NamedTuple):
    """A cluster, a ledger and an endpoint."""

    cluster: Any
    joined: RayCluster
    ledger: Ledger
    settings: Settings


class Measured(NamedTuple):
    """One run."""

    seconds: float
    """From when all workers have begun to the last end."""
    again: int
    """Features begun more than once."""
    at_kill: float = 0.0
    """Seconds until the kill."""
    left_at_kill: int = 0
    noticed: float = 0.0
    """Seconds from the kill until the features of the lost worker were free."""


def measure(items: int = 160) -> dict[str, float]:
    """The keys of `benchmarks/runs.py` that need Ray: see the module's text."""
    with bench() as here:
        one = one_run(here, items, workers=1)
        two = one_run(here, items, workers=2)
        killed = one_run(here, items, workers=2, kill=True)
    alone = items / one.seconds
    expected = killed.at_kill + killed.left_at_kill / alone
    return {
        "ray_items": items,
        "ray_one_per_s": alone,
        "ray_two_per_s": items / two.seconds,
        "ray_speedup_2": one.seconds / two.seconds,
        "ray_killed_noticed_s": killed.noticed,
        "ray_killed_features_again": killed.again,
        "ray_killed_lost_s": killed.seconds - expected,
    }


class SpedUp(NamedTuple):
    """The keys and rows of `benchmarks/runs.py`."""

    keys: dict[str, JsonValue]
    rows: list[Row]


def sped_up(*, quick: bool = False) -> SpedUp:
    """The same in the form of `benchmarks/runs.py`; a short one if `quick`."""
    found = measure(48 if quick else 160)
    limit = f"the endpoint is the limit; bar {SPEEDUP_BAR}"
    rows = [
        Row("two Ray nodes against one", f"{found['ray_speedup_2']:.2f}", limit),
        Row("a node killed: seconds lost", f"{found['ray_killed_lost_s']:.1f}",
            f"{found['ray_killed_features_again']:.0f} features begun again"),
    ]  # fmt: skip
    return SpedUp({key: round(value, 3) for key, value in found.items()}, rows)


@contextmanager
def bench() -> Generator[Bench]:
    """Two nodes of one CPU, a PostgreSQL and the endpoint."""
    with (
        TemporaryDirectory() as folder,
        postgres_server() as database,
        slow_endpoint() as port,
        started_cluster(2) as cluster,
        RayCluster.join(cluster.address) as joined,
    ):
        url = database.new_database()
        here = {"home": folder, "ledger_url": url, "base_url": f"http://127.0.0.1:{port}"}
        settings = Settings.model_validate(here)
        with Ledger.open(url) as ledger:
            yield Bench(cluster, joined, ledger, settings)


def one_run(here: Bench, items: int, *, workers: int, kill: bool = False) -> Measured:
    """A run over `items` features, all workers ready before the first is begun."""
    own = RunVariant(work_key=f"w-{workers}-{kill}")  # so that no run finds its features done by another
    run = started_run(here.ledger, items, variants=(own,))
    store, queue = LabellingRunStore(here.ledger), WorkQueue(here.ledger, run)
    store.note(run, RunEvent(kind=RunEventKind.PAUSED, words="until all workers are there"))
    placement = RayPlacement(here.joined, here.settings, here.ledger, asking_work)
    placement.start(run, workers)
    members = RunWorkers(here.ledger, run)
    _until(lambda: placement.poll() == [] and len(members.loads()) == workers)
    began = time.time()
    store.note(run, RunEvent(kind=RunEventKind.STARTED, words="all are there"))
    at_kill, left, noticed = _killed(here, queue, placement, items, began) if kill else (0.0, 0, 0.0)
    _until(lambda: queue.counts().left == 0)
    while placement.running():
        placement.poll()
        time.sleep(0.02)
    done = list(queue.items())
    assert all(item.state is ItemState.DONE for item in done)
    ended = max(_ends(here.ledger, run))
    return Measured(ended - began, sum(i.attempts - 1 for i in done), at_kill, left, noticed)


def _killed(
    here: Bench, queue: WorkQueue, placement: RayPlacement, items: int, began: float
) -> tuple[float, int, float]:
    """Kill a node when half is done; returns when that was, what was left, and how long it went unnoticed."""
    _until(lambda: queue.counts().done >= items / 2)
    at, left = time.time(), queue.counts().left
    here.cluster.remove_node(here.cluster.worker_nodes.copy().pop(), allow_graceful=False)
    _until(lambda: bool(placement.poll()))
    return at - began, left, time.time() - at


def _ends(ledger: Ledger, run: str) -> list[float]:
    from sqlalchemy import select

    from glossator.memory.ledger_tables import WorkItemRow

    rows = ledger.read_rows(select(WorkItemRow.ended).where(WorkItemRow.run == run))
    return [row["ended"] / 1000 for row in rows]


def _until(condition: Callable[[], bool], seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it did not come to that")
        time.sleep(0.02)


if __name__ == "__main__":
    print(json.dumps({key: round(value, 3) for key, value in measure().items()}, indent=1))
