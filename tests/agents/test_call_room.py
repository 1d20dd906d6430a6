from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from glossator.agents.llm_calls.chat import (
    AnswerToken,
    CallFailure,
    Capabilities,
    ChatReply,
    ChatRequest,
    Finish,
    Role,
    TokenLogprob,
    Unscored,
    UnscoredReason,
)
from glossator.agents.llm_calls.scripted_chat import ScriptedChat, malformed, verdicts
from glossator.agents.llm_calls.token_counts import TokenCounter, TokenTotals
from glossator.errors import BudgetError, BudgetSpent, ModelAccessError
from glossator.memory.call_store import CallStore
from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import LlmCallRow
from tests.agents.call_room_fixtures import REF, TinyChat, question, read, room


def test_an_answer_is_paid_once_also_by_the_next_run(tmp_path: Path) -> None:
    logprobs = (AnswerToken("1", -0.25, (TokenLogprob("1", -0.25), TokenLogprob("0", float("-inf")))),)
    reply = ChatReply("1", Finish.LENGTH, 10, 1, 4, logprobs)
    first, second = TinyChat(lambda *_: reply), TinyChat(lambda *_: reply)
    with Ledger.open(tmp_path / "l.sqlite") as ledger:

        async def run(endpoint: TinyChat) -> tuple[ChatReply | Unscored, Any]:
            calls = room(endpoint, ledger, price="1/2", run="r-1")
            await calls.ask(question(), lambda r: r)
            again = await calls.ask(question(), lambda r: r)
            await calls.close()
            return again, calls.spending

        kept, spent = asyncio.run(run(first))
        assert (spent.calls, spent.cached, spent.input_tokens, spent.output_tokens) == (1, 1, 10, 1)
        assert spent.usd == pytest.approx(12e-6)
        assert asyncio.run(run(second))[1].cached == 2
        assert (len(first.requests), len(second.requests), first.closed) == (1, 0, 1)
        assert isinstance(kept, ChatReply)
        assert (kept.text, kept.finish, kept.input_tokens, kept.cached_tokens) == ("1", Finish.LENGTH, 10, 4)
        assert kept.tokens[0].alternatives[1] == TokenLogprob("0", -1e4)
        assert kept.tokens[0].logprob == -0.25
        stored = CallStore(ledger)
        call = stored.find([row["key"] for row in ledger.read_rows(select(LlmCallRow.key))])
        (only,) = call.values()
        assert (only.run, only.role, only.prompt, only.model) == ("r-1", "scorer", REF, "tiny")
    assert "cat" not in (tmp_path / "l.sqlite").read_bytes().decode("latin-1")  # what was asked is not stored


@pytest.mark.parametrize(
    "change",
    [{"max_tokens": 5}, {"temperature": 0.5}, {"top_logprobs": 3}, {"sample": 1}, {"text": "1|dog|1"}],
)
def test_another_question_is_another_call(change: dict[str, Any]) -> None:
    endpoint = TinyChat()

    async def run() -> None:
        calls = room(endpoint)
        await calls.ask(question(), read)
        await calls.ask(question(**change), read)

    asyncio.run(run())
    assert len(endpoint.requests) == 2


def test_the_same_question_asked_at_once_is_one_call() -> None:
    endpoint = TinyChat(latency=lambda _: 0.01)

    async def run() -> None:
        calls = room(endpoint, price="1/1")
        with calls.meter() as meter:
            answers = await asyncio.gather(*(calls.ask(question(), read) for _ in range(20)))
        assert answers == ["1"] * 20
        assert (meter.spending.calls, meter.spending.cached) == (1, 19)

    asyncio.run(run())
    assert len(endpoint.requests) == 1


