"""A call room through a bad night, in seconds: errors, malformed answers, outages, cancelled askers."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from pathlib import Path

import pytest

from glossator.agents.llm_calls.breaker import OutageNote
from glossator.agents.llm_calls.budget import Charge, Limits
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import (
    CallFailure,
    ChatReply,
    ChatRequest,
    Role,
    Unscored,
    UnscoredReason,
)
from glossator.agents.llm_calls.drawn_budget import DrawnBudget
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.retry import RetryPolicy
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.errors import BudgetSpent
from glossator.memory.call_store import CallStore
from glossator.memory.ledger import Ledger
from tests.agents.call_room_fixtures import TinyChat, question, read

QUESTIONS = 600
QUICK = RetryPolicy(
    first_wait=1e-3,
    longest_wait=5e-3,
    patience=60.0,
    first_probe=5e-3,
    longest_probe=0.02,
    failures_in_a_row=12,
)


class BadNight(TinyChat):
    """1 ms an answer; 5 % errors, 5 % malformed, and two stretches in which nothing comes."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        super().__init__(self.reply, latency=lambda _: draw.random() * 2e-3)
        self.paid, self.draw, self.refused = Counter[tuple[str, int]](), draw, 0

    def reply(self, request: ChatRequest, number: int) -> ChatReply:
        if 200 <= number < 260 or 500 <= number < 530:
            raise CallFailure(UnscoredReason.UNREACHABLE, "nobody", retryable=True)
        chance = self.draw.random()
        if chance < 0.05:
            raise CallFailure(UnscoredReason.SERVER_ERROR, "500", retryable=True)
        self.paid[request.messages[-1].content, request.sample] += 1
        return ChatReply("perhaps" if chance < 0.1 else "1", input_tokens=10, output_tokens=1)


def portions(calls: int, portion: int) -> DrawnBudget:
    """A budget of `calls` requests, granted `portion` at a time."""
    lock, granted = threading.Lock(), 0

    def draw(spent: Charge, needed: Charge) -> Limits | None:
        nonlocal granted
        with lock:
            granted = min(calls, max(granted + portion, spent.calls + needed.calls))
            return Limits(calls=granted) if granted >= spent.calls + needed.calls else None

    return DrawnBudget(draw, Limits(calls=calls))


@pytest.mark.parametrize(("seed", "most"), [(0, 10_000), (1, 10_000), (2, 450)])
def test_each_answer_is_paid_once_and_no_slot_or_budget_is_lost(tmp_path: Path, seed: int, most: int) -> None:
    endpoint, notes, draw = BadNight(seed), list[OutageNote](), random.Random(seed)
    cancelled = 0

    async def flow(ledger: Ledger) -> Counter[str]:
        nonlocal cancelled
        budget = portions(most, 40)
        calls = CallRoom(
            {Role.SCORER: endpoint}, budget=budget, store=CallStore(ledger), slots=16, retry=QUICK,
            counter=TokenCounter(), prices=Prices(None), environment={}, on_outage=notes.append,
        )  # fmt: skip

        async def ask(number: int) -> str:
            try:
                answer = await calls.ask(question(f"1|{number}|1"), read)
            except BudgetSpent:
                return "spent"
            return answer.reason.value if isinstance(answer, Unscored) else answer

        asks = [asyncio.create_task(ask(i)) for i in range(QUESTIONS)]
        for one in asks[::20]:
            await asyncio.sleep(draw.random() * 0.02)
            cancelled += one.cancel()
        ends = await asyncio.gather(*asks, return_exceptions=True)
        assert calls.load[1:3] == (0, 0)
        assert calls.load.limit == 16
        assert budget.reserved == Charge()
        assert budget.spent.calls == len(endpoint.requests) <= most
        assert calls.outage == ""
        await calls.close()
        return Counter(e if isinstance(e, str) else type(e).__name__ for e in ends)

    with Ledger.open(tmp_path / "l.sqlite") as ledger:
        ends = asyncio.run(flow(ledger))
        stored = CallStore(ledger).count()
    assert sum(ends.values()) == QUESTIONS
    assert set(ends) <= {"1", "malformed answer", "spent", "CancelledError"}
    assert ends["malformed answer"] < 20
    assert (ends["spent"] == 0) == (most > 1000)
    assert max(endpoint.paid.values()) == 1
    assert stored == sum(endpoint.paid.values())
    assert endpoint.in_flight == 0
    assert [n.stage.value for n in notes] == ["began", "ended"] * (len(notes) // 2)
    assert len(notes) >= 2
