"""What a run leaves on disk when power fails, the disk is full, the server is away or the clock is set."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from glossator.errors import BusyError, StorageError
from glossator.memory import ledger_engine
from glossator.memory.labelling_runs import LabellingRunStore, lock_run
from glossator.memory.ledger import Ledger
from glossator.memory.run_figures import ended_since
from glossator.memory.run_workers import Amount, RunWorkers
from glossator.memory.work_queue import Ended, WorkQueue
from glossator.records import ItemState, RunEvent, RunEventKind
from tests.memory.postgres_server import PostgresServer
from tests.memory.run_fixtures import opened, started_run
from tests.memory.test_ledger import card

ROOT = Path(__file__).resolve().parents[2]
WRITER = """
import sys
from sqlalchemy import event
from glossator.memory.ledger import Ledger
from glossator.memory.run_workers import RunWorkers
from glossator.memory.work_queue import Ended, WorkQueue
from glossator.records import ItemState
from tests.memory.test_ledger import card
place, run, checkpoint = sys.argv[1:]
ledger = Ledger.open(place)
if not int(checkpoint):
    event.listen(ledger._engine, "connect", lambda c, _: c.execute("PRAGMA wal_autocheckpoint = 0"))
    ledger._engine.dispose()
queue, worker = WorkQueue(ledger, run), RunWorkers(ledger, run).begin("here", 1)
while leases := queue.claim(worker, 3):
    queue.end([Ended(lease, ItemState.DONE, *card(lease.feature.index)) for lease in leases])
    print(leases[-1].number, flush=True)
"""


@contextmanager
def writing(place: Path, run: str, *, checkpoint: bool) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", WRITER, str(place), run, str(int(checkpoint))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    try:
        written(process, 1)
        yield process
    finally:
        process.kill()
        process.wait()


def written(process: subprocess.Popen[str], batches: int) -> None:
    """Wait until so many more were written."""
    assert process.stdout is not None
    for _ in range(batches):
        assert process.stdout.readline(), "it has ended"


def snapshot(process: subprocess.Popen[str], place: Path, to: Path) -> Path:
    """The ledger's files as they stand in one moment, without what is shared in memory."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    to.mkdir()
    for ending in ("", "-wal"):
        if Path(f"{place}{ending}").exists():
            shutil.copy(f"{place}{ending}", to / f"l.sqlite{ending}")
    process.send_signal(signal.SIGCONT)
    return to / "l.sqlite"


def sound(place: Path, run: str) -> int:
    """Check the ledger: whatever is done is whole; returns how much is done."""
    with Ledger.open(place) as ledger:
        ledger.check()
        done = [item for item in WorkQueue(ledger, run).items() if item.state is ItemState.DONE]
        for item in done:
            stored = ledger.latest_card(item.feature)
            assert stored is not None
            assert stored == card(item.feature.index)[0]
            assert ledger.evidence(stored.evidence[0]) is not None
        assert len(ledger.items_done("w-full")) == len(done) == ledger.counts().cards
        RunWorkers(ledger, run).reap(lambda host, process: True)
        assert WorkQueue(ledger, run).counts().leased == 0
    return len(done)


@pytest.mark.slow
def test_a_ledger_copied_at_any_moment_is_sound(tmp_path: Path) -> None:
    place, chance = tmp_path / "l.sqlite", random.Random(1)
    with Ledger.open(place) as ledger:
        run = started_run(ledger, 2000)
    with writing(place, run, checkpoint=True) as process:
        copies: list[Path] = []
        for number in range(5):
            written(process, chance.randint(5, 60))
            time.sleep(chance.uniform(0.0, 0.05))  # anywhere in what it writes next
            copies.append(snapshot(process, place, tmp_path / str(number)))
    done = [sound(copy, run) for copy in copies]
    assert done == sorted(done)
    assert done[-1] > done[0] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "tail", [b"", bytes(5000), random.Random(3).randbytes(5000)], ids=["cut", "zeros", "rubbish"]
)
def test_a_torn_end_of_the_log_costs_whole_features_alone(tmp_path: Path, tail: bytes) -> None:
    place, chance = tmp_path / "l.sqlite", random.Random(2)
    with Ledger.open(place) as ledger:
        run = started_run(ledger, 600)
    with writing(place, run, checkpoint=False) as process:
        written(process, 60)
        whole = snapshot(process, place, tmp_path / "whole")
    log = Path(f"{whole}-wal").read_bytes()
    assert len(log) > 50_000
    done: list[int] = []
    for number, length in enumerate(sorted(chance.randrange(33, len(log)) for _ in range(6))):
        (tmp_path / str(number)).mkdir()
        torn = tmp_path / str(number) / "l.sqlite"
        shutil.copy(whole, torn)
        Path(f"{torn}-wal").write_bytes(log[:length] + tail)
        done.append(sound(torn, run))
    assert done == sorted(done)
    assert done[-1] > 0


