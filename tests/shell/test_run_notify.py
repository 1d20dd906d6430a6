"""The command of `--notify`: what it is given, and that it never ends a run."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from glossator.cli import run
from glossator.errors import EndpointError
from glossator.records import RunEvent, RunEventKind, StoredRunEvent
from glossator.run_notify import Notice, notices, run_command
from tests.shell.run_fixtures import ScriptedWork, install, kinds, latest, own_ledger, standing_project

NOW = datetime(2026, 11, 28, 22, 0, tzinfo=UTC)


def event(
    seq: int, kind: RunEventKind, seconds_ago: float = 0.0, worker: str = "", model: str = "m"
) -> StoredRunEvent:
    at = (NOW - timedelta(seconds=seconds_ago)).isoformat(timespec="seconds")
    said = RunEvent(kind=kind, words=kind.value, worker=worker, payload={"model": model})
    return StoredRunEvent(seq=seq, at=at, event=said)


def test_an_outage_is_told_once_and_only_when_it_lasts() -> None:
    told: set[int] = set()
    short = [event(1, RunEventKind.OUTAGE_BEGAN, 90), event(2, RunEventKind.OUTAGE_ENDED, 60)]
    assert notices(short, told, NOW) == []
    young = [*short, event(3, RunEventKind.OUTAGE_BEGAN, 30)]
    assert notices(young, told, NOW) == []
    later = NOW + timedelta(seconds=40)
    assert notices(young, told, later) == [Notice("outage", "outage_began")]
    assert notices(young, told, later) == []
    assert notices([*young, event(4, RunEventKind.TROUBLE)], told, later) == [Notice("trouble", "trouble")]


def test_an_outage_of_one_model_is_told_though_another_answers_again() -> None:
    began, ended = RunEventKind.OUTAGE_BEGAN, RunEventKind.OUTAGE_ENDED
    events = [
        event(1, began, 200, "k-1", "m"),
        event(2, began, 100, "k-1", "n"),
        event(3, ended, 90, "k-1", "n"),
    ]
    told: set[int] = set()
    assert notices(events, told, NOW) == [Notice("outage", "outage_began")]
    assert told == {1}


def test_an_outage_that_all_workers_wait_for_is_told_once() -> None:
    began, ended = RunEventKind.OUTAGE_BEGAN, RunEventKind.OUTAGE_ENDED
    events = [event(1, began, 200, "k-1"), event(2, began, 190, "k-2"), event(3, began, 70, "k-3")]
    told: set[int] = set()
    assert len(notices(events, told, NOW)) == 1
    over = [*events, event(4, RunEventKind.WORKER_LOST, 0, "k-1"), event(5, ended, 0, "k-2")]
    assert notices(over, told, NOW + timedelta(seconds=30)) == []  # k-3 waits still
    again = [*over, event(6, ended, 0, "k-3"), event(7, began, 0, "k-2")]
    assert len(notices(again, told, NOW + timedelta(seconds=90))) == 1


def test_a_command_gets_the_environment_and_the_status(tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = {"GLOSSATOR_RUN": "r-1", "GLOSSATOR_WORDS": "$(touch never) '\"; rm"}
    command = f'cat > {out}; printf "%s|%s" "$GLOSSATOR_RUN" "$GLOSSATOR_WORDS" >> {out}'
    assert run_command(command, said, "status") == "ran"
    assert out.read_text() == "statusr-1|$(touch never) '\"; rm"


def test_a_command_that_fails_hangs_or_reads_nothing_is_said_in_words() -> None:
    assert run_command("exit 3", {}, "x" * 1_000_000) == "failed with exit code 3"
    begun = time.monotonic()
    assert run_command("sleep 60 & sleep 60", {}, "", limit=0.3) == "was ended after 0.3 s"
    assert time.monotonic() - begun < 20


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return standing_project(tmp_path_factory.mktemp("project"))


def test_the_end_and_trouble_are_told(
    project: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    work, home, out = ScriptedWork(), tmp_path / "home", tmp_path / "told"
    install(work, monkeypatch)
    flags = own_ledger(project, home)
    hook = f'echo "$GLOSSATOR_EVENT" >> {out}; cat >> {out}; exit 1'

    def fail(feature: int) -> None:
        raise EndpointError("no answer")

    work.before = fail
    assert run(["run", "start", "--features", "0-9", "--notify", hook, *flags]) == 5
    told = out.read_text().splitlines()
    assert told[0] == "trouble"
    assert json.loads(told[1])["run"] == latest(home)
    assert told[2] == "endpoint"
    work.before = lambda _: None
    assert run(["run", "resume", *flags]) == 0
    assert out.read_text().splitlines()[-2] == "finished"
    assert kinds(home, latest(home)).count(RunEventKind.NOTIFIED) == 3
