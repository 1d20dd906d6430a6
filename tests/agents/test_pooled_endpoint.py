"""One model at several URLs: who is asked, who is set aside, who comes back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from glossator.agents.llm_calls.chat import CallFailure, Capabilities, ChatReply, ChatRequest, UnscoredReason
from glossator.agents.llm_calls.pooled_endpoint import PooledEndpoint
from glossator.agents.llm_calls.question import Reasoning
from glossator.agents.llm_calls.retry import RetryPolicy
from glossator.errors import ModelAccessError
from glossator.memory.ledger import Ledger
from tests.agents.call_room_fixtures import TinyChat, question, read, room, yes
from tests.agents.virtual_time import clock, run

REQUEST = ChatRequest(question().prompt.messages, max_tokens=4)
Fails = Callable[[float, int], CallFailure | None]
"""By the time and the request's number at that member."""


def failure(
    reason: UnscoredReason, *, retryable: bool = True, retry_after: float | None = None
) -> CallFailure:
    return CallFailure(reason, "said so", retryable=retryable, retry_after=retry_after)


def member(name: str, fails: Fails = lambda at, n: None, *, seconds: float = 0.2) -> TinyChat:
    def answer(request: ChatRequest, number: int) -> ChatReply:
        if (failed := fails(clock(), number)) is not None:
            raise failed
        return yes(request, number)

    return TinyChat(answer, latency=lambda _: seconds, identity=f"m@{name}")


def pool(*members: TinyChat) -> PooledEndpoint:
    return PooledEndpoint(members, clock=clock)


async def ask_side_by_side(of: PooledEndpoint, number: int, at_once: int) -> Counter[str]:
    gate, ends = asyncio.Semaphore(at_once), Counter[str]()

    async def one() -> None:
        async with gate:
            try:
                ends[(await of.complete(REQUEST)).text] += 1
            except CallFailure as failed:
                ends[failed.reason.value] += 1

    await asyncio.gather(*(one() for _ in range(number)))
    return ends


def test_requests_go_where_fewest_are_on_their_way() -> None:
    fast, slow = member("fast", seconds=0.1), member("slow", seconds=0.4)
    assert run(ask_side_by_side(pool(fast, slow), 500, 10)) == {"1": 500}
    assert 350 < len(fast.requests) < 450
    assert fast.most_in_flight == slow.most_in_flight == 5


@pytest.mark.parametrize("reason", [UnscoredReason.UNREACHABLE, UnscoredReason.SERVER_ERROR,
                                    UnscoredReason.TIMED_OUT, UnscoredReason.RATE_LIMITED])  # fmt: skip
def test_a_member_that_is_out_costs_no_answer_and_is_tried_ever_more_rarely(reason: UnscoredReason) -> None:
    gone: list[float] = []

    def out(at: float, number: int) -> CallFailure | None:
        if 10.0 <= at < 1000.0:
            gone.append(at)
            return failure(reason)
        return None

    good, bad = member("good"), member("bad", out)
    both = pool(bad, good)

    async def flow() -> None:
        while clock() < 1500.0:
            assert await ask_side_by_side(both, 8, 8) == {"1": 8}
            await asyncio.sleep(1.0)
            if 50 < clock() < 1000:
                assert [m.is_healthy for m in both.health()] == [False, True]
                assert both.health()[0].said == f"{reason}: said so"
        assert [m.is_healthy for m in both.health()] == [True, True]
        assert both.health()[0].said == ""

    run(flow())
    later = [at for at in gone if at > 40.0]
    assert len(later) < 10
    waits = [b - a for a, b in pairwise(later)]
    assert waits == sorted(waits)
    assert len(bad.requests) > 500


def test_scattered_errors_set_nobody_aside() -> None:
    def now_and_then(at: float, number: int) -> CallFailure | None:
        return failure(UnscoredReason.SERVER_ERROR) if number % 5 == 0 else None

    both = pool(member("a", now_and_then, seconds=0.21), member("b", now_and_then))

    async def flow() -> None:
        ends = await ask_side_by_side(both, 1000, 8)
        assert ends["1"] > 940  # else both failed, one after the other
        assert all(m.is_healthy and m.failed > 90 for m in both.health())

    run(flow())


def test_only_when_all_are_out_does_the_failure_come_through_and_then_one_is_asked() -> None:
    def out(at: float, number: int) -> CallFailure | None:
        return failure(UnscoredReason.UNREACHABLE) if at < 100.0 else None

    first, second = member("a", out), member("b", out)
    both = pool(first, second)

    async def flow() -> None:
        for asked in ((1, 1), (2, 1), (2, 2)):
            with pytest.raises(CallFailure, match="said so"):
                await both.complete(REQUEST)
            assert (len(first.requests), len(second.requests)) == asked
        await asyncio.sleep(200.0)
        assert (await both.complete(REQUEST)).text == "1"

    run(flow())


