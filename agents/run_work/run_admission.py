"""How many more features a run's budget will pay to the end, by what features of this run have cost so far.

A budget that were simply spent would leave all features half done. What one costs is known from the run's
ledger, so a worker that joins later knows it at once; before any is done, by an estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.errors import BudgetError, BudgetSpent
from glossator.records import LlmSpending

MANY = 1_000_000
"""More features than are ever taken up at once."""


class FeatureCost(NamedTuple):
    """What one feature costs from beginning to end."""

    calls: float = 0.0
    tokens: float = 0.0
    usd: float = 0.0
    """0 where a price is unknown; money cannot be limited then."""


def whole_cost(spent: LlmSpending) -> FeatureCost | None:
    """What a feature would have cost that asked everything anew; None if it asked nothing.

    Answers that the ledger held (of an attempt that was killed) are taken to cost what the others did.
    """
    if not spent.calls:
        return None
    share = (spent.calls + spent.cached) / spent.calls
    tokens = spent.input_tokens + spent.output_tokens
    return FeatureCost(spent.calls * share, tokens * share, (spent.usd or 0.0) * share)


class RunAdmission:
    """Counts what features cost, by variant, and how many more the budget pays. For one event loop."""

    def __init__(self, budget: Budget, expected: Mapping[int, LlmSpending]) -> None:
        """Admission under `budget`; `expected` is what one feature of a variant takes, by an estimate."""
        self._budget = budget
        self._expected = {v: whole_cost(s) or FeatureCost() for v, s in expected.items()}
        self._sums: dict[int, FeatureCost] = {}
        self._counts: dict[int, int] = {}
        self.variant = 0
        """The way in which features are begun now."""

    def learn(self, variant: int, spent: LlmSpending) -> None:
        """Learn from a feature that was finished."""
        cost = whole_cost(spent)
        if cost is not None:
            old = self._sums.get(variant, FeatureCost())
            self._sums[variant] = FeatureCost(*(a + b for a, b in zip(old, cost, strict=True)))
            self._counts[variant] = self._counts.get(variant, 0) + 1

    def cost(self, variant: int | None = None) -> FeatureCost | None:
        """What one more feature takes, as begun now or by `variant`; None if nothing is known of that."""
        asked = self.variant if variant is None else variant
        n = self._counts.get(asked, 0)
        if n:
            return FeatureCost(*(value / n for value in self._sums[asked]))
        return self._expected.get(asked)

    def cheaper_ratio(self) -> float | None:
        """What a feature costs in the second way, as a share of the first: both by the same estimate."""
        full, less = self._expected.get(0), self._expected.get(1)
        return less.tokens / full.tokens if full and less and full.tokens else None

    def more(self, in_work: int) -> int:
        """How many features more may be begun beside the `in_work`.

        Raises:
            BudgetSpent: nothing is in work, and the budget will not pay for another feature.
            BudgetError: nothing was spent so far, and it would not pay for a single one.
        """
        cost = self.cost()
        if cost is None:
            return MANY
        # Those in work have spent a part already: counting them whole is on the safe side.
        fit = int(self._pays_for(cost)) - in_work
        if fit <= 0 and in_work == 0:
            self._refuse(cost)
        return max(0, fit)

    def _pays_for(self, cost: FeatureCost) -> float:
        limits, spent = self._budget.at_most, self._budget.spent
        rooms = (
            (limits.calls, spent.calls, cost.calls),
            (limits.tokens, spent.tokens, cost.tokens),
            (limits.usd, spent.usd, cost.usd),
        )
        fits = [(limit - used) / each for limit, used, each in rooms if limit is not None and each > 0]
        return min([float(MANY), *(fit * (1 + 1e-9) for fit in fits)])

    def _refuse(self, cost: FeatureCost) -> None:
        takes, limits = _in_words(cost, self._budget.at_most), self._budget.at_most
        if self._budget.is_untouched and not self._counts:
            raise BudgetError(
                f"the budget ({limits}) is too small for one feature, which is expected to take {takes}: "
                "give a larger --budget, or ask for less (--explain-by, --score-by)"
            )
        raise BudgetSpent(
            f"the rest of the budget ({limits}) would not pay for another feature, which takes about "
            f"{takes}: resume the run with a larger --budget, and it goes on from here"
        )


def _in_words(cost: FeatureCost, limits: Limits) -> str:
    """The cost in what is limited."""
    said = [
        f"{cost.usd:.4f} usd" if limits.usd is not None else "",
        f"{cost.tokens:.0f} tokens" if limits.tokens is not None else "",
        f"{cost.calls:.0f} calls" if limits.calls is not None else "",
    ]
    return ", ".join(s for s in said if s)