def test_who_waits_for_a_cancelled_asker_asks_itself() -> None:
    endpoint = TinyChat(latency=lambda n: 30.0 if n == 0 else 0.0)

    async def run() -> None:
        calls = room(endpoint)
        first = asyncio.create_task(calls.ask(question(), read))
        while not endpoint.requests:
            await asyncio.sleep(0.001)
        second = asyncio.create_task(calls.ask(question(), read))
        impatient = asyncio.create_task(calls.ask(question(), read))
        await asyncio.sleep(0.01)
        impatient.cancel()
        first.cancel()
        assert await second == "1"
        assert calls.spending.calls == 1

    asyncio.run(run())
    assert len(endpoint.requests) == 2


def test_slots_bound_what_is_in_flight_and_are_kept_full() -> None:
    endpoint = TinyChat(latency=lambda _: 0.005)

    async def run() -> None:
        calls = room(endpoint, slots=7)
        await asyncio.gather(*(calls.ask(question(f"1|{i}|1"), read) for i in range(60)))

    asyncio.run(run())
    assert endpoint.most_in_flight == 7


@pytest.mark.parametrize("limits", ["25calls", "900tokens", "0.001usd"])
def test_concurrent_calls_never_exceed_the_budget(limits: str) -> None:
    draw = random.Random(3)

    def answer(request: ChatRequest, number: int) -> ChatReply:
        return ChatReply("1", input_tokens=draw.randint(5, 20), output_tokens=draw.randint(1, 4))

    endpoint = TinyChat(answer, latency=lambda _: draw.random() * 2e-3)

    async def run() -> Counter[str]:
        calls = room(endpoint, limits=limits, price="1.5/5", slots=16)

        async def one(number: int) -> str:
            try:
                return str(await calls.ask(question(f"1|word {number}|1"), read))
            except BudgetSpent:
                return "spent"

        ends = Counter(await asyncio.gather(*(one(i) for i in range(150))))
        spent = calls.spending
        assert spent.calls <= 25 or limits != "25calls"
        assert spent.input_tokens + spent.output_tokens <= 900 or limits != "900tokens"
        assert spent.usd is not None
        assert spent.usd <= 0.001 or limits != "0.001usd"
        assert spent.calls == ends["1"] == len(endpoint.requests)
        return ends

    ends = asyncio.run(run())
    assert ends["spent"] > 0
    assert ends["1"] > 15


def test_a_limit_on_money_needs_a_price() -> None:
    with pytest.raises(BudgetError, match=r"price of 'tiny' is unknown: set price.*tokens or calls"):
        room(TinyChat(), limits="1usd")
    room(TinyChat(), limits="1usd", price="0/0")
    room(TinyChat(), limits="1calls")


def test_an_unknown_price_is_none_never_zero() -> None:
    async def run() -> None:
        calls = room(TinyChat())
        await calls.ask(question(), read)
        assert calls.spending.usd is None
        assert calls.spending.calls == 1

    asyncio.run(run())


def test_unreadable_answers_are_asked_again_once_and_kept(tmp_path: Path) -> None:
    endpoint = TinyChat(lambda r, n: ChatReply("well" if r.sample < 1000 else "0"))
    hopeless = TinyChat(lambda r, n: ChatReply(""))

    async def run(ledger: Ledger) -> None:
        calls = room(endpoint, ledger)
        assert await calls.ask(question(), read) == "0"
        assert calls.spending.calls == 2
        assert calls.spending.unscored == {"malformed answer": 1}
        assert [r.sample for r in endpoint.requests] == [0, 1000]
        assert await calls.ask(question(), read) == "0"
        assert (calls.spending.calls, calls.spending.cached) == (2, 2)
        bad = room(hopeless)
        assert await bad.ask(question(), read) == Unscored(UnscoredReason.EMPTY)
        assert (bad.spending.calls, bad.spending.unscored) == (2, {"empty answer": 2})
        await calls.close()

    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        asyncio.run(run(ledger))
        assert CallStore(ledger).count() == 2


