"""What the first features of a run say of its cost, and what is chosen where the budget falls short."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.agents.run_work.projection import LEAST, MOST, at_least, enough, project
from glossator.agents.run_work.run_admission import MANY, FeatureCost, RunAdmission, whole_cost
from glossator.errors import BudgetError, BudgetSpent
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.work_queue import Ended, Lease, WorkQueue
from glossator.records import LlmSpending, RunEventKind, RunSpending, Shortfall
from tests.agents.run_worker_fixtures import FAST, ScriptedWork, ready, worker
from tests.memory.run_fixtures import opened, started_run

QUICK = replace(FAST, project=0.02)


async def costing_ten(lease: Lease) -> Ended:
    await asyncio.sleep(0.02)
    return ready(lease)._replace(spending=LlmSpending(calls=10, usd=0.1))


def test_a_run_is_projected_after_a_share_of_it_within_bounds() -> None:
    assert [enough(n) for n in (5, 1000, 2000, 100_000)] == [LEAST, LEAST, 40, MOST]


def test_the_limit_that_is_reached_first_is_the_one_projected() -> None:
    costs = [FeatureCost(10, 1000, 0.1), FeatureCost(20, 3000, 0.3)]
    spent = RunSpending(calls=30, tokens=4000, usd=0.4, unaccounted_calls=5)
    found = project(costs, Limits(usd=10.4, calls=185), spent, left=100)
    assert found is not None
    assert (found.kind, found.each, found.spent, found.buys) == ("calls", 15.0, 35.0, 10)
    assert found.each_low < 15 < found.each_high
    assert found.whole == 35 + 1500
    assert "10 of the 100" in found.in_words()
    rich = project(costs, Limits(usd=100.0), spent, left=100)
    assert rich is not None
    assert not rich.is_short
    assert project(costs, Limits(seconds=5.0), spent, left=100) is None


def test_what_was_spent_is_no_less_than_what_ended_features_cost() -> None:
    ended = [LlmSpending(calls=10, input_tokens=90, output_tokens=10, usd=0.25)] * 3
    behind = at_least(RunSpending(calls=12, tokens=500, unaccounted_calls=2), ended)
    assert behind == RunSpending(calls=30, tokens=500, usd=0.75, unaccounted_calls=2)
    ahead = RunSpending(calls=40, tokens=500, usd=0.8)
    assert at_least(ahead, ended) == ahead


@pytest.mark.parametrize(("policy", "variant"), [(Shortfall.FEWER, 0), (Shortfall.CHEAPER, 1)])
def test_a_budget_that_falls_short_is_met_as_ordered(tmp_path: Path, policy: Shortfall, variant: int) -> None:
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 60, budget="400calls", shortfall=policy)
        work = ScriptedWork(costing_ten, at_once=3)
        half = worker(ledger, run, work, times=QUICK, cheaper=lambda: 0.5)
        asyncio.run(half.work())
        store = LabellingRunStore(ledger)
        (projected,) = store.events(run, RunEventKind.PROJECTED)
        assert projected.event.payload["each"] == 10.0
        (short,) = store.events(run, RunEventKind.SHORTFALL)
        assert short.event.payload["variant"] == variant
        assert work.variants[0] == 0
        assert work.variants[-1] == variant
        assert len(work.done) == 60


def test_a_budget_that_suffices_changes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 40, budget="100usd", shortfall=Shortfall.CHEAPER)
        asyncio.run(worker(ledger, run, ScriptedWork(costing_ten), times=QUICK).work())
        store = LabellingRunStore(ledger)
        assert len(store.events(run, RunEventKind.PROJECTED)) == 1
        assert not store.events(run, RunEventKind.SHORTFALL)
        assert WorkQueue(ledger, run).counts().done == 40


def test_a_resumed_feature_counts_as_if_it_had_been_asked_whole() -> None:
    half = LlmSpending(calls=5, cached=5, input_tokens=100, output_tokens=20, usd=0.1)
    assert whole_cost(half) == FeatureCost(10.0, 240.0, 0.2)
    assert whole_cost(LlmSpending(cached=10)) is None


def test_as_many_features_are_begun_as_the_budget_will_pay() -> None:
    admission = RunAdmission(Budget(Limits(calls=35)), {0: LlmSpending(calls=10), 1: LlmSpending(calls=4)})
    assert [admission.more(n) for n in (0, 1, 3, 9)] == [3, 2, 0, 0]
    assert admission.cheaper_ratio() is None, "no tokens were estimated"
    admission.learn(0, LlmSpending(calls=20))
    assert [admission.more(n) for n in (0, 1)] == [1, 0]
    admission.variant = 1
    assert admission.more(0) == 8


def test_a_budget_for_less_than_a_feature_is_refused() -> None:
    with pytest.raises(BudgetError, match="too small for one feature"):
        RunAdmission(Budget(Limits(calls=5)), {0: LlmSpending(calls=10)}).more(0)
    later = RunAdmission(Budget(Limits(calls=5)), {})
    assert later.more(0) == MANY
    later.learn(0, LlmSpending(calls=10))
    with pytest.raises(BudgetSpent, match="resume the run with a larger --budget"):
        later.more(0)
