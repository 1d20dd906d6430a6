from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from glossator.agents.llm_calls.chat import CallFailure, ChatReply, ChatRequest, Unscored, UnscoredReason
from glossator.agents.llm_calls.redaction import without_secrets
from glossator.errors import EndpointError, ModelAccessError
from glossator.memory.call_store import CallStore
from glossator.memory.ledger import Ledger
from tests.agents.call_room_fixtures import Answer, FakeTime, TinyChat, question, read, room, yes


def failing(
    times: int, reason: UnscoredReason, *, retryable: bool = True, retry_after: float | None = None
) -> Answer:
    def answer(request: ChatRequest, number: int) -> ChatReply:
        if number < times:
            raise CallFailure(reason, f"failure {number}", retryable=retryable, retry_after=retry_after)
        return yes(request, number)

    return answer


@pytest.mark.parametrize(
    "reason", [UnscoredReason.RATE_LIMITED, UnscoredReason.SERVER_ERROR, UnscoredReason.UNREACHABLE]
)
def test_passing_failures_are_tried_again(reason: UnscoredReason) -> None:
    clock, endpoint = FakeTime(), TinyChat(failing(3, reason))

    async def run() -> None:
        calls = room(endpoint, retry=clock.policy())
        assert await calls.ask(question(), read) == "1"
        assert (calls.spending.calls, calls.spending.unscored) == (1, {})

    asyncio.run(run())
    assert len(endpoint.requests) == 4
    assert len(clock.slept) == 3
    assert all(0 <= wait <= 0.5 * 2**n for n, wait in enumerate(clock.slept))
    assert len(set(clock.slept)) == 3  # drawn, not fixed


def test_waits_are_drawn_from_the_seed() -> None:
    def waits(seed: int) -> list[float]:
        clock = FakeTime()
        endpoint = TinyChat(failing(3, UnscoredReason.SERVER_ERROR))
        asyncio.run(ask_once(endpoint, clock, seed))
        return clock.slept

    async def ask_once(endpoint: TinyChat, clock: FakeTime, seed: int) -> None:
        await room(endpoint, retry=clock.policy(seed=seed)).ask(question(), read)

    assert waits(1) == waits(1) != waits(2)


def test_attempts_are_bounded_and_failures_not_stored(tmp_path: Path) -> None:
    clock, endpoint = FakeTime(), TinyChat(failing(5, UnscoredReason.SERVER_ERROR))

    async def run(ledger: Ledger) -> None:
        calls = room(endpoint, ledger, retry=clock.policy())
        assert await calls.ask(question(), read) == Unscored(UnscoredReason.SERVER_ERROR, "failure 4")
        assert calls.spending.unscored == {"server error": 1}
        assert await calls.ask(question(), read) == "1"  # asked again: a failure is nothing to keep
        await calls.close()

    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        asyncio.run(run(ledger))
        assert CallStore(ledger).count() == 1
    assert len(endpoint.requests) == 6


def test_each_kind_of_failure_is_tried_again_as_often_as_helps() -> None:
    for reason, retryable, requests in (
        (UnscoredReason.RATE_LIMITED, True, 9),
        (UnscoredReason.TIMED_OUT, True, 2),
        (UnscoredReason.CONTEXT_TOO_SMALL, False, 1),
        (UnscoredReason.REFUSED, False, 1),
    ):
        endpoint = TinyChat(failing(99, reason, retryable=retryable))
        answer = asyncio.run(room(endpoint, retry=FakeTime().policy()).ask(question(), read))
        assert isinstance(answer, Unscored)
        assert (answer.reason, len(endpoint.requests)) == (reason, requests)


@pytest.mark.parametrize(("wanted", "waited"), [(7.0, [7.0]), (3600.0, [60.0])])
def test_retry_after_is_honoured_up_to_a_bound(wanted: float, waited: list[float]) -> None:
    clock, endpoint = FakeTime(), TinyChat(failing(1, UnscoredReason.RATE_LIMITED, retry_after=wanted))
    assert asyncio.run(room(endpoint, retry=clock.policy()).ask(question(), read)) == "1"
    assert clock.slept == waited


@pytest.mark.parametrize("wanted", [-1.0, 0.0, 0.1])
def test_an_endpoint_that_asks_for_next_to_nothing_and_refuses_again_is_not_hammered(wanted: float) -> None:
    clock, endpoint = FakeTime(), TinyChat(failing(8, UnscoredReason.RATE_LIMITED, retry_after=wanted))
    assert asyncio.run(room(endpoint, retry=clock.policy()).ask(question(), read)) == "1"
    assert sum(clock.slept) > 15.0


def test_retry_after_holds_for_calls_that_were_already_queued() -> None:
    endpoint = TinyChat(failing(1, UnscoredReason.RATE_LIMITED, retry_after=0.3))
    asked_at: list[float] = []

    def note(number: int) -> float:
        asked_at.append(time.monotonic())
        return 0.0

    async def run() -> None:
        endpoint.latency = note
        calls = room(endpoint, slots=1)
        await asyncio.gather(*(calls.ask(question(f"1|{i}|1"), read) for i in range(4)))

    asyncio.run(run())
    assert len(asked_at) == 5
    assert all(at - asked_at[0] >= 0.29 for at in asked_at[1:])