def test_meters_count_their_own_scope_and_its_tasks() -> None:
    async def run() -> None:
        calls = room(TinyChat(), price="1/1")

        async def feature(name: str, number: int) -> int:
            with calls.meter() as meter:
                await asyncio.gather(*(calls.ask(question(f"1|{name}{i}|1"), read) for i in range(number)))
                with calls.meter() as inner:
                    await calls.ask(question(f"1|{name} inner|1"), read)
                assert inner.spending.calls == 1
            return meter.spending.calls

        assert await asyncio.gather(feature("a", 3), feature("b", 5)) == [4, 6]
        assert calls.spending.calls == 10

    asyncio.run(run())


def test_an_estimate_asks_nobody_and_stores_nothing(tmp_path: Path) -> None:
    endpoint = TinyChat()

    async def run(ledger: Ledger) -> None:
        calls = room(endpoint, ledger, price="100/200", dry=True)
        likely = question(likely="0", text="x" * 360)
        assert await calls.ask(likely, read) == "0"
        assert await calls.ask(likely, read) == "0"
        malformed_guess = question("1|other|1", likely="no verdict")
        assert isinstance(await calls.ask(malformed_guess, read), Unscored)
        spent = calls.spending
        assert (spent.calls, spent.cached) == (2, 1)
        assert 110 < spent.input_tokens < 140
        assert spent.usd == pytest.approx((spent.input_tokens * 100 + spent.output_tokens * 200) / 1e6)
        await calls.close()

    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        asyncio.run(run(ledger))
        assert CallStore(ledger).count() == 0
    assert endpoint.requests == []


def test_estimates_learn_from_what_the_endpoint_counted(tmp_path: Path) -> None:
    """A tokenizer of two characters a token and answers three times as long as thought: off at first."""

    def answer(request: ChatRequest, number: int) -> ChatReply:
        sent = sum(len(m.content) for m in request.messages) // 2
        return ChatReply("1", input_tokens=sent, output_tokens=3)

    async def spend(ledger: Ledger, dry: bool, start: int) -> Any:
        calls = room(TinyChat(answer), ledger, dry=dry)
        texts = [f"1|{'word ' * (20 + i % 17)}{i}|1" for i in range(start, start + 30)]
        await asyncio.gather(*(calls.ask(question(text), read) for text in texts))
        await calls.close()
        return calls.spending

    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        blind = asyncio.run(spend(ledger, True, 0))
        paid = asyncio.run(spend(ledger, False, 0))
        informed = asyncio.run(spend(ledger, True, 100))
        actual = asyncio.run(spend(ledger, False, 100))
    assert abs(blind.input_tokens / paid.input_tokens - 1) > 0.2
    assert abs(informed.input_tokens / actual.input_tokens - 1) < 0.05
    assert informed.output_tokens == actual.output_tokens == 90


def test_what_an_endpoint_cannot_do_is_not_asked_of_it() -> None:
    plain = TinyChat(capabilities=Capabilities())
    able = TinyChat()

    async def run() -> None:
        for endpoint in (plain, able):
            calls = room(endpoint)
            assert calls.model(Role.SCORER) == "tiny"
            assert calls.capabilities(Role.SCORER) == endpoint.capabilities
            await calls.ask(question(top_logprobs=5), read)

    asyncio.run(run())
    assert (plain.requests[0].top_logprobs, able.requests[0].top_logprobs) == (0, 5)


def test_a_repeat_finds_answers_though_the_endpoint_has_learned_its_limits(tmp_path: Path) -> None:
    endpoint = TinyChat()

    async def run(ledger: Ledger) -> None:
        calls = room(endpoint, ledger)
        await calls.ask(question(top_logprobs=5), read)
        endpoint.capabilities = Capabilities()
        await calls.ask(question(top_logprobs=5), read)
        await calls.close()

    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        asyncio.run(run(ledger))
    assert len(endpoint.requests) == 1


def test_a_role_without_a_model_is_named() -> None:
    calls = room(TinyChat())
    with pytest.raises(ModelAccessError, match=r"'judge'.*--judge"):
        calls.model(Role.JUDGE)


