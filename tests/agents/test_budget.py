from __future__ import annotations

import asyncio
import random

import pytest

from glossator.agents.llm_calls.budget import Budget, Charge, Limits
from glossator.errors import BudgetError, BudgetSpent


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("2usd", Limits(usd=2.0)),
        ("$2", Limits(usd=2.0)),
        ("$ .5", Limits(usd=0.5)),
        ("0.25 usd", Limits(usd=0.25)),
        ("500calls", Limits(calls=500)),
        ("1Mtokens", Limits(tokens=1_000_000)),
        ("200ktokens", Limits(tokens=200_000)),
        ("1.5k calls", Limits(calls=1500)),
        ("30min", Limits(seconds=1800.0)),
        ("2h", Limits(seconds=7200.0)),
        ("90s", Limits(seconds=90.0)),
        ("2usd,500calls, 1Mtokens,30min", Limits(2.0, 1_000_000, 500, 1800.0)),
    ],
)
def test_budgets_are_read(text: str, limits: Limits) -> None:
    assert Limits.parse(text) == limits


@pytest.mark.parametrize(
    "text",
    ["", "2", "usd", "0usd", "$0", "-1usd", "$-1", "2eur", "1Musd", "2usd,", "2usd,3usd", "1.5calls",
     "inf usd", "nan usd", "2 usd 3 calls", "1e3calls", "10Mh", "$2h", "0calls", "٣calls", "1" * 400 + "usd"],
)  # fmt: skip
def test_what_is_no_budget_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(BudgetError, match=r"2usd, 500calls"):
        Limits.parse(text)


@pytest.mark.parametrize("text", ["20calls", "1000tokens", "0.01usd", "7calls,900tokens,1usd"])
@pytest.mark.parametrize("seed", range(4))
def test_spent_and_reserved_never_exceed_a_limit(text: str, seed: int) -> None:
    limits, draw = Limits.parse(text), random.Random(seed)
    budget = Budget(limits)
    refused = 0

    def check() -> None:
        for kind in ("calls", "tokens", "usd"):
            limit = getattr(limits, kind)
            assert (
                limit is None or getattr(budget.spent, kind) + getattr(budget.reserved, kind) <= limit + 1e-12
            )

    async def caller() -> None:
        nonlocal refused
        for _ in range(5):
            most = Charge(1, draw.randint(10, 90), draw.random() * 1e-3)
            try:
                await budget.reserve(most)
            except BudgetSpent:
                refused += 1
                return
            check()
            await asyncio.sleep(draw.random() * 2e-3)
            budget.settle(most, Charge(1, draw.randint(0, most.tokens), most.usd * draw.random()))
            check()

    async def run() -> None:
        await asyncio.gather(*(caller() for _ in range(12)))

    asyncio.run(run())
    assert refused > 0
    assert budget.reserved == Charge()
    assert budget.spent.calls > 3


def test_a_call_waits_for_what_others_give_back() -> None:
    async def run() -> list[str]:
        budget, order = Budget(Limits(tokens=100)), list[str]()
        await budget.reserve(Charge(1, 80))

        async def second() -> None:
            await budget.reserve(Charge(1, 60))
            order.append("second")

        waiting = asyncio.create_task(second())
        await asyncio.sleep(0)
        order.append("first settles")
        budget.settle(Charge(1, 80), Charge(1, 40))
        await waiting
        return order

    assert asyncio.run(run()) == ["first settles", "second"]


def test_nothing_in_flight_and_no_room_is_the_end() -> None:
    async def run() -> None:
        budget = Budget(Limits(usd=1.0))
        await budget.reserve(Charge(1, 10, 0.9))
        late = asyncio.create_task(budget.reserve(Charge(1, 10, 0.5)))
        await asyncio.sleep(0)
        assert not late.done()
        budget.settle(Charge(1, 10, 0.9), Charge(1, 10, 0.8))
        with pytest.raises(BudgetSpent, match=r"0\.8000 usd of 1\.0000 usd are spent.*0\.5000 usd.*--budget"):
            await late
        await budget.reserve(Charge(1, 10, 0.2))  # a smaller one still fits

    asyncio.run(run())


def test_a_cancelled_wait_leaves_the_budget_as_it_was() -> None:
    async def run() -> None:
        budget = Budget(Limits(calls=1))
        await budget.reserve(Charge(1))
        late = asyncio.create_task(budget.reserve(Charge(1)))
        await asyncio.sleep(0)
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        budget.settle(Charge(1), Charge())
        assert (budget.spent, budget.reserved) == (Charge(), Charge())
        await budget.reserve(Charge(1))

    asyncio.run(run())


def test_time_runs_from_the_start_and_ends_new_calls_only() -> None:
    now = [0.0]

    async def run() -> None:
        budget = Budget(Limits(seconds=60.0), clock=lambda: now[0])
        now[0] = 50.0
        budget.start()
        now[0] = 100.0
        await budget.reserve(Charge(1, 5))
        now[0] = 111.0
        with pytest.raises(BudgetSpent, match="61 s of 60 s"):
            await budget.reserve(Charge(1, 5))
        budget.settle(Charge(1, 5), Charge(1, 5))
        assert budget.spent == Charge(1, 5)

    asyncio.run(run())
