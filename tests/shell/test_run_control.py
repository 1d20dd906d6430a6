"""`glossator run pause|resume|stop|retry-failed`: orders to a run that another process may conduct."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from glossator.cli import run
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.work_queue import WorkQueue
from glossator.records import (
    RunEvent,
    RunEventKind,
    RunState,
    RunStatus,
)
from tests.shell.run_fixtures import (
    FEATURES,
    ScriptedWork,
    kinds,
    latest,
    ledger_of,
    lines,
)


def stopping(flags: list[str]) -> Callable[[int], None]:
    """Asks the run to end, whatever the feature."""

    def stop(feature: int) -> None:
        run(["run", "stop", *flags])

    return stop


def test_stopping_ends_it_with_1_and_pausing_lets_it_rest(
    work: ScriptedWork, flags: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[int] = []

    def stop_at_first(feature: int) -> None:
        if not asked:
            asked.append(run(["run", "stop", *flags]))

    work.before = stop_at_first
    assert run(["run", "start", "--features", FEATURES, *flags]) == 1
    assert asked == [0]
    assert "was stopped" in capsys.readouterr().err
    assert run(["run", "stop", *flags]) == 2
    assert run(["run", "pause", *flags]) == 2
    assert "is stopped already" in capsys.readouterr().err
    assert run(["run", "resume", *flags]) == 0
    assert run(["run", "pause", *flags]) == 2
    assert run(["run", "resume", *flags]) == 2
    assert "nothing left to do" in capsys.readouterr().err


def test_failed_features_are_planned_again(
    work: ScriptedWork, flags: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(feature: int) -> None:
        raise RuntimeError("made up")

    work.before = fails
    assert run(["run", "start", "--features", FEATURES, *flags]) == 0
    (said,) = lines(capsys)
    assert said["failures"] == {"RuntimeError: made up": said["counts"]["failed"]}
    assert run(["run", "retry-failed", *flags]) == 0
    assert "0 features" in capsys.readouterr().err
    assert run(["run", "retry-failed", "--all", *flags]) == 0
    assert "run resume" in capsys.readouterr().err
    work.before = lambda _: None
    assert run(["run", "resume", *flags]) == 0
    (said,) = lines(capsys)
    assert said["counts"]["done"] == len(work.did) > 0


def test_one_coordinator_at_a_time(
    work: ScriptedWork, flags: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    def look(feature: int) -> None:
        if not seen:
            assert run(["run", "resume", *flags]) == 0
            seen.append(capsys.readouterr().err)
            assert run(["run", "resume", "--budget", "2usd", *flags]) == 2
            assert "--budget can be changed at a start alone" in capsys.readouterr().err
            assert run(["run", "resume", "--until", "+8h", *flags]) == 0

    work.before = look
    assert run(["run", "start", "--features", FEATURES, *flags]) == 0
    assert "goes on; watch it" in seen[0]
    assert kinds(home, latest(home)).count(RunEventKind.STARTED) == 2
    assert len(set(work.did)) == len(work.did)


def test_a_run_that_is_winding_down_is_not_gone_on_with(
    work: ScriptedWork, flags: list[str], home: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    codes: list[int] = []

    def resume(*_: object) -> list[str]:
        codes.append(run(["run", "resume", *flags]))
        return []

    monkeypatch.setattr("glossator.run_report_files.write_run_report", resume)
    work.before = stopping(flags)
    assert run(["run", "start", "--features", FEATURES, *flags]) == 1
    assert codes == [3]
    assert "then repeat this command" in capsys.readouterr().err
    with ledger_of(home) as ledger:
        assert LabellingRunStore(ledger).state(latest(home)) is RunState.STOPPED


def test_the_limit_is_taken_away_by_a_word_alone(
    work: ScriptedWork, flags: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work.before = stopping(flags)
    assert run(["run", "start", "--features", FEATURES, *flags]) == 1
    identity = latest(home)
    with ledger_of(home) as ledger:
        store = LabellingRunStore(ledger)
        limited = RunEvent(kind=RunEventKind.STARTED, words="", payload={"budget": "9calls"})
        store.note(identity, limited)
        store.note(identity, RunEvent(kind=RunEventKind.STOPPED, words=""))
        capsys.readouterr()
        assert run(["run", "resume", "--budget", "", *flags]) == 2
        assert "such as 2usd" in capsys.readouterr().err
        assert run(["run", "resume", "--budget", "2usd", *flags]) == 2
        assert "needs a model" in capsys.readouterr().err
        assert store.plan(identity).budget == "9calls"
        work.before = lambda _: None
        assert run(["run", "resume", "--budget", "none", *flags]) == 0
        assert store.plan(identity).budget == ""


def test_an_unknown_id_names_those_known(
    work: ScriptedWork, flags: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "start", "--features", "0", *flags]) == 0
    for command in ("status", "watch", "pause", "resume", "stop", "retry-failed"):
        assert run(["run", command, "r-nothing", *flags]) == 2
        assert latest(home) in capsys.readouterr().err


def test_workers_that_died_are_free_again_when_the_run_goes_on(
    work: ScriptedWork, flags: list[str], home: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("glossator.run_watch.moments.__kwdefaults__", {"every": 0.01, "nobody": 0.05})
    import socket
    import subprocess
    import sys

    from glossator.memory.run_workers import RunWorkers

    def stop(feature: int) -> None:
        run(["run", "stop", *flags])

    work.before = stop
    assert run(["run", "start", "--features", FEATURES, *flags]) == 1
    identity = latest(home)
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with ledger_of(home) as ledger:
        worker = RunWorkers(ledger, identity).begin(socket.gethostname(), process.pid)
        assert WorkQueue(ledger, identity).claim(worker, 2)
        LabellingRunStore(ledger).note(identity, RunEvent(kind=RunEventKind.STOPPED, words=""))
        capsys.readouterr()
        assert run(["run", "status", *flags]) == 0
        assert "nobody is at" not in capsys.readouterr().err
        LabellingRunStore(ledger).note(identity, RunEvent(kind=RunEventKind.STARTED, words=""))
    for command in ("status", "watch"):
        assert run(["run", command, *flags]) == 0
        assert f"nobody is at {identity}: go on with glossator run resume" in capsys.readouterr().err
    work.before = lambda _: None
    assert run(["run", "resume", *flags]) == 0
    assert RunEventKind.WORKER_LOST in kinds(home, identity)
    assert RunStatus.model_validate(lines(capsys)[-1]).counts.left == 0
