"""Labels as the work of runs, over an index with planted features and a scripted model."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from glossator.agents.explainers.explainer_settings import ExplainerSettings
from glossator.agents.labelling import FeatureLabeller
from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import CallFailure, Role, UnscoredReason
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.retry import RetryPolicy
from glossator.agents.llm_calls.scripted_chat import ScriptedChat, noisy
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.agents.llm_labelling import LlmLabelling, Way
from glossator.agents.run_work.embedded_label_work import EmbeddedLabelWork
from glossator.agents.run_work.label_work import MOST, LabelWork
from glossator.agents.run_work.run_admission import RunAdmission
from glossator.agents.run_work.worker import RunWorker
from glossator.agents.run_work.worker_end import WhyEnded, WorkerEnd
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.memory.call_store import CallStore
from glossator.memory.labelling_runs import LabellingRunStore, PlannedItem
from glossator.memory.ledger import Ledger
from glossator.memory.work_queue import Lease, WorkQueue
from glossator.records import (
    FeatureCard,
    FeatureRef,
    ItemState,
    LlmSpending,
    RunEvent,
    RunEventKind,
    ScoreMethod,
)
from tests.agents.planted_index import RULES, PlantedIndex, oracle, planted_index, room_of
from tests.agents.run_worker_fixtures import FAST
from tests.memory.run_fixtures import opened, plan

FEATURES = (0, 1, RULES.index("dead"))
SCORING = LlmScoringSettings(max_firing=10, max_random=10, max_hard=10, first=10, n_baseline=2, donors_read=1)
CHEAPER = replace(SCORING, methods=(ScoreMethod.DETECTION,))
WAYS = (Way(ExplainerSettings(), SCORING), Way(ExplainerSettings(), CHEAPER))


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> PlantedIndex:
    return planted_index(tmp_path_factory.mktemp("planted"))


def ref(index: int) -> FeatureRef:
    return FeatureRef(subject="planted", dictionary="planted", index=index)


def ordered(ledger: Ledger) -> str:
    store = LabellingRunStore(ledger)
    run = store.create(plan(), [PlannedItem(ref(i), 1.0) for i in FEATURES])
    store.note(run, RunEvent(kind=RunEventKind.STARTED, words="begun"))
    return run


def label_work(
    planted: PlantedIndex,
    endpoint: ScriptedChat,
    ledger: Ledger,
    *,
    limits: Limits | None = None,
    expected: LlmSpending | None = None,
    retry: RetryPolicy | None = None,
    windows: int | None = 5,
) -> LabelWork:
    budget = Budget(limits)
    calls = CallRoom(
        {Role.EXPLAINER: endpoint, Role.SCORER: endpoint},
        budget=budget, store=CallStore(ledger), slots=8, counter=TokenCounter(), prices=Prices("1/1"),
        retry=retry,
    )  # fmt: skip
    asked = LlmLabelling(calls=calls, budget=budget, scoring=SCORING, windows_per_prompt=windows)
    admission = None if expected is None else RunAdmission(budget, {0: expected})
    labeller = planted.labeller(asked)
    return LabelWork(labeller, calls, WAYS, spent=lambda: budget.spent, admission=admission)


def worked(ledger: Ledger, run: str, work: LabelWork | EmbeddedLabelWork) -> WorkerEnd:
    return asyncio.run(RunWorker(LabellingRunStore(ledger), run, work, times=FAST).work())


def cards(ledger: Ledger) -> list[FeatureCard]:
    """What is stored of each feature, whatever its calls cost."""
    found = [ledger.latest_card(ref(i)) for i in FEATURES]
    return [c.model_copy(update={"spending": None}) for c in found if c is not None]


@pytest.fixture(scope="module")
def by_labeller(planted: PlantedIndex) -> list[FeatureCard]:
    """The cards that a labeller of a list makes."""
    calls, budget = room_of(ScriptedChat(noisy(oracle(), 0.1)))
    asked = LlmLabelling(calls=calls, budget=budget, scoring=SCORING, windows_per_prompt=5)
    made = planted.labeller(asked).label(FEATURES)
    return [m.card.model_copy(update={"spending": None}) for m in made]


def test_a_run_makes_the_cards_that_a_labeller_makes(
    planted: PlantedIndex, by_labeller: list[FeatureCard], tmp_path: Path
) -> None:
    with opened(tmp_path) as ledger:
        run, chat = ordered(ledger), ScriptedChat(noisy(oracle(), 0.1))
        end = worked(ledger, run, label_work(planted, chat, ledger))
        assert end.why is WhyEnded.NOTHING_LEFT
        assert end.spent.calls == len(chat.requests) > 0
        assert cards(ledger) == by_labeller
        items = list(WorkQueue(ledger, run).items())
        assert sum(i.spending.calls for i in items if i.spending is not None) == len(chat.requests)


def test_a_worker_that_breaks_down_is_followed_by_one_that_pays_only_the_rest(
    planted: PlantedIndex, by_labeller: list[FeatureCard], tmp_path: Path
) -> None:
    down = CallFailure(UnscoredReason.UNREACHABLE, "gone", retryable=True)
    breaking = ScriptedChat(noisy(oracle(), 0.1), failing=lambda n: down if n >= 20 else None)
    waiting = RetryPolicy(first_wait=0.01, failures_in_a_row=4, patience=0.2, first_probe=0.05)
    rest = ScriptedChat(noisy(oracle(), 0.1))
    with opened(tmp_path) as ledger:
        run = ordered(ledger)
        first = worked(ledger, run, label_work(planted, breaking, ledger, retry=waiting))
        assert first.why is WhyEnded.ENDPOINT
        assert {i.state for i in WorkQueue(ledger, run).items()} <= {ItemState.PLANNED, ItemState.DONE}
        second = worked(ledger, run, label_work(planted, rest, ledger))
        assert second.why is WhyEnded.NOTHING_LEFT
        assert cards(ledger) == by_labeller
    paid = {repr(r) for r in breaking.requests[:20]}
    assert not paid & {repr(r) for r in rest.requests}


def test_no_feature_is_begun_that_the_budget_would_not_pay(planted: PlantedIndex, tmp_path: Path) -> None:
    whole = ScriptedChat(oracle())
    with opened(tmp_path / "whole") as ledger:
        run = ordered(ledger)
        worked(ledger, run, label_work(planted, whole, ledger))
        costs = [i.spending.calls for i in WorkQueue(ledger, run).items() if i.spending is not None]
    each = max(costs)
    with opened(tmp_path / "part") as ledger:
        run, chat = ordered(ledger), ScriptedChat(oracle())
        limits, expected = Limits(calls=each + each // 2), LlmSpending(calls=each)
        end = worked(ledger, run, label_work(planted, chat, ledger, limits=limits, expected=expected))
        assert end.why is WhyEnded.BUDGET_SPENT
        assert len(chat.requests) <= each + each // 2
        states = [i.state for i in WorkQueue(ledger, run).items()]
        assert states.count(ItemState.DONE) == 1
        assert states.count(ItemState.PLANNED) == 2


def test_the_cheaper_way_asks_less(planted: PlantedIndex, tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        run, chat = ordered(ledger), ScriptedChat(oracle())
        chosen = RunEvent(kind=RunEventKind.SHORTFALL, words="cheaper", payload={"variant": 1})
        LabellingRunStore(ledger).note(run, chosen)
        worked(ledger, run, label_work(planted, chat, ledger))
        methods = {s.method for c in cards(ledger) for s in c.scores}
        assert ScoreMethod.DETECTION in methods
        assert ScoreMethod.FUZZING not in methods
        assert {i.variant for i in WorkQueue(ledger, run).items()} == {1}


def test_an_endpoint_that_answers_nothing_leaves_a_feature_to_be_tried_again(
    planted: PlantedIndex, tmp_path: Path
) -> None:
    def failing(number: int) -> CallFailure | None:
        broken = number > 0  # one answer, so that the endpoint is known to be there
        return CallFailure(UnscoredReason.RATE_LIMITED, "no", retryable=False) if broken else None

    with opened(tmp_path) as ledger:
        run = ordered(ledger)
        work = label_work(planted, ScriptedChat(oracle(), failing=failing), ledger)
        worked(ledger, run, work)
        failed = [i for i in WorkQueue(ledger, run).items() if i.state is ItemState.FAILED]
        done = [i for i in WorkQueue(ledger, run).items() if i.state is ItemState.DONE]
        assert all(i.retryable and "rate limited" in i.reason for i in failed)
        assert all(i.feature.index == RULES.index("dead") for i in done if i.spending is None)


def test_wanted_follows_slots_and_the_measuring_thread(planted: PlantedIndex, tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        work = label_work(planted, ScriptedChat(oracle()), ledger)
        assert work.wanted(0) == 3
        assert work.wanted(MOST) == 0
        asyncio.run(work.close())


def test_embedded_labels_are_the_same_in_any_order_and_after_a_break(
    planted: PlantedIndex, tmp_path: Path
) -> None:
    def embedded() -> EmbeddedLabelWork:
        return EmbeddedLabelWork(FeatureLabeller(planted.preparation()), (0, 1, 2))

    with opened(tmp_path / "whole") as ledger:
        worked(ledger, ordered(ledger), embedded())
        whole = cards(ledger)
    assert len(whole) == len(FEATURES)
    with opened(tmp_path / "broken") as ledger:
        run = ordered(ledger)
        queue, labeller = WorkQueue(ledger, run), embedded()
        worker = RunWorker(LabellingRunStore(ledger), run, labeller, times=FAST)

        async def one_by_hand() -> None:
            worker.worker = await worker._heart.begin("here", 1)
            first, second = queue.claim(worker.worker, 2)
            assert queue.end([await labeller.do(second, 0)]) == [True]
            assert first.feature == ref(0)
            await worker._heart.end(worker.worker, labeller.spent(), "killed")

        asyncio.run(one_by_hand())
        worked(ledger, run, embedded())
        assert cards(ledger) == whole


def test_what_is_asked_before_the_first_feature_is_counted_though_nobody_waits_for_it(
    planted: PlantedIndex, tmp_path: Path
) -> None:
    with opened(tmp_path) as ledger:
        chat = ScriptedChat(oracle(), seconds=60.0)
        work = label_work(planted, chat, ledger, windows=None)

        async def dropped() -> None:
            doing = asyncio.create_task(work.do(Lease(0, ref(0), "k-none", 1), 0))
            while not chat.requests:
                await asyncio.sleep(0.01)
            doing.cancel()
            await asyncio.wait({doing})
            await work.close()
            assert work.spent().calls == len(chat.requests) > 0

        asyncio.run(dropped())
