"""How fast a labelling run is where nobody is waited for, and how busy it keeps slots where somebody is.

`features_per_s`: labels that are there already, as imported ones are, scored by the predicate alone, by two
worker processes on one ledger, with cards stored. `calls_per_s`: scripted answers at no latency, in a whole
run with prompts, scores and cards. `slots_busy`: 64 slots at 200 ms, in the middle of such a run.
`rss_growth`: memory of a process after 20,000 features over that after 1,000, with questions and scores.
Each is held against a bound measured in the same run. What the embedded analyst adds is a row of its own.
Rows over more features than are planted measure those again and again, and say so.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import JsonValue

from benchmarks.report_form import Row
from benchmarks.run_fixtures import PLANTED, Bench, embedder, oracle, ordered, planted_bench, ref
from benchmarks.run_works import QUESTIONS, AskingWork, ReadyWork, RenamedWork, ScoredWork
from glossator.agents.explainers.explainer_settings import ExplainerSettings
from glossator.agents.labelling import FeatureLabeller
from glossator.agents.llm_calls.budget import Budget
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Role
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.scripted_chat import Scripted, ScriptedChat
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.agents.llm_labelling import LlmLabeller, LlmLabelling, Way
from glossator.agents.run_work.embedded_label_work import EmbeddedLabelWork
from glossator.agents.run_work.item_work import ItemWork
from glossator.agents.run_work.label_work import SWITCH_SECONDS, LabelWork
from glossator.agents.run_work.worker import RunWorker
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.memory.call_store import CallStore
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger import Ledger
from glossator.memory.work_queue import Lease, WorkQueue

SLOTS, LATENCY = 64, 0.2
PROCESSES = 2


class Throughput(NamedTuple):
    """What was measured."""

    keys: dict[str, JsonValue]
    rows: list[Row]


class Sizes(NamedTuple):
    """How many features are gone through."""

    ready: int
    scored: int
    analysed: int
    asked: int
    few: int
    many: int


FULL, QUICK = Sizes(4000, 2000, 400, 96, 1000, 20_000), Sizes(400, 200, 32, 24, 300, 1500)


def throughput(*, quick: bool = False) -> Throughput:
    """All measurements, one after another."""
    sizes = QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = planted_bench(folder / "index")
        unasked = [
            _processes(folder, bench, "ready", sizes.ready),
            _processes(folder, bench, "scored", sizes.scored),
            _processes(folder, bench, "analysed", sizes.analysed),
        ]
        asked = [_calls(folder, bench, sizes.asked), _busy(folder, bench, 2 * sizes.asked)]
        parts = [*unasked, *asked, _memory(folder, sizes)]
    return Throughput({k: v for p in parts for k, v in p.keys.items()}, [r for p in parts for r in p.rows])


_KEYS = {"ready": "", "scored": "features_per_s", "analysed": ""}
_SAID = {
    "ready": "ready cards a second, 2 processes",
    "scored": "features a second, predicate scorer",
    "analysed": "the same with the embedded analyst",
}


def _processes(folder: Path, bench: Bench, kind: str, features: int) -> Throughput:
    """Two worker processes on one ledger, against the same number that only compute."""
    ledger = folder / f"{kind}.sqlite"
    with Ledger.open(ledger) as opened:
        run = ordered(opened, features)
    took = _side_by_side(_worked, folder, kind, str(ledger), run)
    with Ledger.open(ledger) as opened:
        done = WorkQueue(opened, run).counts().done
    assert done == features, f"{done} of {features} are done"
    rate = features / took.seconds
    note, keys = f"{1000 * took.cpu / features:.1f} ms of processor time each", dict[str, JsonValue]()
    note += f"; {_distinct(features)}"
    if _KEYS[kind]:
        keys[_KEYS[kind]] = round(rate, 1)
    if kind != "ready":
        each = max(20, features // 10)
        bound = PROCESSES * each / _side_by_side(_computed, folder, kind, str(each), "").seconds
        note += f"; {rate / bound:.0%} of computing alone, without queue and ledger ({bound:.0f} a second)"
    return Throughput(keys, [Row(_SAID[kind], f"{rate:.1f}", note)])


def _distinct(features: int) -> str:
    """How many features were measured, and of how many different ones that is."""
    again = ", measured again and again" if features > PLANTED else ""
    return f"{features:,} features, {min(features, PLANTED)} of them distinct{again}"


class _Took(NamedTuple):
    seconds: float
    """From when all processes are ready until the last has ended."""
    cpu: float
    """Processor time of all, in seconds: what a busy machine does not change much."""


def _side_by_side(work: Callable[..., None], *arguments: object) -> _Took:
    """How long some processes take that do the same."""
    context = multiprocessing.get_context("spawn")
    ready, go, took = context.Semaphore(0), context.Event(), context.SimpleQueue()
    orders = (work, ready, go, took, *map(str, arguments))
    crew = [context.Process(target=_begun, args=orders) for _ in range(PROCESSES)]
    for one in crew:
        one.start()
    for _ in crew:
        ready.acquire()
    began = time.perf_counter()
    go.set()
    for one in crew:
        one.join()
        assert one.exitcode == 0, f"a worker process ended with {one.exitcode}"
    seconds = time.perf_counter() - began
    return _Took(seconds, sum(float(took.get()) for _ in crew))


def _begun(
    work: Callable[..., None], ready: Any, go: Any, took: Any, folder: str, kind: str, *rest: str
) -> None:
    """In a process of its own: open everything, say so, wait for the others, and work."""
    opened = _work(kind, Path(folder))
    asyncio.run(_warm(opened))
    ready.release()
    go.wait()
    began = time.process_time()
    work(opened, *rest)
    took.put(time.process_time() - began)


def _work(kind: str, folder: Path) -> ItemWork:
    bench = planted_bench(folder / "index")
    preparation = bench.preparation()
    if kind == "ready":
        return ReadyWork(preparation)
    if kind == "scored":
        return ScoredWork(preparation)
    return RenamedWork(EmbeddedLabelWork(FeatureLabeller(preparation), (0, 1, 2)))


async def _warm(work: ItemWork) -> None:
    await asyncio.gather(*(work.do(Lease(i, ref(i), "k-warm", 1), 0) for i in range(4)))


def _worked(work: ItemWork, ledger: str, run: str) -> None:
    with Ledger.open(ledger) as opened:
        asyncio.run(RunWorker(LabellingRunStore(opened), run, work).work())


def _computed(work: ItemWork, features: str, _: str) -> None:
    async def all_of_them() -> None:
        leases = [Lease(i, ref(i), "k-alone", 1) for i in range(int(features))]
        await asyncio.gather(*(work.do(lease, 0) for lease in leases))
        await work.close()

    asyncio.run(all_of_them())


# With a scripted model.


class _Asked(NamedTuple):
    """What came of one run."""

    calls: int
    seconds: float
    busy: float
    """Share of slot time in use, in the middle of the run."""
    cpu: float
    """Seconds of processor time, over all threads."""

    @property
    def per_call(self) -> float:
        """Milliseconds of processor time for each call, with its share of measurements and cards."""
        return 1000 * self.cpu / max(1, self.calls)


def _llm_run(folder: Path, bench: Bench, name: str, features: int, chat: ScriptedChat, slots: int) -> _Asked:
    """A whole run in one process: explained and scored by the scripted model."""
    with Ledger.open(folder / f"{name}.sqlite") as ledger:
        run, budget = ordered(ledger, features), Budget()
        calls = CallRoom(
            {Role.EXPLAINER: chat, Role.SCORER: chat},
            budget=budget, store=CallStore(ledger), slots=slots, counter=TokenCounter(), prices=Prices("1/1"),
            run=run,
        )  # fmt: skip
        scoring = LlmScoringSettings()
        asked = LlmLabelling(calls=calls, budget=budget, scoring=scoring, windows_per_prompt=1)
        labeller = LlmLabeller(bench.preparation(embedder()), asked, range(12))
        sys.setswitchinterval(SWITCH_SECONDS)
        work = LabelWork(labeller, calls, [Way(ExplainerSettings(), scoring)], spent=lambda: budget.spent)
        return asyncio.run(_timed(RunWorker(LabellingRunStore(ledger), run, work), calls, slots))


class _Look(NamedTuple):
    at: float
    calls: int
    busy_seconds: float
    cpu: float


async def _timed(worker: RunWorker, calls: CallRoom, slots: int) -> _Asked:
    """Work, looking at the slots again and again; what counts lies between 15 % and 85 % of the calls."""
    looks: list[_Look] = []

    async def look_on() -> None:
        while True:
            asked, busy = calls.spending.calls, calls.load.busy_seconds
            looks.append(_Look(time.perf_counter(), asked, busy, time.process_time()))
            await asyncio.sleep(0.25)

    looking = asyncio.create_task(look_on())
    await worker.work()
    looking.cancel()
    total = calls.spending.calls
    middle = [look for look in looks if 0.15 * total <= look.calls <= 0.85 * total]
    first, last = middle[0], middle[-1]
    seconds = last.at - first.at
    busy = (last.busy_seconds - first.busy_seconds) / slots / seconds
    return _Asked(last.calls - first.calls, seconds, busy, last.cpu - first.cpu)


def _calls(folder: Path, bench: Bench, features: int) -> Throughput:
    found = _llm_run(folder, bench, "calls", features, ScriptedChat(oracle(), keeps=False), slots=32)
    rate = found.calls / found.seconds
    note = (
        f"one process, no latency; {found.calls} calls in {found.seconds:.1f} s, prompts and scores in them; "
        f"{_distinct(features)}"
    )
    return Throughput({"calls_per_s": round(rate, 1)}, [Row("scripted calls a second", f"{rate:.0f}", note)])


def _busy(folder: Path, bench: Bench, features: int) -> Throughput:
    chat = ScriptedChat(oracle(), seconds=LATENCY, keeps=False)
    found = _llm_run(folder, bench, "busy", min(features, PLANTED), chat, slots=SLOTS)
    bound = asyncio.run(_bare(SLOTS, LATENCY))
    rate = found.calls / found.seconds
    note = (
        f"{rate:.0f} calls a second, {rate / bound:.0%} of bare sleeps in as many slots ({bound:.0f}); "
        f"{found.per_call:.2f} ms of processor time each"
    )
    row = Row(f"{SLOTS} slots at {1000 * LATENCY:.0f} ms, busy", f"{found.busy:.1%}", note)
    return Throughput({"slots_busy": round(found.busy, 4)}, [row])


async def _bare(slots: int, latency: float, seconds: float = 3.0) -> float:
    """Sleeps a second, in as many loops as there are slots."""
    until, done = time.perf_counter() + seconds, 0

    async def loop() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await asyncio.sleep(latency)
            done += 1

    await asyncio.gather(*(loop() for _ in range(slots)))
    return done / seconds


# Memory.


def _memory(folder: Path, sizes: Sizes) -> Throughput:
    """A process of its own, looked at after few features and again after many."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_grown, args=(str(folder), sizes.few, sizes.many, sending))
    process.start()
    few: list[float] = receiving.recv()
    process.join()
    growth = few[1] / few[0] - 1
    note = (
        f"{few[0]:.0f} MiB after {sizes.few:,} features, {few[1]:.0f} MiB after {sizes.many:,}; "
        f"{QUESTIONS} questions each, every answer and card stored; {_distinct(sizes.many)}"
    )
    return Throughput({"rss_growth": round(growth, 4)}, [Row("growth of memory", f"{growth:+.1%}", note)])