def test_a_pause_that_one_asks_for_is_kept_by_that_one() -> None:
    def limited(at: float, number: int) -> CallFailure | None:
        return failure(UnscoredReason.RATE_LIMITED, retry_after=30.0) if at < 1.0 else None

    first, second = member("a", limited), member("b")
    both = pool(first, second)

    async def flow() -> None:
        while clock() < 29.0:
            assert (await both.complete(REQUEST)).text == "1"
        assert len(first.requests) == 1
        while clock() < 40.0:
            await both.complete(REQUEST)
        assert len(first.requests) > 10

    run(flow())


@pytest.mark.parametrize("reason", [UnscoredReason.CONTEXT_TOO_SMALL, UnscoredReason.REFUSED])
def test_what_the_question_is_to_blame_for_is_asked_nowhere_else(reason: UnscoredReason) -> None:
    first, second = member("a", lambda at, n: failure(reason, retryable=False)), member("b")
    both = pool(first, second)

    async def flow() -> None:
        with pytest.raises(CallFailure):
            await both.complete(REQUEST)
        assert [m.is_healthy for m in both.health()] == [True, True]

    run(flow())
    assert second.requests == []


def test_a_wrong_key_comes_through() -> None:
    def refuse(request: ChatRequest, number: int) -> ChatReply:
        raise ModelAccessError("401")

    with pytest.raises(ModelAccessError):
        run(PooledEndpoint([TinyChat(refuse), TinyChat()], clock=clock).complete(REQUEST))


def test_whoever_tries_a_member_may_be_cancelled() -> None:
    first = member("a", lambda at, n: failure(UnscoredReason.UNREACHABLE) if n == 0 else None, seconds=1.0)
    both = pool(first, member("b"))

    async def flow() -> None:
        await both.complete(REQUEST)
        await asyncio.sleep(6.0)
        trying = asyncio.create_task(both.complete(REQUEST))
        await asyncio.sleep(0.1)
        trying.cancel()
        await asyncio.gather(trying, return_exceptions=True)
        await both.complete(REQUEST)
        assert [(m.is_healthy, m.in_flight) for m in both.health()] == [(True, 0), (True, 0)]

    run(flow())


def test_it_can_do_what_all_can() -> None:
    able, plain = TinyChat(), TinyChat(capabilities=Capabilities(logprobs=True))
    both = PooledEndpoint([able, plain])
    assert both.capabilities == Capabilities(logprobs=True)
    assert both.model == "tiny"
    assert isinstance(both, Reasoning)
    assert both.reasoning_allowance == 0
    asyncio.run(both.close())
    assert (able.closed, plain.closed) == (1, 1)


def test_answers_are_found_again_whichever_member_gave_them(tmp_path: Path) -> None:
    first, second = TinyChat(identity="m@a"), TinyChat(identity="m@b")

    async def flow(ledger: Ledger) -> None:
        alone = room(first, ledger)
        await alone.ask(question("1|old|1"), read)
        both = room(PooledEndpoint([first, second]), ledger)
        await asyncio.gather(*(both.ask(question(f"1|{i}|1"), read) for i in range(10)))
        await both.ask(question("1|old|1"), read)
        assert both.spending.cached == 1
        assert sorted(m.where for m in both.members) == ["m@a", "m@b"]
        again = room(TinyChat(identity="m@a"), ledger)
        await asyncio.gather(*(again.ask(question(f"1|{i}|1"), read) for i in range(10)))
        assert (again.spending.calls, again.spending.cached) == (0, 10)
        for each in (alone, both, again):
            await each.close()

    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        asyncio.run(flow(ledger))
    assert second.requests


def test_a_room_waits_for_all_members_to_be_out() -> None:
    def out(at: float, number: int) -> CallFailure | None:
        return failure(UnscoredReason.UNREACHABLE) if 5.0 < at < 500.0 else None

    async def flow() -> None:
        stages = list[str]()
        calls = room(
            pool(member("a", out), member("b", out)),
            slots=8,
            retry=RetryPolicy(patience=3600.0, clock=clock),
            on_outage=lambda note: stages.append(note.stage.value),
        )
        answers = await asyncio.gather(*(calls.ask(question(f"1|{i}|1"), read) for i in range(400)))
        assert Counter(answers) == {"1": 400}
        assert stages == ["began", "ended"]
        assert 500 < clock() < 900

    run(flow())
