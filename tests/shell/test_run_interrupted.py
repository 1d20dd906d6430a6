"""A run whose process is asked to end twice: it ends at once, stands right, and goes on with the rest."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from glossator.cli import run
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.work_queue import WorkQueue
from glossator.records import RunCounts, RunState, RunStatus
from tests.llm_wire.scripted_server import serving
from tests.shell.run_fixtures import latest, ledger_of, own_ledger, standing_project
from tests.shell.test_run_processes import SCRIPT

pytestmark = pytest.mark.slow
PATIENCE = 240.0
FOR_EVER = 900.0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return standing_project(tmp_path_factory.mktemp("project"))


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.1)


def counts(home: Path) -> RunCounts:
    if not (home / "ledger.sqlite").exists():
        return RunCounts()
    with ledger_of(home) as ledger:
        known = LabellingRunStore(ledger).all()
        return WorkQueue(ledger, known[0].id).counts() if known else RunCounts()


def test_asked_twice_it_ends_at_once_and_resume_does_the_rest(
    project: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MY_KEY", "sk-made-up")
    home, said = tmp_path / "home", tmp_path / "said"
    flags = own_ledger(project, home)
    with serving(SCRIPT) as server:
        model = [
            "--base-url", server.base_url, "--explainer", "my-model", "--api-key-variable", "MY_KEY",
            "--llm-slots", "4", "--windows-per-prompt", "5",
        ]  # fmt: skip
        server.seconds = 0.03
        start = [sys.executable, "-m", "glossator", "run", "start", "--features", "0-25"]
        with said.open("w") as stderr:
            process = subprocess.Popen([*start, *model, *flags], stderr=stderr)
        until(lambda: counts(home).done > 0)
        server.seconds = FOR_EVER
        process.send_signal(signal.SIGINT)
        until(lambda: "finishing what is in work" in said.read_text())
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.0)  # what is in work waits for an answer, and the process for that
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130, said.read_text()
        identity, left = latest(home), counts(home)
        with ledger_of(home) as ledger:
            assert LabellingRunStore(ledger).state(identity) is RunState.STOPPED
        assert f"glossator run resume {identity}" in said.read_text()
        assert "Traceback" not in said.read_text()
        assert left.leased == 0
        assert left.planned > 0

        server.seconds = 0.0
        capfd.readouterr()
        assert run(["run", "resume", *flags]) == 0
    status = RunStatus.model_validate(json.loads(capfd.readouterr().out.splitlines()[-1]))
    assert status.state is RunState.FINISHED
    assert status.counts.done == left.done + left.planned
    with ledger_of(home) as ledger:
        assert ledger.counts().cards == status.counts.done
