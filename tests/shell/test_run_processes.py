"""Labelling runs with real worker processes: side by side, in the background, interrupted, orphaned."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glossator.agents.llm_calls.scripted_chat import Asked, Script, by_form, verdicts
from glossator.cli import run
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.run_workers import RunWorkers
from glossator.memory.work_queue import WorkQueue
from glossator.records import ItemState, RunEventKind, RunState, RunStatus
from glossator.run_status import is_gone
from tests.agents.planted_index import LABEL_FORM
from tests.llm_wire.scripted_server import ScriptedServer, serving
from tests.shell.run_fixtures import kinds, latest, ledger_of, own_ledger, standing_project


def label(asked: Asked) -> str:
    return json.dumps({"label": "words about the law and courts", "predicate": ""})


SCRIPT: Script = by_form(verdicts(lambda claim, text: "law" in text), {LABEL_FORM: label})
pytestmark = pytest.mark.slow
PATIENCE = 240.0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return standing_project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A model that takes its time, so that a run can be caught at work."""
    monkeypatch.setenv("MY_KEY", "sk-made-up")
    with serving(SCRIPT) as scripted:
        scripted.seconds = 0.15
        yield scripted


@pytest.fixture
def slow(server: ScriptedServer) -> list[str]:
    """Flags that name that model."""
    return [
        "--base-url", server.base_url, "--explainer", "my-model", "--api-key-variable", "MY_KEY",
        "--llm-slots", "4", "--windows-per-prompt", "5",
    ]  # fmt: skip


def until(true: Callable[[], Any]) -> Any:
    begun = time.monotonic()
    while not (seen := true()):
        assert time.monotonic() - begun < PATIENCE, "it never came true"
        time.sleep(0.1)
    return seen


def alive_workers(home: Path) -> list[int]:
    """Processes of workers that have begun and not ended."""
    if not (home / "ledger.sqlite").exists():
        return []
    with ledger_of(home) as ledger:
        known = LabellingRunStore(ledger).all()
        return [w.process for w in RunWorkers(ledger, known[0].id).loads()] if known else []


def workers_of(home: Path, state: ItemState) -> set[str]:
    """Workers that have, or had, a feature in this state."""
    with ledger_of(home) as ledger:
        return {i.worker for i in WorkQueue(ledger, latest(home)).items() if i.state is state}


def test_two_workers_do_each_feature_once_and_one_that_is_killed_is_replaced(
    project: list[str], home: Path, server: ScriptedServer, slow: list[str]
) -> None:
    flags = own_ledger(project, home)
    server.seconds = 1.0  # so that one is still at it when the other comes
    command = [sys.executable, "-m", "glossator", "run", "start", "--features", "0-19", "--workers", "2"]
    process = subprocess.Popen(
        [*command, *slow, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until(lambda: len(alive_workers(home)) == 2 and len(workers_of(home, ItemState.LEASED)) == 2)
    os.kill(alive_workers(home)[0], signal.SIGKILL)
    server.seconds = 0.01
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    status = RunStatus.model_validate(json.loads(out.splitlines()[-1]))
    assert status.state is RunState.FINISHED
    with ledger_of(home) as ledger:
        items = list(WorkQueue(ledger, status.run).items())
        assert ledger.counts().cards == status.counts.done
    assert {i.state for i in items} <= {ItemState.DONE, ItemState.SKIPPED}
    assert any(i.attempts > 1 and i.state is ItemState.DONE for i in items)  # what the killed one had
    assert "another takes its place" in err
    happened = kinds(home, status.run)
    assert RunEventKind.WORKER_LOST in happened
    assert happened.count(RunEventKind.FINISHED) == 1


def test_ctrl_c_finishes_what_is_in_work_and_says_how_to_go_on(
    project: list[str], home: Path, slow: list[str]
) -> None:
    flags = own_ledger(project, home)
    command = [sys.executable, "-m", "glossator", "run", "start", "--features", "all", *slow]
    process = subprocess.Popen([*command, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: alive_workers(home))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    identity = latest(home)
    assert process.returncode == 130, err
    assert f"glossator run resume {identity}" in err
    with ledger_of(home) as ledger:
        counts = WorkQueue(ledger, identity).counts()
        assert LabellingRunStore(ledger).state(identity) is RunState.STOPPED
    assert counts.left == counts.planned > 0


def test_a_detached_run_is_begun_when_the_command_returns_and_ends_by_itself(
    project: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = own_ledger(project, home)
    assert run(["run", "start", "--features", "0-9", "--detach", *flags]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert Path(said["log"]).is_file()
    assert kinds(home, said["run"])[0] is RunEventKind.STARTED
    assert run(["run", "watch", *flags]) == 0
    watched = capsys.readouterr().out.splitlines()
    assert "running" in watched[0]
    assert "finished" in watched[-1]
    written = RunStatus.model_validate_json(Path(said["status"]).read_text())
    assert written.state is RunState.FINISHED


def test_workers_whose_coordinator_is_killed_end_in_order(
    project: list[str], home: Path, slow: list[str]
) -> None:
    flags = own_ledger(project, home)
    command = [sys.executable, "-m", "glossator", "run", "start", "--features", "all", "--workers", "2"]
    process = subprocess.Popen(
        [*command, *slow, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    workers = until(lambda: alive_workers(home))
    process.kill()
    process.wait()
    until(lambda: all(is_gone(socket.gethostname(), worker) for worker in workers))
    until(lambda: not alive_workers(home))
    with ledger_of(home) as ledger:
        counts = WorkQueue(ledger, latest(home)).counts()
    assert counts.leased == 0
    assert counts.planned > 0
    assert RunEventKind.WORKER_LOST not in kinds(home, latest(home))
