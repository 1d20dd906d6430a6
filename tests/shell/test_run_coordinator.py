"""The coordinator of a run when workers cannot be started, somebody is impatient, or resumes it too late."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from glossator.agents.run_work.worker_end import WhyEnded
from glossator.errors import SettingsError, UserError
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.run_workers import RunWorkers
from glossator.memory.work_queue import WorkQueue
from glossator.records import RunEvent, RunEventKind, RunState
from glossator.run_coordinator import Conducted, Coordinator, Interruption, failure
from glossator.run_folder import RunFolder
from glossator.run_placement import WorkerOutcome
from glossator.session import Session
from glossator.settings import Settings
from tests.memory.run_fixtures import started_run

STOPPED = WorkerOutcome(WhyEnded.STOPPED, "made up")


class Placed:
    """Workers that end as a test says, each when it is polled; where `refusals` say so, none is started."""

    def __init__(self, *outcomes: WorkerOutcome, refusals: Sequence[BaseException | None] = ()) -> None:
        self.outcomes, self.refusals = list(outcomes), list(refusals)
        self.started: list[int] = []
        self.at_work = 0

    def start(self, run: str, workers: int) -> None:
        self.started.append(workers)
        refused = self.refusals.pop(0) if self.refusals else None
        if refused is not None:
            raise refused
        self.at_work += workers

    def poll(self) -> list[WorkerOutcome]:
        ended = [self.outcomes.pop(0) if self.outcomes else STOPPED for _ in range(self.at_work)]
        self.at_work = 0
        return ended

    def running(self) -> int:
        return self.at_work

    def stop(self) -> None:
        return

    def kill(self) -> None:
        self.at_work = 0


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Session(Settings.model_validate({"home": tmp_path, "embedder": "hashing"})) as opened:
        yield opened


def conducted(session: Session, run: str, placed: Placed, **other: object) -> Conducted:
    given = {"workers": 2, "restart_seconds": 0.0, "say": lambda words: None} | other
    return Coordinator(session, run, placed, **given).conduct()  # type: ignore[arg-type]


def state(session: Session, run: str) -> RunState:
    return LabellingRunStore(session.ledger()).state(run)


@pytest.mark.parametrize("when", ["first", "restart"])
def test_a_worker_that_cannot_be_started_is_tried_again(session: Session, when: str) -> None:
    run = started_run(session.ledger(), 3)
    full = OSError("made up: no process more")
    refusals = [full, None] if when == "first" else [None, full, None]
    lost = [] if when == "first" else [WorkerOutcome(None, "died"), WorkerOutcome(None, "died")]
    placed = Placed(*lost, refusals=refusals)
    ended = conducted(session, run, placed)
    assert placed.started == ([2, 2] if when == "first" else [2, 2, 2])
    assert any("no process more" in outcome.words for outcome in ended.outcomes)
    assert state(session, run) is RunState.STOPPED


def test_a_cluster_that_takes_no_worker_any_more_ends_the_run_in_order(session: Session) -> None:
    run = started_run(session.ledger(), 3)
    refused = SettingsError("made up: the cluster has no node")
    placed = Placed(WorkerOutcome(None, "died"), refusals=[None, refused])
    ended = conducted(session, run, placed, workers=1)
    assert state(session, run) is RunState.STOPPED
    error = failure(ended)
    assert isinstance(error, UserError)
    assert "the cluster has no node" in str(error)
    assert f"resume {run}" in str(error)


def test_a_run_that_is_gone_on_with_too_late_does_not_look_as_if_somebody_were_at_it(
    session: Session,
) -> None:
    run = started_run(session.ledger(), 3)

    def resumed(session: Session, run: str, folder: RunFolder) -> Sequence[str]:
        LabellingRunStore(session.ledger()).note(run, RunEvent(kind=RunEventKind.STARTED, words="goes on"))
        return ()

    ended = conducted(session, run, Placed(), report=resumed)
    assert state(session, run) is ended.status.state is RunState.STOPPED


def test_a_run_with_nothing_left_is_finished_though_its_budget_was_spent_last(session: Session) -> None:
    run = started_run(session.ledger(), 0)
    store = LabellingRunStore(session.ledger())
    for kind in (RunEventKind.FINISHED, RunEventKind.BUDGET_SPENT):
        store.note(run, RunEvent(kind=kind, words="made up"))
    ended = conducted(session, run, Placed(WorkerOutcome(WhyEnded.BUDGET_SPENT, "made up")), workers=1)
    assert failure(ended) is None
    assert state(session, run) is RunState.FINISHED


def test_asked_to_end_while_it_reports_it_leaves_that_out(session: Session) -> None:
    run, said = started_run(session.ledger(), 3), list[str]()
    interruption = Interruption()

    def reporting(session: Session, run: str, folder: RunFolder) -> Sequence[str]:
        interruption.ask()
        return ["it was written all the same"]

    conducted(session, run, Placed(), report=reporting, say=said.append, interruption=interruption)
    assert said == [f"the report is left out; it is made by: glossator run report {run}"]
    assert state(session, run) is RunState.STOPPED
    assert not interruption.is_felt


def test_asked_twice_a_worker_within_this_process_is_taken_for_lost(session: Session) -> None:
    run, interruption = started_run(session.ledger(), 3), Interruption()
    worker = RunWorkers(session.ledger(), run).begin(socket.gethostname(), os.getpid())
    assert len(WorkQueue(session.ledger(), run).claim(worker, 2)) == 2
    interruption.times = 2
    ended = conducted(session, run, Placed(), interruption=interruption)
    assert ended.interrupted
    assert ended.status.counts.planned == 3
    assert state(session, run) is RunState.STOPPED
