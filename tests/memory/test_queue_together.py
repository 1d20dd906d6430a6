"""Several processes at one queue at once, on each kind of database."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import update

from glossator.errors import LeaseLost
from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import RunWorkerRow
from glossator.memory.run_workers import RunWorkers
from glossator.memory.work_queue import WorkQueue
from glossator.records import ItemState
from tests.memory.run_fixtures import started_run

ROOT = Path(__file__).resolve().parents[2]


def start(place: str, run: str, number: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.memory.queue_process", place, run, "9", str(number)]
    folders = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": folders}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)


def ended_by(processes: list[subprocess.Popen[str]]) -> Counter[str]:
    outputs = [p.communicate(timeout=200)[0] for p in processes]
    assert {p.returncode for p in processes} == {0}
    return Counter(line for output in outputs for line in output.split())


@pytest.mark.slow
def test_eight_processes_end_every_feature_exactly_once(any_ledger: Ledger, place: str) -> None:
    run = started_run(any_ledger, 400)
    ended = ended_by([start(place, run, number) for number in range(8)])
    assert ended == {str(i): 1 for i in range(400)}
    items = list(WorkQueue(any_ledger, run).items())
    assert {(i.state, i.attempts) for i in items} == {(ItemState.DONE, 1)}
    assert any_ledger.counts().cards == 400
    assert RunWorkers(any_ledger, run).spending().calls == 400


@pytest.mark.slow
def test_two_runs_over_the_same_features_do_each_of_them_once(any_ledger: Ledger, place: str) -> None:
    runs = [started_run(any_ledger, 150), started_run(any_ledger, 150)]
    ended = ended_by([start(place, run, number) for number, run in enumerate(runs * 2)])
    assert ended == {str(i): 1 for i in range(150)}
    counts = [WorkQueue(any_ledger, run).counts() for run in runs]
    assert [c.left for c in counts] == [0, 0]
    assert sum(c.done for c in counts) == sum(c.skipped for c in counts) == 150


def test_a_worker_that_is_being_taken_for_lost_claims_nothing(any_ledger: Ledger) -> None:
    run = started_run(any_ledger, 3)
    queue, worker = WorkQueue(any_ledger, run), RunWorkers(any_ledger, run).begin("here", 1)
    raised: list[BaseException] = []

    def claim() -> None:
        try:
            queue.claim(worker, 2)
        except LeaseLost as error:
            raised.append(error)

    claiming = threading.Thread(target=claim)
    with any_ledger.writing() as connection:
        row = update(RunWorkerRow).where(RunWorkerRow.id == worker)
        connection.execute(row.values(state="lost"))
        claiming.start()
        claiming.join(timeout=0.5)
        assert claiming.is_alive(), "it waits for what is being decided about its worker"
    claiming.join()
    assert len(raised) == 1
    assert queue.counts().planned == 3


def test_two_runs_that_claim_at_once_never_hold_the_same_feature(any_ledger: Ledger) -> None:
    runs = [started_run(any_ledger, 60), started_run(any_ledger, 60)]
    held: list[list[int]] = [[], []]
    together = threading.Barrier(2)

    def claim(side: int) -> None:
        queue = WorkQueue(any_ledger, runs[side])
        worker = RunWorkers(any_ledger, runs[side]).begin("here", side)
        for _ in range(15):
            together.wait()
            held[side] += [lease.feature.index for lease in queue.claim(worker, 2)]

    sides = [threading.Thread(target=claim, args=(side,)) for side in range(2)]
    for side in sides:
        side.start()
    for side in sides:
        side.join()
    assert not set(held[0]) & set(held[1])
    assert sorted(held[0] + held[1]) == list(range(60))


def test_two_first_processes_make_one_ledger(place: str) -> None:
    script = "import sys; from glossator.memory.ledger import Ledger; Ledger.open(sys.argv[1]).close()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    first = [subprocess.Popen([sys.executable, "-c", script, place], env=environment) for _ in range(4)]
    assert [p.wait(timeout=60) for p in first] == [0] * 4
    with Ledger.open(place) as ledger:
        assert ledger.counts().cards == 0
