"""A project whose index stands, and a work on features that asks nobody and takes no time."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glossator import run_launch
from glossator.agents.run_work.item_work import WorkLoad
from glossator.agents.run_work.worker import RunWorker, WorkerTimes
from glossator.cli import run
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import Amount
from glossator.memory.work_queue import Ended, Lease
from glossator.records import ItemState, RunEventKind
from glossator.run_placement import WorkerOutcome
from glossator.settings import Settings
from tests.shell.shell_fixtures import FakeLabeller, tiny_project

FEATURES = "0-9"
"""A selection of the tiny project, some of which can be labelled."""
QUICK = WorkerTimes(beat=0.2, look=0.05, tick=0.02)


class ScriptedWork:
    """An `ItemWork` that labels a feature by its number; does what a test puts in."""

    def __init__(self, identity: str = "x") -> None:
        self.did: list[int] = []
        self.before: Callable[[int], None] = lambda feature: None
        """Called before each feature; may raise what ends it."""
        self.calls = 0
        self._identity = identity

    def wanted(self, in_work: int) -> int:
        return max(0, 2 - in_work)

    async def do(self, lease: Lease, variant: int) -> Ended:
        self.before(lease.feature.index)
        await asyncio.sleep(0.001)
        made = FakeLabeller().one(self._identity, lease.feature)
        self.did.append(lease.feature.index)
        return Ended(
            lease, ItemState.DONE, card=made.card, evidence=made.evidence, variant=variant,
            verdict=made.card.verdict.kind.value, value=0.75,
        )  # fmt: skip

    def spent(self) -> Amount:
        return Amount(calls=self.calls)

    def load(self) -> WorkLoad:
        return WorkLoad(slots=4, in_flight=2, busy_share=0.5)

    async def close(self) -> None:
        return


def install(work: ScriptedWork, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `glossator run` work by `work` in this process."""

    def work_here(run: str, settings: Settings, stop: threading.Event) -> WorkerOutcome:
        with Ledger.open(settings.home / "ledger.sqlite") as ledger:
            worker = RunWorker(LabellingRunStore(ledger), run, work, times=QUICK, stop=stop)
            ended = asyncio.run(worker.work())
        return WorkerOutcome(ended.why, ended.words)

    monkeypatch.setattr(run_launch, "work_here", work_here)


def standing_project(folder: Path) -> list[str]:
    """A tiny project with an index; returns the flags that name it."""
    flags = tiny_project(folder)
    assert run(["index", "build", *flags]) == 0
    return flags


def own_ledger(flags: list[str], home: Path) -> list[str]:
    """The same project, with a home of its own whose index is the project's."""
    standing = Path(flags[flags.index("--home") + 1])
    home.mkdir()
    (home / "indexes").symlink_to(standing / "indexes")
    return [*flags, "--home", str(home)]


def ledger_of(home: Path) -> Ledger:
    return Ledger.open(home / "ledger.sqlite")


def latest(home: Path) -> str:
    with ledger_of(home) as ledger:
        return LabellingRunStore(ledger).all()[0].id


def kinds(home: Path, identity: str) -> list[RunEventKind]:
    with ledger_of(home) as ledger:
        return [stored.event.kind for stored in LabellingRunStore(ledger).events(identity)]


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The JSON lines that a command printed."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]
