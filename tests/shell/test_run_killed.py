"""Real labelling, killed again and again, comes to the cards and questions of a run that nobody killed."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from benchmarks.chaos_endpoint import Weather, chaos_endpoint
from benchmarks.chaos_work import is_gone
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import LlmCallRow
from glossator.memory.run_workers import RunWorkers
from glossator.memory.work_queue import WorkQueue
from glossator.records import FeatureCard, RunState
from glossator.settings import Settings
from tests.shell.killed_worker import label
from tests.shell.test_investigate_command import Project
from tests.shell.test_run_worker_shell import ordered, settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FEATURES, KILLS, SLOTS = 8, 3, 4


class Night(NamedTuple):
    cards: dict[str, FeatureCard]
    questions: set[str]
    paid: int
    lost: int
    """Answers that were paid and never stored."""
    kills: int


def placed_in(project: Project, ledger: Path) -> Settings:
    return settings(
        project, ledger, explainer="my-model", base_url="http://127.0.0.1:1", llm_slots=SLOTS,
        llm_timeout=20.0,
    )  # fmt: skip


def night(project: Project, path: Path, weather: Weather, kills: int) -> Night:
    placed, chance = placed_in(project, path), random.Random(4)
    run = ordered(project, placed, n=FEATURES, budget="50000calls")
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.shell.killed_worker", "torch", "transformers"])
    killed = 0
    with Ledger.open(path) as ledger, chaos_endpoint(weather) as endpoint:
        runs, workers = LabellingRunStore(ledger), RunWorkers(ledger, run)
        until = time.monotonic() + 400.0
        while runs.state(run) is RunState.RUNNING:
            assert time.monotonic() < until, WorkQueue(ledger, run).counts()
            workers.reap(is_gone)
            given = (run, placed.model_dump(mode="json", exclude_none=True), endpoint.port)
            process = context.Process(target=label, args=given, daemon=True)
            process.start()
            before = endpoint.tally().paid
            more = chance.randint(6, 20)
            while process.is_alive() and (killed == kills or endpoint.tally().paid < before + more):
                time.sleep(0.01)
            if process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
            process.join()
        ledger.check()
        counts = WorkQueue(ledger, run).counts()
        assert counts.done == counts.total > 5
        questions = {row["key"] for row in ledger.read_rows(select(LlmCallRow.key))}
        paid = endpoint.drained().paid
        cards = {str(c.card.feature): c.card.model_copy(update={"spending": None}) for c in ledger.cards()}
        return Night(cards, questions, paid, paid - len(questions), killed)


def test_a_killed_run_asks_the_same_and_comes_to_the_same_cards(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    calm = night(project, tmp_path / "calm.sqlite", Weather(latency=0.005, errors=0.0), 0)
    assert (calm.lost, calm.kills) == (0, 0)
    stormy = Weather(latency=0.02, errors=0.04, outages=(60,), outage_seconds=1.0)
    wild = night(project, tmp_path / "wild.sqlite", stormy, KILLS)
    assert wild.kills == KILLS
    assert wild.questions == calm.questions
    assert wild.cards == calm.cards
    assert 0 <= wild.lost <= 2 * SLOTS * KILLS
