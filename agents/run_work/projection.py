"""What all features of a run would cost by the first ones, what the budget buys, and what is chosen then.

Noted once per start with a budget of its own: every worker reads the choice, and a resumed run keeps to it.
Features that are still in work are counted as if nothing of them were paid yet, so what the budget buys is
said on the safe side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

from glossator.agents.llm_calls.budget import Limits
from glossator.agents.run_work.run_admission import FeatureCost, whole_cost
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.run_costs import item_costs
from glossator.memory.run_workers import RunWorkers
from glossator.memory.work_queue import WorkQueue
from glossator.records import LlmSpending, RunEvent, RunEventKind, RunPlan, RunSpending, Shortfall

LEAST, MOST, SHARE = 20, 100, 0.02
"""Features after which it is projected: a share of the run, but no fewer and no more than these."""
_Z = 1.96
_KINDS = ("usd", "tokens", "calls")

CheaperRatio = Callable[[], float | None]
"""What a feature costs in the cheaper way, as a share of the ordered one; None where that is not known."""


class Projection(NamedTuple):
    """What the first features say of the rest, in whatever the budget limits most."""

    kind: str
    """`usd`, `tokens` or `calls`."""
    seen: int
    """Features that it rests on."""
    each: float
    """Mean cost of one."""
    each_low: float
    """Ends of its 95 % interval."""
    each_high: float
    left: int
    """Features that are still to be ended."""
    limit: float
    spent: float
    buys: int
    """Of those that are left, how many the rest of the budget pays."""

    @property
    def whole(self) -> float:
        """What the whole run would cost."""
        return self.spent + self.left * self.each

    @property
    def is_short(self) -> bool:
        """The budget will not pay for all."""
        return self.buys < self.left

    def in_words(self) -> str:
        """One line for people."""
        shown = (lambda v: f"{v:.2f} usd") if self.kind == "usd" else (lambda v: f"{v:,.0f} {self.kind}")
        half = (self.each_high - self.each_low) / 2
        return (
            f"after {self.seen} features: one takes {shown(self.each)} ± {shown(half)}, all would take "
            f"{shown(self.whole)} of {shown(self.limit)}; the budget pays for "
            f"{'all' if not self.is_short else f'{self.buys:,}'} of the {self.left:,} that are left"
        )

    def payload(self) -> dict[str, JsonValue]:
        """The numbers for programs."""
        return {**self._asdict(), "whole": self.whole}


def enough(total: int) -> int:
    """Features after which a run of `total` is projected."""
    return min(MOST, max(LEAST, math.ceil(SHARE * total)))


def project(costs: Sequence[FeatureCost], limits: Limits, spent: RunSpending, left: int) -> Projection | None:
    """The projection by the limit that is reached first; None without limits or costs."""
    projections = [
        _by(kind, [float(getattr(c, kind)) for c in costs], float(limit), _spent(spent, kind), left)
        for kind in _KINDS
        if costs and (limit := getattr(limits, kind)) is not None
    ]
    return min(projections, key=lambda p: p.buys, default=None)


def _by(kind: str, each: Sequence[float], limit: float, spent: float, left: int) -> Projection:
    values = np.asarray(each, float)
    mean = float(values.mean())
    half = _Z * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else mean
    buys = left if mean <= 0 else min(left, max(0, int((limit - spent) / mean * (1 + 1e-9))))
    return Projection(kind, len(values), mean, max(0.0, mean - half), mean + half, left, limit, spent, buys)


def at_least(told: RunSpending, ended: Sequence[LlmSpending]) -> RunSpending:
    """What workers told with their last beats, but no less than the features that ended have cost."""
    calls, usd = sum(one.calls for one in ended), sum(one.usd or 0.0 for one in ended)
    tokens = sum(one.input_tokens + one.output_tokens for one in ended)
    more = {"calls": max(told.calls, calls), "tokens": max(told.tokens, tokens)}
    return told.model_copy(update=more | ({"usd": max(told.usd or 0.0, usd)} if usd else {}))


def _spent(spent: RunSpending, kind: str) -> float:
    """What is gone of the budget, with what lost workers may have spent."""
    if kind == "usd":
        return (spent.usd or 0.0) + spent.unaccounted_usd
    return float(spent.tokens if kind == "tokens" else spent.calls + spent.unaccounted_calls)


class Projecting:
    """Projects one run once there is enough to go by. Blocks; for one thread at a time."""

    def __init__(self, runs: LabellingRunStore, run: str, ratio: CheaperRatio | None = None) -> None:
        self._runs, self._run, self._ratio = runs, run, ratio
        self._total: int | None = None
        self._is_over = False

    def look(self, plan: RunPlan, worker: str) -> None:
        """Note a projection, and a choice where it falls short, if it is time and nobody has."""
        limits = Limits.parse(plan.budget) if plan.budget else Limits()
        if self._is_over or all(getattr(limits, kind) is None for kind in _KINDS):
            return
        if self._is_noted():
            self._is_over = True
            return
        ended = [one.spending for one in item_costs(self._runs.ledger, self._run)]
        costs = [c for one in ended if (c := whole_cost(one))]
        if len(costs) < LEAST:
            return
        counts = WorkQueue(self._runs.ledger, self._run).counts()
        if len(costs) < enough(counts.total):
            return
        spent = at_least(RunWorkers(self._runs.ledger, self._run).spending(), ended)
        found = project(costs, limits, spent, counts.left)
        if found is not None:
            self._note(plan, worker, found)

    def _is_noted(self) -> bool:
        """Since the last start that changed the budget."""
        known = self._runs.events(self._run, RunEventKind.STARTED, RunEventKind.PROJECTED)
        noted = False
        for event in (stored.event for stored in known):
            if event.kind is RunEventKind.PROJECTED:
                noted = True
            elif "budget" in event.payload:
                noted = False
        return noted

    def _note(self, plan: RunPlan, worker: str, found: Projection) -> None:
        event = RunEvent(
            kind=RunEventKind.PROJECTED, words=found.in_words(), worker=worker, payload=found.payload()
        )
        # Together: a run that was killed between the two would never choose.
        choice = [self._choice(plan, worker, found)] if found.is_short else []
        self._runs.note_once(self._run, event, *choice)
        self._is_over = True

    def _choice(self, plan: RunPlan, worker: str, found: Projection) -> RunEvent:
        """What the ordered policy makes of a budget that falls short."""
        ratio = self._ratio() if self._ratio is not None else None
        cheaper = plan.shortfall is Shortfall.CHEAPER and len(plan.variants) > 1
        if not cheaper:
            words = f"the budget will not pay for all: {found.buys:,} of {found.left:,} are done as ordered"
            return self._shortfall(worker, words, {"variant": 0, "buys": found.buys})
        words = "the budget will not pay for all: from now on features are asked for less"
        payload: dict[str, JsonValue] = {"variant": 1, "ratio": ratio}
        if ratio:
            buys = min(found.left, int(found.buys / ratio))
            words += f" (about {ratio:.0%} of the cost), which pays for {buys:,} of {found.left:,}"
            payload["buys"] = buys
        return self._shortfall(worker, words, payload)

    def _shortfall(self, worker: str, words: str, payload: dict[str, JsonValue]) -> RunEvent:
        return RunEvent(kind=RunEventKind.SHORTFALL, words=words, worker=worker, payload=payload)
