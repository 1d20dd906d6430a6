"""What a worker notes of outages, in the order in which they began and ended."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from glossator.agents.llm_calls.breaker import OutageNote, OutageStage
from glossator.agents.llm_calls.chat import UnscoredReason
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.records import RunEvent, RunEventKind
from glossator.run_worker import _notes, _tell
from tests.memory.run_fixtures import opened, started_run


def test_an_outage_that_is_over_at_once_ends_after_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = LabellingRunStore.note

    def slow(store: LabellingRunStore, run: str, event: RunEvent) -> None:
        time.sleep(0.2 if event.kind is RunEventKind.OUTAGE_BEGAN else 0.0)
        note(store, run, event)

    with opened(tmp_path) as ledger:
        run, runs, said = started_run(ledger, 1), LabellingRunStore(ledger), list[str]()
        monkeypatch.setattr(LabellingRunStore, "note", slow)
        notes: ThreadPoolExecutor = _notes()
        for stage in (OutageStage.BEGAN, OutageStage.ENDED):
            outage = OutageNote("m", stage, UnscoredReason.SERVER_ERROR, "oops", 0.01)
            _tell(notes, runs, run, "k-1", outage, said.append)
        notes.shutdown()
        kinds = [s.event.kind for s in runs.events(run)][1:]
        assert kinds == [RunEventKind.OUTAGE_BEGAN, RunEventKind.OUTAGE_ENDED]
        assert len(said) == 2