def test_what_another_process_has_paid_meanwhile_is_not_paid_again(tmp_path: Path) -> None:
    """A worker that takes over a killed one's features finds the answers that this one paid for."""
    left, right = TinyChat(lambda *_: ChatReply("0")), TinyChat(lambda *_: ChatReply("1"))

    async def run(one: Ledger, two: Ledger) -> None:
        a, b = room(left, one), room(right, two)
        await a.ask(question("1|first|1"), read)
        await b.ask(question("1|second|1"), read)  # both rooms are open now
        assert await a.ask(question(), read) == "0"
        assert await b.ask(question(), read) == "0"
        assert (len(left.requests), len(right.requests)) == (2, 1)
        for each in (a, b):
            await each.close()

    with Ledger.open(tmp_path / "l.sqlite") as one, Ledger.open(tmp_path / "l.sqlite") as two:
        asyncio.run(run(one, two))
        assert CallStore(one).count() == 3


def test_a_scripted_model_is_asked_like_any_other(tmp_path: Path) -> None:
    chat = ScriptedChat(malformed(verdicts(lambda claim, text: "cat" in text), 0.3))

    async def run(ledger: Ledger) -> None:
        calls = room(chat, ledger, slots=8)
        texts = [f"1|{'cat' if i % 2 else 'dog'} {i}|1" for i in range(40)]
        answers = await asyncio.gather(*(calls.ask(question(t, top_logprobs=2), read) for t in texts))
        broken = [a for a in answers if isinstance(a, Unscored)]
        right = [a for i, a in enumerate(answers) if a == str(i % 2)]
        assert len(right) + len(broken) == 40
        assert 4 < len(broken) < 24
        assert calls.spending.unscored == {"malformed answer": 2 * len(broken)}
        assert calls.spending.calls == 40 + len(broken)
        await calls.close()

    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        asyncio.run(run(ledger))


def test_a_failure_is_shared_by_those_who_waited_for_it() -> None:
    def fail(request: ChatRequest, number: int) -> ChatReply:
        raise CallFailure(UnscoredReason.REFUSED, "no", retryable=False)

    endpoint = TinyChat(fail, latency=lambda _: 0.01)

    async def run() -> None:
        calls = room(endpoint)
        answers = await asyncio.gather(*(calls.ask(question(), read) for _ in range(5)))
        assert answers == [Unscored(UnscoredReason.REFUSED, "no")] * 5
        assert (calls.spending.calls, calls.spending.cached) == (0, 0)
        assert calls.spending.unscored == {"refusal": 5}

    asyncio.run(run())
    assert len(endpoint.requests) == 1


class ThinkingChat(TinyChat):
    """A model that may think for 100 tokens before it answers."""

    reasoning_allowance = 100


def test_what_a_model_may_think_is_reserved() -> None:
    async def run(endpoint: TinyChat) -> None:
        await room(endpoint, limits="90tokens").ask(question(), read)

    asyncio.run(run(TinyChat()))
    thinking = ThinkingChat()
    with pytest.raises(BudgetSpent, match="0 tokens of 90 tokens"):
        asyncio.run(run(thinking))
    assert thinking.requests == []


def test_reservations_have_a_margin_that_shrinks_once_the_endpoint_counted() -> None:
    counter = TokenCounter(len, name="letters")
    messages = question().prompt.messages
    raw = counter.raw(messages)
    assert raw == sum(len(m.content) for m in messages) + 8
    assert counter.most_input("e", "p", raw) == round(1.5 * raw)
    counter.learn("e", "p", TokenTotals(100, 50, 10, 40))
    assert counter.likely_input("e", "p", 200) == counter.likely_input("e", "another prompt", 200) == 100
    assert counter.most_input("e", "p", 200) == 115
    assert counter.likely_input("another endpoint", "p", 200) == 200
    assert counter.likely_output("e", "p", 3, 10) == 10
    assert counter.likely_output("e", "p", 3, 100) == 12
