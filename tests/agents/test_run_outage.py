"""An hour without the endpoint, as a worker of a run sees it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from benchmarks.chaos_endpoint import question_of, scripted_answer
from benchmarks.chaos_work import QUESTIONS, ChaosWork, expected
from glossator.agents.llm_calls.breaker import OutageNote, OutageStage
from glossator.agents.llm_calls.budget import Charge, Limits
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import (
    CallFailure,
    Capabilities,
    ChatReply,
    ChatRequest,
    Role,
    UnscoredReason,
)
from glossator.agents.llm_calls.drawn_budget import DrawnBudget
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.retry import RetryPolicy
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.agents.run_work.item_work import WorkLoad
from glossator.agents.run_work.worker import RunWorker, WorkerTimes
from glossator.agents.run_work.worker_end import WhyEnded, WorkerEnd
from glossator.memory.call_store import CallStore
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import Amount, Ceiling, RunWorkers
from glossator.memory.work_queue import Ended, Lease, WorkQueue
from tests.agents import virtual_time
from tests.agents.run_worker_fixtures import ScriptedWork, worker
from tests.memory.run_fixtures import feature, opened, started_run

FEATURES, GONE_AT, HOUR = 40, 5.0, 3600.0


class Absent:
    """A model that cannot be reached for an hour; an answer takes a second."""

    model = identity = "absent"
    capabilities = Capabilities()

    def __init__(self) -> None:
        self.answered = self.in_vain = 0

    async def complete(self, request: ChatRequest) -> ChatReply:
        if GONE_AT <= virtual_time.clock() < GONE_AT + HOUR:
            self.in_vain += 1
            raise CallFailure(UnscoredReason.UNREACHABLE, "connection refused", retryable=True)
        await asyncio.sleep(1.0)
        self.answered += 1
        question = question_of(request.messages[-1].content, request.sample, request.temperature)
        return ChatReply(scripted_answer(question, 0.05), input_tokens=10, output_tokens=1)

    async def close(self) -> None:
        """Nothing is open."""


async def worked(ledger: Ledger, run: str, endpoint: Absent, notes: list[OutageNote]) -> WorkerEnd:
    workers = RunWorkers(ledger, run)
    worker = workers.begin("here", 1, 3600.0)

    def draw(spent: Charge, needed: Charge) -> Limits | None:
        granted = workers.draw(worker, Ceiling(calls=400), Amount(*spent), Amount(*needed), Amount(calls=20))
        return None if granted is None else Limits(calls=granted.calls)

    budget = DrawnBudget(draw, Limits(calls=400), clock=virtual_time.clock)
    policy = RetryPolicy(patience=2 * HOUR, sleep=asyncio.sleep, clock=virtual_time.clock)
    room = CallRoom(
        {Role.SCORER: endpoint}, budget=budget, store=CallStore(ledger), slots=8, counter=TokenCounter(),
        prices=Prices("0/0"), run=run, retry=policy, environment={}, on_outage=notes.append,
    )  # fmt: skip
    times = WorkerTimes(beat=60.0, tick=0.5, look=0.01)
    runs = LabellingRunStore(ledger)
    return await RunWorker(runs, run, ChaosWork(room, budget), worker=worker, times=times).work()


def test_an_hour_without_the_endpoint_is_waited_for_and_gone_on_from(tmp_path: Path) -> None:
    endpoint, notes = Absent(), list[OutageNote]()
    with opened(tmp_path) as ledger:
        run = started_run(ledger, FEATURES)
        ended = virtual_time.run(worked(ledger, run, endpoint, notes))
        assert (ended.why, ended.features) == (WhyEnded.NOTHING_LEFT, FEATURES)
        counts = WorkQueue(ledger, run).counts()
        assert (counts.done, counts.failed, counts.left) == (FEATURES, 0, 0)
        spent = RunWorkers(ledger, run).spending()
    assert [note.stage for note in notes] == [OutageStage.BEGAN, OutageStage.ENDED]
    assert HOUR - 60.0 < notes[-1].seconds < HOUR + 600.0
    needed = (expected(feature(i), q, 0.05).calls for i in range(FEATURES) for q in range(QUESTIONS))
    assert endpoint.answered == sum(needed)
    assert spent.calls == endpoint.answered + endpoint.in_vain
    assert spent.unaccounted_calls == 0
    assert 10 < endpoint.in_vain < 120


class Waiting(ScriptedWork):
    """Work that waits for an endpoint that does not come back."""

    def load(self) -> WorkLoad:
        return WorkLoad(slots=8, outage="absent")


def test_a_worker_that_is_asked_to_end_does_not_wait_for_the_endpoint(tmp_path: Path) -> None:
    async def for_ever(lease: Lease) -> Ended:
        await asyncio.sleep(HOUR)
        raise AssertionError(lease)

    with opened(tmp_path) as ledger:
        run, stop = started_run(ledger, 5), threading.Event()
        working = worker(ledger, run, Waiting(for_ever), stop=stop)

        async def stopped() -> WorkerEnd:
            work = asyncio.create_task(working.work())
            while WorkQueue(ledger, run).counts().leased == 0:
                await asyncio.sleep(0.01)
            stop.set()
            return await asyncio.wait_for(work, 20)

        end = asyncio.run(stopped())
        assert (end.why, end.features) == (WhyEnded.STOPPED, 0)
        assert WorkQueue(ledger, run).counts().planned == 5
