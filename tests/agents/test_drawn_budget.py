"""Budgets that are granted in portions: never exceeded, never drawn twice at once, nothing lost."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from dataclasses import dataclass, field

import pytest

from glossator.agents.admission import Admission
from glossator.agents.llm_calls.budget import Budget, Charge, Limits
from glossator.agents.llm_calls.drawn_budget import DrawnBudget
from glossator.errors import BudgetError, BudgetSpent, StorageError
from glossator.records import LlmSpending


@dataclass
class Order:
    """An order of calls and tokens that several budgets draw from, by portions."""

    calls: int
    tokens: int = 10**9
    portion: int = 10
    seconds: float = 0.0
    draws: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def budget(self) -> DrawnBudget:
        granted = Charge()

        def draw(spent: Charge, needed: Charge) -> Limits | None:
            nonlocal granted
            self.at_once += 1
            time.sleep(self.seconds)
            with self.lock:
                self.draws += 1
                calls = max(self.portion, spent.calls + needed.calls - granted.calls)
                tokens = max(self.portion * 20, spent.tokens + needed.tokens - granted.tokens)
                calls, tokens = min(calls, self.calls), min(tokens, self.tokens)
                more = Charge(granted.calls + calls, granted.tokens + tokens)
                self.at_once -= 1
                if more.calls < (spent.calls + needed.calls) or more.tokens < spent.tokens + needed.tokens:
                    return None
                self.calls, self.tokens, granted = self.calls - calls, self.tokens - tokens, more
                return Limits(calls=more.calls, tokens=more.tokens, seconds=1.0)

        return DrawnBudget(
            draw,
            Limits(calls=self.calls, tokens=self.tokens),
            left=lambda: Limits(calls=self.calls, tokens=self.tokens),
        )


async def spend(budget: Budget, draw: random.Random, *, calls: int = 5) -> int:
    """How many of `calls` were made."""
    for made in range(calls):
        most = Charge(1, draw.randint(10, 40))
        try:
            await budget.reserve(most)
        except BudgetSpent:
            return made
        await asyncio.sleep(draw.random() * 2e-3)
        budget.settle(most, Charge(1, draw.randint(1, most.tokens)))
    return calls


@pytest.mark.parametrize("seed", range(4))
def test_several_budgets_spend_one_order_and_no_more(seed: int) -> None:
    async def run() -> None:
        draw, order = random.Random(seed), Order(calls=60, tokens=1500, portion=7, seconds=1e-3)
        budgets = [order.budget() for _ in range(3)]
        made = await asyncio.gather(*(spend(b, draw) for b in budgets for _ in range(12)))
        assert sum(b.spent.calls for b in budgets) == sum(made) <= 60
        assert sum(b.spent.tokens for b in budgets) <= 1500
        assert sum(made) >= 40
        for budget in budgets:
            assert budget.reserved == Charge()
            assert budget.limits.calls is not None
            assert budget.spent.calls <= budget.limits.calls

    asyncio.run(run())


def test_draws_are_few_and_one_at_a_time() -> None:
    async def run() -> None:
        order = Order(calls=1000, portion=100, seconds=2e-3)
        most = 0

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, order.at_once)
                await asyncio.sleep(5e-4)

        watching = asyncio.create_task(watch())
        budget, draw = order.budget(), random.Random(0)
        made = await asyncio.gather(*(spend(budget, draw) for _ in range(100)))
        watching.cancel()
        assert sum(made) == 500
        assert order.draws < 30
        assert most == 1

    asyncio.run(run())


def test_at_the_end_nobody_draws_without_end() -> None:
    async def run() -> None:
        order, draw = Order(calls=40, portion=10), random.Random(1)
        budget = order.budget()
        made = await asyncio.gather(*(spend(budget, draw) for _ in range(200)))
        assert sum(made) == 40
        assert order.draws < 4 + 200

    asyncio.run(run())


def test_who_waits_for_a_large_draw_that_is_refused_may_still_draw_a_small_one() -> None:
    async def run() -> None:
        order = Order(calls=10**6, tokens=100, portion=1, seconds=2e-3)
        budget = order.budget()
        large = asyncio.create_task(budget.reserve(Charge(1, 500)))
        small = asyncio.create_task(budget.reserve(Charge(1, 50)))
        with pytest.raises(BudgetSpent, match=r"0 tokens of 100 tokens are spent.*500 tokens"):
            await large
        await small
        assert budget.limits.tokens == 50

    asyncio.run(run())


def test_where_nothing_more_is_granted_what_others_give_back_is_waited_for() -> None:
    async def run() -> None:
        budget = Order(calls=10, tokens=100, portion=10).budget()
        await budget.reserve(Charge(1, 80))
        late = asyncio.create_task(budget.reserve(Charge(1, 60)))
        await asyncio.sleep(0.01)
        assert not late.done()
        budget.settle(Charge(1, 80), Charge(1, 30))
        await late
        assert budget.reserved == Charge(1, 60)

    asyncio.run(run())


def test_what_was_granted_to_somebody_cancelled_is_there_for_the_others() -> None:
    async def run() -> None:
        order = Order(calls=10, portion=10, seconds=0.01)
        budget = order.budget()
        first = asyncio.create_task(budget.reserve(Charge(1, 5)))
        await asyncio.sleep(0.002)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        for _ in range(10):
            await budget.reserve(Charge(1, 5))
        assert (order.calls, budget.limits.calls) == (0, 10)

    asyncio.run(run())


def test_nothing_is_set_aside_while_a_draw_may_lower_what_is_granted() -> None:
    """The draw is asked for calls, and takes tokens back that it thinks are not needed."""
    drawn: list[Charge] = []

    def draw(spent: Charge, needed: Charge) -> Limits | None:
        time.sleep(0.005)
        drawn.append(needed)
        plenty = 900 if len(drawn) == 1 else 0
        return Limits(calls=spent.calls + needed.calls + 1, tokens=spent.tokens + needed.tokens + plenty)

    async def run() -> None:
        budget = DrawnBudget(draw, Limits(calls=10**6, tokens=10**6))
        await budget.reserve(Charge(1, 100))
        two = asyncio.create_task(budget.reserve(Charge(2, 50)))  # more calls than are granted
        await asyncio.sleep(0.001)
        late = asyncio.create_task(budget.reserve(Charge(1, 800)))  # would fit what is granted still
        for _ in range(100):
            assert budget.limits.tokens is not None
            assert budget.reserved.tokens <= budget.limits.tokens
            await asyncio.sleep(5e-4)
        await asyncio.gather(two, late)
        assert drawn == [Charge(1, 100), Charge(3, 150), Charge(4, 950)]

    asyncio.run(run())


def test_what_a_draw_raises_reaches_those_who_wait() -> None:
    def fail(spent: Charge, needed: Charge) -> Limits | None:
        raise StorageError("the disk is full")

    async def run() -> None:
        budget = DrawnBudget(fail, Limits(calls=5))
        ends = await asyncio.gather(*(budget.reserve(Charge(1)) for _ in range(3)), return_exceptions=True)
        assert [type(e) for e in ends] == [StorageError] * 3
        assert budget.reserved == Charge()

    asyncio.run(run())


def test_only_what_the_order_limits_is_drawn_and_seconds_stay_here() -> None:
    now, asked = [0.0], list[Charge]()

    def draw(spent: Charge, needed: Charge) -> Limits | None:
        asked.append(needed)
        return Limits(usd=1.0, calls=3, seconds=1e9)

    async def run() -> None:
        budget = DrawnBudget(draw, Limits(usd=5.0, seconds=60.0), clock=lambda: now[0])
        assert budget.limits == Limits(usd=0.0, seconds=60.0)
        assert budget.limits_money
        for _ in range(9):
            await budget.reserve(Charge(1, 100, 0.1))
        assert budget.limits == Limits(usd=1.0, seconds=60.0)
        assert budget.at_most == Limits(usd=5.0, seconds=60.0)
        now[0] = 61.0
        with pytest.raises(BudgetSpent, match="61 s of 60 s"):
            await budget.reserve(Charge(1, 100, 0.01))
        free = DrawnBudget(draw, Limits())
        await free.reserve(Charge(10**6, 10**9, 1e9))

    asyncio.run(run())
    assert asked == [Charge(1, 100, 0.1)]


def test_features_are_begun_by_what_the_order_has_left() -> None:
    """Admission looks at the whole order, not at the portion that was granted so far."""
    each = LlmSpending(calls=10, input_tokens=90, output_tokens=10, usd=None)

    async def feature(admission: Admission, budget: Budget) -> bool:
        try:
            async with admission.feature():
                for _ in range(10):
                    await budget.reserve(Charge(1, 10))
                    await asyncio.sleep(0)
                    budget.settle(Charge(1, 10), Charge(1, 10))
                admission.finished(each)
        except BudgetSpent:
            return False
        return True

    async def run() -> None:
        order = Order(calls=65, portion=4)
        budgets = [order.budget(), order.budget()]
        admissions = [Admission(2, b, each) for b in budgets]
        ends = await asyncio.gather(
            *(feature(a, b) for a, b in zip(admissions, budgets, strict=True) for _ in range(8))
        )
        assert 4 <= sum(ends) <= 6
        assert sum(b.spent.calls for b in budgets) <= 65
        assert budgets[0].spent.calls > 4
        late = order.budget()
        assert late.at_most.calls == order.calls < 10
        with pytest.raises(BudgetError, match="too small for one feature"):
            async with Admission(2, late, each).feature():
                pass

    asyncio.run(run())


def test_an_order_that_others_have_spent_is_spent_not_too_small() -> None:
    each = LlmSpending(calls=10, input_tokens=90, output_tokens=10, usd=None)

    async def run() -> None:
        order = Order(calls=40, portion=1)
        budget, other = order.budget(), order.budget()
        await other.reserve(Charge(35, 10))
        await budget.reserve(Charge(1, 1))  # which tells what is left
        budget.settle(Charge(1, 1), Charge())
        with pytest.raises(BudgetSpent, match="would not pay for another feature"):
            async with Admission(2, budget, each).feature():
                pass

    asyncio.run(run())
