"""When the next feature may be begun under a budget: only where it can be expected to be finished.

Features are in work side by side; a budget that were simply spent would leave all of them half done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from glossator.agents.llm_calls.budget import Budget
from glossator.errors import BudgetError, BudgetSpent
from glossator.records import LlmSpending


class Admission:
    """Lets features into work, at most `side_by_side`, and under a budget only as many as it will pay."""

    def __init__(self, side_by_side: int, budget: Budget, expected: LlmSpending | None) -> None:
        """Admission to one run.

        Args:
            side_by_side: features in work at once.
            budget: what may be spent.
            expected: what one feature is expected to cost, before any is finished; None if unknown.
        """
        self._free, self._budget, self._expected = side_by_side, budget, expected
        self._in_work = self._finished = 0
        self._sum = LlmSpending(usd=0.0)
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def feature(self) -> AsyncGenerator[Admission]:
        """Be in work; call `finished` before leaving where the feature was finished.

        Raises:
            BudgetSpent: the budget will not pay for another feature.
            BudgetError: it would not pay for a single one.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._in_work < self._free and self._may_begin())
            self._refuse_if_spent()
            self._in_work += 1
        try:
            yield self
        finally:
            async with self._changed:
                self._in_work -= 1
                self._changed.notify_all()

    def finished(self, spent: LlmSpending) -> None:
        """Learn from a finished feature what one costs."""
        known = None if self._sum.usd is None or spent.usd is None else self._sum.usd + spent.usd
        self._sum = LlmSpending(
            calls=self._sum.calls + spent.calls,
            input_tokens=self._sum.input_tokens + spent.input_tokens,
            output_tokens=self._sum.output_tokens + spent.output_tokens,
            usd=known,
        )
        self._finished += 1

    def _may_begin(self) -> bool:
        """It fits beside those in work; or nothing is in work, and there is nothing to wait for."""
        return self._in_work == 0 or self._lacking() is None

    def _refuse_if_spent(self) -> None:
        lacking = self._lacking()
        if lacking is None:
            return
        if self._finished == 0 and self._budget.is_untouched:
            raise BudgetError(
                f"the budget ({self._budget.at_most}) is too small for one feature, which is expected to "
                f"take {lacking}: give a larger --budget, or ask for less (--explain-by, --score-by)"
            )
        raise BudgetSpent(
            f"the rest of the budget ({self._budget.at_most}) would not pay for another feature, which takes "
            f"about {lacking}: give a larger --budget and repeat the command, and it goes on from here"
        )

    def _lacking(self) -> str | None:
        """What one more feature takes, of whatever would run out; None where all of it fits."""
        cost = self._cost()
        if cost is None:
            return None
        limits, spent, features = self._budget.at_most, self._budget.spent, self._in_work + 1
        tokens = cost.input_tokens + cost.output_tokens
        # Those in work have spent a part already: counting them whole is on the safe side.
        wants = (
            (limits.calls, spent.calls, cost.calls, f"{cost.calls} calls"),
            (limits.tokens, spent.tokens, tokens, f"{tokens} tokens"),
            (limits.usd, spent.usd, cost.usd or 0.0, f"{cost.usd or 0.0:.4f} usd"),
        )
        for limit, used, each, words in wants:
            if limit is not None and used + each * features > limit:
                return words
        return None

    def _cost(self) -> LlmSpending | None:
        """One feature's cost: the mean of those finished, else what was expected."""
        if not self._finished:
            return self._expected
        n, usd = self._finished, self._sum.usd
        return LlmSpending(
            calls=round(self._sum.calls / n),
            input_tokens=round(self._sum.input_tokens / n),
            output_tokens=round(self._sum.output_tokens / n),
            usd=None if usd is None else usd / n,
        )
