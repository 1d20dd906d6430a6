"""A call room with patience: endpoints that go away for a while, or for good."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from glossator.agents.llm_calls.breaker import OutageNote, OutageStage
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import CallFailure, ChatReply, ChatRequest, Unscored, UnscoredReason
from glossator.agents.llm_calls.retry import RetryPolicy
from glossator.errors import EndpointError, ModelAccessError
from tests.agents.call_room_fixtures import TinyChat, question, read, room, yes
from tests.agents.virtual_time import clock, run

HOUR = 3600.0


@dataclass
class Outages:
    """An endpoint that is out in some hours, and what it was asked when."""

    out: tuple[tuple[float, float], ...]
    reason: UnscoredReason = UnscoredReason.UNREACHABLE
    seconds: float = 0.2
    poison: str = "no such word"
    asked_while_out: list[float] = field(default_factory=lambda: [])
    notes: list[OutageNote] = field(default_factory=lambda: [])

    def __post_init__(self) -> None:
        self.chat = TinyChat(self.answer, latency=lambda _: self.seconds)

    def answer(self, request: ChatRequest, number: int) -> ChatReply:
        now = clock()
        if any(start <= now < stop for start, stop in self.out):
            self.asked_while_out.append(now)
            raise CallFailure(self.reason, "sk-abcdef123456 is nobody", retryable=True)
        if self.poison in request.messages[-1].content:
            raise CallFailure(UnscoredReason.SERVER_ERROR, "it crashed", retryable=True)
        return yes(request, number)

    def room(self, patience: float = 4 * HOUR, slots: int = 16, **changes: Any) -> CallRoom:
        policy = RetryPolicy(patience=patience, clock=clock)
        return room(self.chat, retry=policy, slots=slots, on_outage=self.notes.append, **changes)


async def ask_all(calls: CallRoom, number: int) -> Counter[str | Unscored]:
    answers = await asyncio.gather(*(calls.ask(question(f"1|{i}|1"), read) for i in range(number)))
    return Counter(answers)


@pytest.mark.parametrize("reason", [UnscoredReason.UNREACHABLE, UnscoredReason.SERVER_ERROR,
                                    UnscoredReason.TIMED_OUT, UnscoredReason.RATE_LIMITED])  # fmt: skip
def test_an_hour_without_the_endpoint_costs_no_answer(reason: UnscoredReason) -> None:
    outages = Outages(((2.0, HOUR),), reason)

    async def flow() -> float:
        calls = outages.room()
        assert await ask_all(calls, 600) == Counter({"1": 600})
        assert calls.spending.calls == 600
        assert calls.spending.unscored == {}
        assert calls.load[1:3] == (0, 0)
        return clock()

    ended = run(flow())
    assert HOUR < ended < HOUR + 330
    began, over = outages.notes
    assert (began.stage, over.stage, over.reason) == (OutageStage.BEGAN, OutageStage.ENDED, reason)
    assert began.seconds == 0
    assert HOUR - 60 < over.seconds < HOUR + 330
    assert len(outages.asked_while_out) < 600  # not every question finds out for itself
    assert "sk-abcdef" not in began.detail
    probes = [at for at in outages.asked_while_out if at > 1500.0]
    assert len(probes) < 20
    assert all(b - a >= 70 for a, b in pairwise(probes))


def test_while_it_waits_nothing_is_held_and_it_says_so() -> None:
    outages = Outages(((0.0, HOUR),))

    async def flow() -> None:
        calls = outages.room(limits="300calls")
        asks = asyncio.create_task(ask_all(calls, 200))
        await asyncio.sleep(600.0)
        assert calls.load.in_flight == 0
        assert calls.outage == "tiny"
        assert calls.load.waiting == 0
        await asks
        assert calls.outage == ""

    run(flow())


def test_thousands_that_waited_come_back_one_after_another() -> None:
    outages = Outages(((1.0, 1000.0),))
    first: list[int] = []

    async def flow() -> None:
        calls = outages.room(slots=256)
        asks = asyncio.create_task(ask_all(calls, 5000))
        while len(outages.notes) < 2:
            await asyncio.sleep(0.05)
        outages.chat.most_in_flight = 0
        for _ in range(5):
            await asyncio.sleep(0.2)
            first.append(outages.chat.in_flight)
        assert (await asks)["1"] == 5000

    run(flow())
    assert first[0] <= 4
    assert first == sorted(first)
    assert first[-1] <= 40


def test_patience_ends() -> None:
    outages = Outages(((1.0, 99 * HOUR),))

    async def flow() -> None:
        calls = outages.room(patience=HOUR)
        ends = await asyncio.gather(
            *(calls.ask(question(f"1|{i}|1"), read) for i in range(200)), return_exceptions=True
        )
        assert {type(e) for e in ends} == {str, EndpointError}
        assert HOUR < clock() < HOUR + 60
        assert "has not answered for 3600 s" in str(ends[-1])
        assert "sk-abcdef" not in str(ends[-1])
        with pytest.raises(EndpointError):
            await calls.ask(question("1|later|1"), read)
        assert calls.load[1:3] == (0, 0)

    run(flow())
    assert [n.stage for n in outages.notes] == [OutageStage.BEGAN, OutageStage.GIVEN_UP]


def test_without_patience_the_run_ends_as_ever() -> None:
    outages = Outages(((0.0, HOUR),))

    async def flow() -> None:
        with pytest.raises(EndpointError, match="gave no answer 2 times in a row"):
            await ask_all(outages.room(patience=0.0), 20)
        assert clock() < 120

    run(flow())
    assert outages.notes == []


def test_a_wrong_key_ends_everything_though_there_is_patience() -> None:
    def answer(request: ChatRequest, number: int) -> ChatReply:
        if clock() < 100.0:
            raise CallFailure(UnscoredReason.UNREACHABLE, "nobody", retryable=True)
        raise ModelAccessError("401: the key was withdrawn")

    async def flow() -> None:
        calls = room(TinyChat(answer), retry=RetryPolicy(patience=HOUR, clock=clock))
        with pytest.raises(ModelAccessError, match="withdrawn"):
            await ask_all(calls, 50)

    run(flow())


def test_a_question_that_breaks_the_server_keeps_nobody_out() -> None:
    outages = Outages(((5.0, 500.0),), UnscoredReason.SERVER_ERROR, poison="1|7")

    async def flow() -> None:
        calls = outages.room(slots=4)
        ends = await ask_all(calls, 80)  # eleven of them: 7 and 70 to 79
        assert ends["1"] == 69
        assert ends[Unscored(UnscoredReason.SERVER_ERROR, "it crashed")] == 11
        alone = await calls.ask(question("1|7 alone|1"), read)
        assert isinstance(alone, Unscored)
        assert await calls.ask(question("1|good|1"), read) == "1"

    run(flow())
    assert outages.notes[-1].stage is OutageStage.ENDED


def test_probes_are_handed_on_when_askers_are_cancelled() -> None:
    outages = Outages(((1.0, 400.0),))

    async def flow() -> None:
        calls = outages.room(slots=8)
        asks = [asyncio.create_task(calls.ask(question(f"1|{i}|1"), read)) for i in range(120)]
        await asyncio.sleep(30.0)
        for ask in asks[::2]:
            ask.cancel()
            await asyncio.sleep(1.0)
        ends = await asyncio.gather(*asks, return_exceptions=True)
        assert Counter(type(e) for e in ends[1::2]) == {str: 60}
        assert clock() < 800
        assert calls.load[1:3] == (0, 0)

    run(flow())


def test_an_answer_that_was_on_its_way_ends_the_outage() -> None:
    def answer(request: ChatRequest, number: int) -> ChatReply:
        if "slow" in request.messages[-1].content or clock() > 50.0:
            return yes(request, number)
        raise CallFailure(UnscoredReason.UNREACHABLE, "nobody", retryable=True)

    latency: Callable[[int], float] = lambda n: 60.0 if n == 0 else 0.1  # noqa: E731
    notes = list[OutageNote]()

    async def flow() -> None:
        policy = RetryPolicy(patience=HOUR, clock=clock, first_probe=200.0)
        calls = room(TinyChat(answer, latency=latency), retry=policy, slots=9, on_outage=notes.append)
        slow = asyncio.create_task(calls.ask(question("1|slow|1"), read))
        await asyncio.sleep(0.1)
        await ask_all(calls, 40)
        assert await slow == "1"
        assert clock() < 70

    run(flow())
    assert [n.stage for n in notes] == [OutageStage.BEGAN, OutageStage.ENDED]


def test_an_endpoint_that_refuses_is_there() -> None:
    """A question that does not fit the model shows as well as any answer that the endpoint is back."""

    def answer(request: ChatRequest, number: int) -> ChatReply:
        if 10.0 < clock() < 600.0:
            raise CallFailure(UnscoredReason.UNREACHABLE, "nobody", retryable=True)
        if number % 40:
            raise CallFailure(UnscoredReason.CONTEXT_TOO_SMALL, "too long", retryable=False)
        return yes(request, number)

    notes = list[OutageNote]()

    async def flow() -> None:
        policy = RetryPolicy(patience=HOUR, clock=clock)
        calls = room(TinyChat(answer, latency=lambda _: 0.2), retry=policy, slots=4, on_outage=notes.append)
        ends = await ask_all(calls, 400)
        assert set(ends) == {"1", Unscored(UnscoredReason.CONTEXT_TOO_SMALL, "too long")}
        assert [n.stage for n in notes] == [OutageStage.BEGAN, OutageStage.ENDED]
        assert 600 < clock() < 1000

    run(flow())


def test_scattered_errors_are_no_outage() -> None:
    def answer(request: ChatRequest, number: int) -> ChatReply:
        if number % 3 == 0:
            raise CallFailure(UnscoredReason.SERVER_ERROR, "now and then", retryable=True)
        return yes(request, number)

    notes = list[OutageNote]()

    async def flow() -> None:
        policy = RetryPolicy(patience=HOUR, clock=clock)
        calls = room(TinyChat(answer, latency=lambda _: 0.2), retry=policy, slots=16, on_outage=notes.append)
        ends = await ask_all(calls, 1000)
        assert ends["1"] > 980

    run(flow())
    assert notes == []


def test_a_pause_is_waited_for_without_a_slot() -> None:
    def answer(request: ChatRequest, number: int) -> ChatReply:
        if number == 0:
            raise CallFailure(UnscoredReason.RATE_LIMITED, "wait", retryable=True, retry_after=30.0)
        return yes(request, number)

    async def flow() -> None:
        calls = room(TinyChat(answer), retry=RetryPolicy(clock=clock), slots=2)
        asks = asyncio.create_task(ask_all(calls, 50))
        await asyncio.sleep(10.0)
        assert calls.load.in_flight == 0
        assert (await asks)["1"] == 50
        assert 30.0 <= clock() < 31.0
        assert calls.load.busy_seconds < 1.0

    run(flow())
