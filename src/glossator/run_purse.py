"""The budget of one worker of a labelling run: drawn in portions from what the run may spend in all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from glossator.agents.llm_calls.budget import Budget, Charge, Limits
from glossator.agents.llm_calls.drawn_budget import DrawnBudget
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.run_workers import Amount, Ceiling, RunWorkers
from glossator.records import RunEventKind, RunPlan

_CALLS_PER_SLOT = 4
"""Calls that a portion pays, for each slot: few enough that a killed worker takes little with it."""
_SHARE = 0.05
"""Of the whole budget that a portion is at most."""


class Purse:
    """What one worker may spend."""

    def __init__(self, runs: LabellingRunStore, run: str, plan: RunPlan, slots: int) -> None:
        """Nothing is drawn yet.

        Args:
            runs: the ledger's runs.
            run: which of them.
            plan: what it was ordered with.
            slots: requests in flight at once.
        """
        self._limits = Limits.parse(plan.budget) if plan.budget else Limits()
        self._ceiling = Ceiling(self._limits.calls, self._limits.tokens, self._limits.usd)
        self._workers, self._slots = RunWorkers(runs.ledger, run), slots
        self._seconds = _seconds_left(runs, run, self._limits)

    @property
    def is_limited(self) -> bool:
        """There is any limit."""
        return self._limits != Limits()

    def budget(self, worker: Callable[[], str]) -> Budget:
        """The budget of the worker whose id `worker` gives once it has begun."""
        if self._ceiling == Ceiling():
            return Budget(Limits(seconds=self._seconds))
        left = self._left()
        order = Limits(left.usd, left.tokens, left.calls, self._seconds)
        return DrawnBudget(lambda spent, needed: self._draw(worker(), spent, needed), order, left=self._left)

    def _left(self) -> Limits:
        left = self._workers.left(self._ceiling)
        return Limits(
            usd=None if left.usd is None else max(0.0, left.usd),
            tokens=None if left.tokens is None else max(0, left.tokens),
            calls=None if left.calls is None else max(0, left.calls),
        )

    def _draw(self, worker: str, spent: Charge, needed: Charge) -> Limits | None:
        """In a thread: more for `worker` from the ledger."""
        portion = self._portion(needed)
        granted = self._workers.draw(worker, self._ceiling, Amount(*spent), Amount(*needed), portion)
        return None if granted is None else Limits(granted.usd, granted.tokens, granted.calls)

    def _portion(self, needed: Charge) -> Amount:
        calls = self._slots * _CALLS_PER_SLOT
        each = calls / max(1, needed.calls)
        most = Ceiling(
            calls=None if self._ceiling.calls is None else int(self._ceiling.calls * _SHARE),
            tokens=None if self._ceiling.tokens is None else int(self._ceiling.tokens * _SHARE),
            usd=None if self._ceiling.usd is None else self._ceiling.usd * _SHARE,
        )
        return most.cut(Amount(calls, int(needed.tokens * each), needed.usd * each))


def _seconds_left(runs: LabellingRunStore, run: str, limits: Limits) -> float | None:
    """Of a limit on time: it counts from the run's last start, whichever worker joins when."""
    if limits.seconds is None:
        return None
    started = runs.events(run, RunEventKind.STARTED)
    gone = (datetime.now(UTC) - datetime.fromisoformat(started[-1].at)).total_seconds() if started else 0.0
    return max(0.0, limits.seconds - max(0.0, gone))