def _grown(folder: str, few: int, many: int, told: Any) -> None:
    bench = planted_bench(Path(folder) / "index")
    with Ledger.open(Path(folder) / "memory.sqlite") as ledger:
        run = ordered(ledger, many)
        chat = ScriptedChat(lambda asked: Scripted("1"), keeps=False)
        work = AskingWork(ScoredWork(bench.preparation()), chat, ledger)
        seen = asyncio.run(_looked(RunWorker(LabellingRunStore(ledger), run, work), ledger, run, few, many))
    told.send(seen)


async def _looked(worker: RunWorker, ledger: Ledger, run: str, few: int, many: int) -> list[float]:
    """Memory around the moment when `few` had ended, and around the end, in MiB; medians of looks."""
    working = asyncio.create_task(worker.work())
    looks: dict[str, list[float]] = {"few": [], "many": []}
    while not working.done():
        await asyncio.sleep(0.2)
        done = (await asyncio.to_thread(WorkQueue(ledger, run).counts)).done
        if few <= done <= 1.3 * few:
            looks["few"].append(_resident())
        elif done >= 0.95 * many:
            looks["many"].append(_resident())
    await working
    looks["many"].append(_resident())
    return [statistics.median(looks["few"]), statistics.median(looks["many"])]


def _resident() -> float:
    """Memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