@contextmanager
def no_room(*files: Path) -> Generator[None]:
    """None of these files can grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(f.stat().st_size for f in files), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_nothing_half_written_and_is_gone_on_from(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        run = started_run(ledger, 5)
        queue, workers = WorkQueue(ledger, run), RunWorkers(ledger, run)
        worker = workers.begin("here", 1)
        first, second = queue.claim(worker, 2)
        assert queue.end([Ended(first, ItemState.DONE, *card(0))]) == [True]
        ended = Ended(second, ItemState.DONE, *card(1))
        before = (queue.counts(), ledger.counts(), workers.spending())
        log = tmp_path / "ledger.sqlite-wal"
        with no_room(log):
            for write in (
                lambda: queue.end([ended]),
                lambda: queue.claim(worker, 2),
                lambda: workers.beat(worker, Amount(calls=7)),
                lambda: workers.end(worker, Amount(calls=7)),
            ):
                with pytest.raises(StorageError):
                    write()
            assert (queue.counts(), ledger.counts(), workers.spending()) == before
        workers.beat(worker, Amount(calls=7))
        assert queue.end([ended]) == [True]
        assert (queue.counts().done, workers.spending().calls) == (2, 7)
        ledger.check()


def test_a_server_that_was_away_is_gone_on_with(postgres: PostgresServer) -> None:
    with Ledger.open(postgres.new_database()) as ledger:
        run = started_run(ledger, 3)
        queue, workers = WorkQueue(ledger, run), RunWorkers(ledger, run)
        worker = workers.begin("here", 1)
        (lease,) = queue.claim(worker, 1)
        ended = Ended(lease, ItemState.DONE, *card(0))
        postgres.stop()
        try:
            for write in (lambda: queue.end([ended]), lambda: workers.beat(worker, Amount())):
                with pytest.raises(StorageError, match="does not answer"):
                    write()
        finally:
            postgres.start()
        assert queue.end([ended]) == [True]
        assert workers.reap() == []
        assert len(ledger.items_done("w-full")) == 1


def test_a_lock_whose_holder_was_halted_is_not_waited_for_without_end(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_engine, "BUSY_SECONDS", 1)
    with Ledger.open(postgres.new_database()) as ledger:
        run, store = started_run(ledger, 3), LabellingRunStore(ledger)
        with ledger.writing() as halted:
            lock_run(halted, run)
            with pytest.raises(BusyError, match="lock timeout"):
                store.note_once(run, RunEvent(kind=RunEventKind.FINISHED, words="done"))
        assert store.note_once(run, RunEvent(kind=RunEventKind.FINISHED, words="done"))


def test_what_a_server_refuses_is_said_without_its_password(postgres: PostgresServer) -> None:
    place = make_url(postgres.new_database())
    for wrong, said in (
        (place.set(database="not_there"), "not_there"),
        (place.set(host="127.0.0.1", port=1, password="secret", query={}), "does not answer"),
    ):
        with pytest.raises(StorageError, match=said) as refused:
            Ledger.open(wrong.render_as_string(hide_password=False))
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_that_is_set_moves_no_lease(
    any_ledger: Ledger, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    run = started_run(any_ledger, 4)
    queue, workers = WorkQueue(any_ledger, run), RunWorkers(any_ledger, run)
    worker = workers.begin("here", 1, seconds=30.0)
    first, second = queue.claim(worker, 2)
    assert queue.end([Ended(first, ItemState.DONE, *card(0))]) == [True]
    true_time = time.time
    monkeypatch.setattr(time, "time", lambda: true_time() + 86400.0 * days)
    assert workers.reap() == []
    workers.beat(worker, Amount(calls=1), seconds=30.0)
    assert queue.end([Ended(second, ItemState.DONE, *card(1))]) == [True]
    assert len(queue.claim(worker, 5)) == 2
    # By the clock as it is now, one feature has ended within the last minute.
    assert ended_since(any_ledger, run, int(time.time() * 1000) - 60_000) == 1
