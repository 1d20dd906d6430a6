"""A run's status from the ledger: rates, what is to come, trouble; and how it is shown."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import Amount, Ceiling, RunWorkers
from glossator.memory.work_queue import Ended, WorkQueue
from glossator.records import ItemState, LlmSpending, RunEvent, RunEventKind, RunState, RunStatus
from glossator.report.run_lines import report_lines
from glossator.report.terminal_run import most_frequent, runs_table, score_bars, status_line, watch_view
from glossator.run_folder import RunFolder
from glossator.run_report import ledger_run_report
from glossator.run_status import is_gone, run_status
from glossator.run_watch import changes, moments
from tests.memory.run_fixtures import opened, started_run
from tests.memory.test_ledger import card

LATER = timedelta(minutes=2)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with opened(tmp_path) as one:
        yield one


def in_two_minutes() -> datetime:
    return datetime.now(UTC) + LATER


def do(ledger: Ledger, run: str, n: int, **ended: object) -> str:
    """A worker does `n` features and stays alive; returns its id."""
    workers, queue = RunWorkers(ledger, run), WorkQueue(ledger, run)
    worker = workers.begin(socket.gethostname(), os.getpid())
    for lease in queue.claim(worker, n):
        kept: dict[str, object] = {"state": ItemState.DONE, "verdict": "accepted", "value": 0.8} | ended
        if kept["state"] is ItemState.DONE:
            kept["card"], kept["evidence"] = card(lease.feature.index)
        assert queue.end([Ended(lease, **kept)]) == [True]  # type: ignore[arg-type]
    return worker


def spend(ledger: Ledger, run: str, worker: str, amount: Amount) -> None:
    RunWorkers(ledger, run).draw(worker, Ceiling(), amount, Amount(), Amount())


def test_a_run_without_an_end_in_sight(ledger: Ledger) -> None:
    status = run_status(ledger, started_run(ledger, 5))
    assert status.state is RunState.RUNNING
    assert status.counts.planned == 5
    assert (status.features_per_minute, status.seconds_left, status.will_finish) == (None, None, None)


def test_the_rate_says_how_long_it_takes(ledger: Ledger) -> None:
    run = started_run(ledger, 30)
    do(ledger, run, 10)
    status = run_status(ledger, run, now=in_two_minutes())
    assert status.features_per_minute == pytest.approx(5, rel=0.1)
    assert status.seconds_left == pytest.approx(240, rel=0.1)
    assert status.will_finish == 30
    assert status.score_deciles[8] == 10
    assert len(status.fresh) == 5
    assert status.workers[0].alive


def test_the_budget_says_how_many_it_buys(ledger: Ledger) -> None:
    run = started_run(ledger, 30, budget="2usd,1000calls")
    worker = do(ledger, run, 10)
    spend(ledger, run, worker, Amount(calls=100, tokens=1000, usd=1.0))
    status = run_status(ledger, run, now=in_two_minutes())
    assert status.will_finish == 20  # 10 cost a dollar, and a dollar is left
    assert status.seconds_left == pytest.approx(120, rel=0.1)
    assert status.spent.usd == 1.0


def test_the_time_ordered_says_how_many_it_allows(ledger: Ledger) -> None:
    now = in_two_minutes()
    run = started_run(ledger, 30, until=(now + timedelta(minutes=1)).isoformat(timespec="seconds"))
    do(ledger, run, 10)
    status = run_status(ledger, run, now=now)
    assert status.seconds_left == pytest.approx(60, abs=2)
    assert status.will_finish in (14, 15)


def test_a_price_that_nobody_said_is_no_zero(ledger: Ledger) -> None:
    run = started_run(ledger, 3)
    worker = do(ledger, run, 2, spending=LlmSpending(calls=4, usd=None, unscored={"malformed": 2}))
    spend(ledger, run, worker, Amount(calls=8))
    status = run_status(ledger, run)
    assert status.spent.usd is None
    assert status.unscored == {"malformed": 4}
    assert "price unknown" in status_line(status)
    assert any("tokens, price unknown." in line for line in report_lines(ledger_run_report(ledger, run)))


def test_trouble_is_that_of_this_start_and_an_outage_that_is_over_is_none(ledger: Ledger) -> None:
    run = started_run(ledger, 3)
    store = LabellingRunStore(ledger)

    def noted(kind: RunEventKind, words: str) -> tuple[str, ...]:
        store.note(run, RunEvent(kind=kind, words=words))
        return run_status(ledger, run).trouble

    assert noted(RunEventKind.OUTAGE_BEGAN, "m is away") == ("outage: m is away",)
    assert noted(RunEventKind.TROUBLE, "the disk is full") == ("outage: m is away", "the disk is full")
    assert noted(RunEventKind.OUTAGE_ENDED, "m is back") == ("the disk is full",)
    assert noted(RunEventKind.STARTED, "again") == ()


def test_one_outage_ends_by_its_own_worker_and_model_alone(ledger: Ledger) -> None:
    run = started_run(ledger, 3)
    store = LabellingRunStore(ledger)

    def noted(kind: RunEventKind, worker: str, model: str = "", words: str = "") -> tuple[str, ...]:
        event = RunEvent(
            kind=kind, words=words or f"{model} of {worker}", worker=worker, payload={"model": model}
        )
        store.note(run, event)
        return run_status(ledger, run).trouble

    began, ended = RunEventKind.OUTAGE_BEGAN, RunEventKind.OUTAGE_ENDED
    noted(began, "k-1", "m")
    noted(began, "k-1", "n")
    noted(began, "k-2", "m")
    assert noted(ended, "k-1", "m") == ("outage: n of k-1", "outage: m of k-2")
    assert noted(RunEventKind.WORKER_LOST, "k-2", words="lost") == ("outage: n of k-1", "lost")
    assert noted(RunEventKind.WORKER_ENDED, "k-1") == ("lost",)


def test_a_process_that_is_not_there_is_gone_and_another_machines_is_not_known() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert is_gone(socket.gethostname(), process.pid)
    assert not is_gone(socket.gethostname(), os.getpid())
    assert not is_gone("another-machine", process.pid)


def test_a_worker_that_died_is_shown_as_gone(ledger: Ledger) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    run = started_run(ledger, 3)
    RunWorkers(ledger, run).begin(socket.gethostname(), process.pid)
    assert [w.alive for w in run_status(ledger, run).workers] == [False]


def test_what_is_shown_is_text_and_says_it_all(ledger: Ledger) -> None:
    run = started_run(ledger, 4)
    do(ledger, run, 2, verdict="tentative")
    do(ledger, run, 1, state=ItemState.FAILED, reason="[bold]boom[/bold]\x1b[31m", value=None, verdict="")
    store = LabellingRunStore(ledger)
    store.note(run, RunEvent(kind=RunEventKind.PROJECTED, words="all would cost $3"))
    console = Console(file=io.StringIO(), width=140, force_terminal=False)
    console.print(watch_view(run_status(ledger, run), store.events(run)))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for said in ("2 done, 1 failed", "2 tentative", "[bold]boom[/bold]", "all would cost $3", "3/4"):
        assert said in shown
    assert "\x1b[31m" not in shown


def test_a_table_of_runs_shows_whole_ids(ledger: Ledger) -> None:
    runs = [started_run(ledger, 2), started_run(ledger, 3, selection="0-99,812,900-1000,1100-2000")]
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    console.print(runs_table([run_status(ledger, run) for run in runs]))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(run in shown for run in runs)
    assert "running" in shown


def test_bars_and_counts() -> None:
    assert score_bars((0,) * 10) == ""
    assert score_bars((0, 1, 0, 0, 0, 0, 0, 0, 80, 40)) == "0 │ ▁      █▄│ 1  (121 scored)"
    assert most_frequent({"b": 1, "a": 1, "c": 3}) == "3 c; 1 a; 1 b"
    assert most_frequent({str(i): 1 for i in range(9)}).endswith("and 3 more")


def test_watching_says_what_changed_and_ends_with_the_run(ledger: Ledger, tmp_path: Path) -> None:
    run, folder = started_run(ledger, 2), RunFolder.of(tmp_path, "r")
    seen: list[RunStatus] = []
    for status in changes(moments(ledger, run, folder, every=0.01)):
        seen.append(status)
        if len(seen) == 1:
            worker = do(ledger, run, 2)
            RunWorkers(ledger, run).end(worker, Amount())
        if len(seen) == 2:
            LabellingRunStore(ledger).note(run, RunEvent(kind=RunEventKind.FINISHED, words=""))
    assert [s.counts.done for s in seen] == [0, 2, 2]
    assert [s.state.value for s in seen] == ["running", "running", "finished"]


def test_a_run_that_nobody_is_at_is_not_watched_for_ever(ledger: Ledger, tmp_path: Path) -> None:
    run, folder = started_run(ledger, 2), RunFolder.of(tmp_path, "r")
    seen = list(moments(ledger, run, folder, every=0.01, nobody=0.1))
    assert {status.state for status in seen} == {RunState.RUNNING}


def test_a_status_is_one_line_of_json_for_programs(ledger: Ledger) -> None:
    status = run_status(ledger, started_run(ledger, 2))
    assert RunStatus.model_validate(json.loads(status.model_dump_json())) == status
