"""A worker process of a run, from the run's id and settings, on a tiny subject."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from glossator import Glossator
from glossator.agents.llm_calls.chat import ChatEndpoint, Role
from glossator.agents.llm_calls.model_spec import ModelSpec
from glossator.agents.llm_calls.scripted_chat import ScriptedChat, by_form, verdicts
from glossator.agents.run_work.worker import WorkerTimes
from glossator.agents.run_work.worker_end import WhyEnded, WorkerEnd
from glossator.errors import IndexMismatchError, UnknownNameError
from glossator.memory.labelling_runs import LabellingRunStore, PlannedItem
from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import RunWorkers
from glossator.memory.work_queue import WorkQueue
from glossator.records import (
    Depth,
    FeatureRef,
    ItemState,
    RunEvent,
    RunEventKind,
    RunOrder,
    RunPlan,
    RunSpending,
    RunState,
    RunVariant,
)
from glossator.run_worker import work_on
from glossator.settings import Settings
from tests.agents.planted_index import LABEL_FORM
from tests.shell.test_investigate_command import Project

TIMES = WorkerTimes(beat=0.2, look=0.05, tick=0.02)
FULL = RunVariant(work_key="w-1", explain_by=("one_shot",), score_by=("detection",))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


def settings(project: Project, ledger: Path, **changed: object) -> Settings:
    kept = {**project.settings(), "ledger_url": f"sqlite:///{ledger}", "windows_per_prompt": 5, **changed}
    return Settings.model_validate(kept)


def ordered(project: Project, placed: Settings, n: int = 3, **changed: object) -> str:
    """A run over the first features that can be explained."""
    with Glossator(**placed.model_dump(exclude_none=True)) as g:
        index, names = g.session.index(), g.session.names()
        density = index.statistics.density.tolist()
        chosen = [i for i, d in enumerate(density) if 0.02 < d < 0.4][:n]
        plan = RunPlan.model_validate(
            {
                "names": names, "index_identity": index.identity, "depth": Depth.LABEL, "selection": "all",
                "order": RunOrder.INDEX, "variants": (FULL,), "panel": tuple(chosen[:2]),
                "settings": json.loads(placed.model_dump_json(exclude_none=True)),
                **changed,
            }
        )  # fmt: skip
        refs = [FeatureRef(subject=names.subject, dictionary=names.dictionary, index=i) for i in chosen]
        store = LabellingRunStore(g.session.ledger())
        run = store.create(plan, [PlannedItem(ref, 1.0) for ref in refs])
        store.note(run, RunEvent(kind=RunEventKind.STARTED, words="begun"))
        return run


class Scripted:
    """Opens one scripted model for all roles."""

    def __init__(self) -> None:
        script = by_form(
            verdicts(lambda claim, text: "law" in text),
            {LABEL_FORM: lambda asked: json.dumps({"label": "words about the law", "predicate": ""})},
        )
        self.chat = ScriptedChat(script)

    def __call__(self, models: Mapping[Role, ModelSpec]) -> Mapping[Role, ChatEndpoint]:
        return dict.fromkeys(models, self.chat)


def test_a_run_without_a_model_is_worked_to_its_end(project: Project, tmp_path: Path) -> None:
    placed = settings(project, tmp_path / "ledger.sqlite")
    run = ordered(project, placed, variants=(RunVariant(work_key="w-0"),))
    said: list[str] = []
    end = work_on(run, placed, say=said.append, times=TIMES)
    assert (end.why, end.features) == (WhyEnded.NOTHING_LEFT, 3)
    assert "nothing left" in said[-1]
    with Glossator(**placed.model_dump(exclude_none=True)) as g:
        items = list(WorkQueue(g.session.ledger(), run).items())
    assert {i.state for i in items} == {ItemState.DONE}


def test_a_run_with_a_model_stays_within_its_budget_and_is_paid_under_its_id(
    project: Project, tmp_path: Path
) -> None:
    placed = settings(
        project, tmp_path / "ledger.sqlite", explainer="my-model", base_url="http://127.0.0.1:1"
    )
    run, models = ordered(project, placed, budget="2000calls"), Scripted()
    end = work_on(run, placed, endpoints=models, say=lambda words: None, times=TIMES)
    assert end.why is WhyEnded.NOTHING_LEFT
    assert 0 < end.spent.calls == len(models.chat.requests)
    with Glossator(**placed.model_dump(exclude_none=True)) as g:
        ledger = g.session.ledger()
        spent = RunWorkers(ledger, run).spending()
        assert (spent.calls, spent.unaccounted_calls) == (end.spent.calls, 0)
        costs = [i.spending.calls for i in WorkQueue(ledger, run).items() if i.spending is not None]
    assert sum(costs) == end.spent.calls
    again = Scripted()
    least = max(costs) + min(costs) // 2
    part = ordered(project, settings(project, tmp_path / "other.sqlite", explainer="my-model",
                   base_url="http://127.0.0.1:1"), budget=f"{least}calls")  # fmt: skip
    other = settings(project, tmp_path / "other.sqlite", explainer="my-model", base_url="http://127.0.0.1:1")
    end = work_on(part, other, endpoints=again, say=lambda words: None, times=TIMES)
    assert end.why is WhyEnded.BUDGET_SPENT
    assert 0 < len(again.chat.requests) <= least


@pytest.mark.parametrize("budget", ["2calls", "1tokens", "0.0001usd"])
def test_a_budget_that_would_not_pay_for_one_feature_begins_nothing(
    project: Project, tmp_path: Path, budget: str
) -> None:
    placed = settings(
        project, tmp_path / "ledger.sqlite", explainer="my-model", base_url="http://127.0.0.1:1", price="1/1"
    )
    run, models = ordered(project, placed, budget=budget), Scripted()
    end = work_on(run, placed, endpoints=models, say=lambda words: None, times=TIMES)
    assert end.why is WhyEnded.BUDGET_SPENT
    assert "too small for one feature" in end.words
    assert not models.chat.requests
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        assert LabellingRunStore(ledger).state(run) is RunState.STOPPED
        assert WorkQueue(ledger, run).counts().planned == 3


@pytest.mark.parametrize("budget", ["1calls", "40calls"])
def test_more_workers_than_the_budget_pays_calls_for_all_end_within_it(
    project: Project, tmp_path: Path, budget: str
) -> None:
    placed = settings(
        project, tmp_path / "ledger.sqlite", explainer="my-model", base_url="http://127.0.0.1:1"
    )
    run, workers = ordered(project, placed, budget=budget), 3
    models = [Scripted() for _ in range(workers)]

    def work(model: Scripted) -> WorkerEnd:
        stop = threading.Event()
        return work_on(run, placed, endpoints=model, stop=stop, say=lambda words: None, times=TIMES)

    with ThreadPoolExecutor(workers) as at_once:
        ends = list(at_once.map(work, models))
    assert {end.why for end in ends} == {WhyEnded.BUDGET_SPENT}
    asked = sum(len(model.chat.requests) for model in models)
    assert asked <= int(budget.removesuffix("calls"))
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        assert RunWorkers(ledger, run).spending() == RunSpending(
            calls=asked, tokens=sum(end.spent.tokens for end in ends), usd=0.0
        )
        counts = WorkQueue(ledger, run).counts()
    assert counts.leased == 0
    assert counts.planned > 0
    assert (asked > 0) is (budget == "40calls")


def test_stopped_from_outside_it_ends_in_order(project: Project, tmp_path: Path) -> None:
    placed = settings(project, tmp_path / "ledger.sqlite")
    run = ordered(project, placed, variants=(RunVariant(work_key="w-0"),))
    stop = threading.Event()
    stop.set()
    assert work_on(run, placed, stop=stop, say=lambda words: None, times=TIMES).why is WhyEnded.STOPPED


def test_an_unknown_run_and_another_index_are_refused(project: Project, tmp_path: Path) -> None:
    placed = settings(project, tmp_path / "ledger.sqlite")
    run = ordered(project, placed, index_identity="another")
    with pytest.raises(IndexMismatchError, match="ordered on the index 'another'"):
        work_on(run, placed, say=lambda words: None)
    with pytest.raises(UnknownNameError, match="no labelling run"):
        work_on("r-0", placed, say=lambda words: None)


def test_an_investigator_that_is_the_only_model_reads_as_well(project: Project, tmp_path: Path) -> None:
    placed = settings(
        project, tmp_path / "ledger.sqlite", investigator="my-model", base_url="http://127.0.0.1:1"
    )
    run = ordered(project, placed, depth=Depth.INVESTIGATE, variants=(RunVariant(work_key="w-0"),))
    opened: list[set[Role]] = []

    def endpoints(models: Mapping[Role, ModelSpec]) -> Mapping[Role, ChatEndpoint]:
        opened.append(set(models))
        return Scripted()(models)

    stop = threading.Event()
    stop.set()
    work_on(run, placed, endpoints=endpoints, stop=stop, say=lambda words: None, times=TIMES)
    assert opened == [{Role.INVESTIGATOR, Role.SCORER}]
