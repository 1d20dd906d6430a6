"""What was paid while the ledger could not be written is not paid again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.chaos_work import QUESTIONS, ChaosWork
from glossator.agents.llm_calls.budget import Limits
from glossator.agents.llm_calls.chat import AnswerToken, ChatReply, TokenLogprob
from glossator.agents.llm_calls.drawn_budget import DrawnBudget
from glossator.agents.run_work.worker import RunWorker
from glossator.agents.run_work.worker_end import WhyEnded
from glossator.errors import BusyError, StorageError
from glossator.memory.call_store import CallStore, StoredCall, StoredTotals
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.work_queue import WorkQueue
from tests.agents.call_room_fixtures import TinyChat, question, read, room
from tests.agents.run_worker_fixtures import FAST
from tests.memory.run_fixtures import opened, started_run


class Disk:
    """Full until it is not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full, self.refused = True, 0
        store = CallStore.add

        def add(calls: CallStore, rows: Sequence[StoredCall]) -> None:
            if self.full:
                self.refused += 1
                raise StorageError("the ledger cannot grow: free space")
            store(calls, rows)

        monkeypatch.setattr(CallStore, "add", add)


def test_an_answer_that_could_not_be_stored_is_kept_until_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, endpoint = Disk(monkeypatch), TinyChat()
    with opened(tmp_path) as ledger:

        async def run() -> None:
            calls = room(endpoint, ledger)
            for _ in range(4):
                with pytest.raises(StorageError):
                    await calls.ask(question(), read)
            assert len(endpoint.requests) == 1
            disk.full = False
            assert await calls.ask(question(), read) == "1"
            await calls.close()

        asyncio.run(run())
        assert (len(endpoint.requests), disk.refused, CallStore(ledger).count()) == (1, 4, 1)


def test_nothing_more_is_paid_than_was_in_flight_when_the_disk_was_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, endpoint = Disk(monkeypatch), TinyChat(latency=lambda number: 0.05)
    texts = [f"1|word {i}|1" for i in range(30)]
    with opened(tmp_path) as ledger:

        async def run() -> None:
            calls = room(endpoint, ledger, slots=4)
            said = await asyncio.gather(
                *(calls.ask(question(t), read) for t in texts), return_exceptions=True
            )
            assert all(isinstance(one, StorageError) for one in said)
            assert len(endpoint.requests) <= 8  # four, and four that left while the first were refused
            disk.full = False
            assert [await calls.ask(question(t), read) for t in texts] == ["1"] * 30
            await calls.close()

        asyncio.run(run())
        assert CallStore(ledger).count() == len(endpoint.requests) == 30


def test_what_is_left_at_the_end_is_stored_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, endpoint = Disk(monkeypatch), TinyChat()
    with opened(tmp_path) as ledger:

        async def run() -> None:
            calls = room(endpoint, ledger)
            with pytest.raises(StorageError):
                await calls.ask(question(), read)
            disk.full = False
            await calls.close()

        asyncio.run(run())
        assert (CallStore(ledger).count(), endpoint.closed) == (1, 1)


def test_connections_are_let_go_of_though_the_ledger_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Disk(monkeypatch)
    endpoint = TinyChat()
    with opened(tmp_path) as ledger:

        async def run() -> None:
            calls = room(endpoint, ledger)
            with pytest.raises(StorageError):
                await calls.ask(question(), read)
            with pytest.raises(StorageError, match="paid and are lost now: 1"):
                await calls.close()

        asyncio.run(run())
    assert endpoint.closed == 1


def test_a_worker_waits_for_the_disk_without_paying_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, endpoint = Disk(monkeypatch), TinyChat()
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 20)

        async def night() -> WhyEnded:
            budget = DrawnBudget(lambda spent, needed: Limits(calls=1000), Limits(calls=1000))
            calls = room(endpoint, ledger)
            work = RunWorker(LabellingRunStore(ledger), run, ChaosWork(calls, budget), times=FAST).work()
            working = asyncio.create_task(work)
            while disk.refused < 30:
                await asyncio.sleep(0.01)
            disk.full = False
            return (await working).why

        assert asyncio.run(night()) is WhyEnded.NOTHING_LEFT
        assert WorkQueue(ledger, run).counts().done == 20
    assert len(endpoint.requests) == 20 * QUESTIONS


def test_a_ledger_that_could_not_be_read_at_first_is_read_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()
    totals = CallStore.totals

    def busy_once(store: CallStore, identity: str, counter: str) -> list[StoredTotals]:
        asked.append(identity)
        if len(asked) == 1:
            raise BusyError("the ledger stayed locked")
        return totals(store, identity, counter)

    monkeypatch.setattr(CallStore, "totals", busy_once)
    with opened(tmp_path) as ledger:

        async def run() -> None:
            calls = room(TinyChat(), ledger)
            with pytest.raises(BusyError):
                await calls.ask(question(), read)
            assert await calls.ask(question(), read) == "1"
            assert await calls.ask(question("1|dog|1"), read) == "1"
            await calls.close()

        asyncio.run(run())
    assert len(asked) == 2


def test_half_of_a_surrogate_pair_in_an_answer_can_be_stored_and_found_again(tmp_path: Path) -> None:
    cut = ChatReply(
        "caf\u00e9 \ud83d", tokens=(AnswerToken("\ud83d", -0.1, (TokenLogprob("\ud83d", -0.1),)),)
    )
    endpoint = TinyChat(lambda request, number: cut)
    with opened(tmp_path) as ledger:

        async def ask() -> list[str]:
            calls = room(endpoint, ledger)
            said = [await calls.ask(question(), lambda reply: reply.text) for _ in range(2)]
            await calls.close()
            return [str(text) for text in said]

        assert asyncio.run(ask()) == ["caf\u00e9 \ufffd"] * 2
    assert len(endpoint.requests) == 1