def test_a_dead_endpoint_ends_the_run_and_says_what_it_said(tmp_path: Path) -> None:
    clock = FakeTime()
    endpoint = TinyChat(lambda r, n: yes(r, n) if n < 2 else failing(10**6, UnscoredReason.UNREACHABLE)(r, n))

    async def run(ledger: Ledger) -> None:
        calls = room(endpoint, ledger, retry=clock.policy(), slots=4)
        for i in range(2):
            assert await calls.ask(question(f"1|{i}|1"), read) == "1"
        for i in range(2, 9):
            assert isinstance(await calls.ask(question(f"1|{i}|1"), read), Unscored)
        with pytest.raises(EndpointError, match=r"'tiny' gave no answer 8 times.*unreachable: failure \d+"):
            await calls.ask(question("1|9|1"), read)
        await calls.close()

    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        asyncio.run(run(ledger))
        assert CallStore(ledger).count() == 2


def test_an_endpoint_that_never_answered_is_given_up_sooner() -> None:
    clock = FakeTime()

    def answer(request: ChatRequest, number: int) -> ChatReply:
        raise CallFailure(UnscoredReason.UNREACHABLE, "nobody there", retryable=False)

    async def run() -> None:
        calls = room(TinyChat(answer), retry=clock.policy())
        assert isinstance(await calls.ask(question("1|a|1"), read), Unscored)
        with pytest.raises(EndpointError, match="nobody there"):
            await calls.ask(question("1|b|1"), read)

    asyncio.run(run())


def test_an_answer_in_between_starts_the_count_afresh() -> None:
    clock = FakeTime()

    def answer(request: ChatRequest, number: int) -> ChatReply:
        if "bad" in request.messages[-1].content:
            raise CallFailure(UnscoredReason.SERVER_ERROR, "x", retryable=False)
        return yes(request, number)

    async def run() -> None:
        calls = room(TinyChat(answer), retry=clock.policy())
        for i in range(40):
            await calls.ask(question(f"1|{'good' if i % 8 == 0 else 'bad'} {i}|1"), read)
        assert calls.spending.unscored == {"server error": 35}

    asyncio.run(run())


def test_a_wrong_key_ends_everything_at_once_and_is_not_shown() -> None:
    key = "very-private-0123456789"

    def answer(request: ChatRequest, number: int) -> ChatReply:
        raise ModelAccessError(f"401: incorrect key {key}")

    endpoint = TinyChat(answer)

    async def run() -> None:
        calls = room(endpoint, environment={"OPENAI_API_KEY": key})
        async with asyncio.timeout(60):
            await asyncio.gather(*(calls.ask(question(f"1|{i}|1"), read) for i in range(50)))

    with pytest.raises(ModelAccessError) as error:
        asyncio.run(run())
    assert "401" in str(error.value)
    assert key not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


def test_failures_do_not_show_keys() -> None:
    def answer(request: ChatRequest, number: int) -> ChatReply:
        raise CallFailure(
            UnscoredReason.SERVER_ERROR, "sent Bearer abcdef1234567890 and hunter2-hunter2", retryable=False
        )

    async def run() -> Unscored | str:
        return await room(TinyChat(answer), environment={"MY_SECRET": "hunter2-hunter2"}).ask(
            question(), read
        )

    ended = asyncio.run(run())
    assert isinstance(ended, Unscored)
    assert "sent" in ended.detail
    assert "hunter2" not in ended.detail
    assert "abcdef" not in ended.detail


@pytest.mark.parametrize(
    ("text", "kept", "hidden"),
    [
        ("Incorrect API key provided: sk-proj-abcDEF123456.", "Incorrect API key provided", "abcDEF"),
        ("Authorization: Bearer eyJhbGciOi.J9 refused", "refused", "eyJ"),
        ('{"api_key": "0123456789abcdef", "model": "m"}', '"model": "m"', "012345"),
        ("http://me:pass-word@host/v1 refused", "host/v1 refused", "pass-word"),
        ("value 1234-abcd-plain seen", "seen", "1234-abcd"),
        ("AIzaSyA1234567890abcd is unknown", "is unknown", "AIzaSy"),
    ],
)
def test_redaction(text: str, kept: str, hidden: str) -> None:
    shown = without_secrets(text, {"SOME_TOKEN": "1234-abcd-plain", "HF_TOKEN": "", "KEY": "short"})
    assert kept in shown
    assert hidden not in shown
    assert "[hidden]" in shown


def test_redaction_leaves_the_rest_alone() -> None:
    plain = "429: Rate limit reached for gpt-5-mini: 200000 tokens per min. Try again in 6 s."
    assert without_secrets(plain, {"SHORT_KEY": "6", "HOME": "gpt-5-mini", "API_KEY": "   "}) == plain
    assert len(without_secrets("x" * 9999, {})) == 400
