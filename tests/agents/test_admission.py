"""When a feature may be begun under a budget."""

from __future__ import annotations

import asyncio

import pytest

from glossator.agents.admission import Admission
from glossator.agents.llm_calls.budget import Budget, Charge, Limits
from glossator.errors import BudgetError, BudgetSpent
from glossator.records import LlmSpending

TEN_CALLS = LlmSpending(calls=10, input_tokens=1000, output_tokens=10, usd=0.01)


async def work(admission: Admission, budget: Budget, cost: LlmSpending) -> bool:
    """One feature; False where it was not begun."""
    try:
        async with admission.feature():
            charge = Charge(cost.calls, cost.input_tokens + cost.output_tokens, cost.usd or 0.0)
            await budget.reserve(charge)
            await asyncio.sleep(0.001)
            budget.settle(charge, charge)
            admission.finished(cost)
    except BudgetSpent:
        return False
    return True


def done(limits: Limits, features: int, *, side_by_side: int = 4, cost: LlmSpending = TEN_CALLS) -> int:
    async def run() -> int:
        budget = Budget(limits)
        admission = Admission(side_by_side, budget, TEN_CALLS)
        return sum(await asyncio.gather(*(work(admission, budget, cost) for _ in range(features))))

    return asyncio.run(run())


def test_without_limits_everything_is_done() -> None:
    assert done(Limits(), 12) == 12


@pytest.mark.parametrize("limits", [Limits(calls=35), Limits(tokens=3500), Limits(usd=0.035)])
def test_only_what_can_be_paid_is_begun(limits: Limits) -> None:
    assert done(limits, 12) == 3


def test_it_learns_that_features_cost_less_than_expected() -> None:
    assert done(Limits(calls=30), 12, cost=TEN_CALLS.model_copy(update={"calls": 5})) == 6


def test_a_budget_below_one_feature_is_refused_as_such() -> None:
    async def run() -> None:
        budget = Budget(Limits(calls=9))
        async with Admission(4, budget, TEN_CALLS).feature():
            pass

    with pytest.raises(BudgetError, match="10 calls"):
        asyncio.run(run())


def test_no_more_than_its_share_is_in_work() -> None:
    most = 0

    async def run() -> None:
        nonlocal most
        admission, inside = Admission(3, Budget(), None), 0

        async def one() -> None:
            nonlocal inside, most
            async with admission.feature():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.001)
                inside -= 1

        await asyncio.gather(*(one() for _ in range(10)))

    asyncio.run(run())
    assert most == 3
