"""Two ledgers on one file in one process: a third process that comes and goes takes nothing away."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from glossator.memory.ledger import Ledger
from glossator.memory.open_databases import is_open_here

COME_AND_GO = "import sys; from glossator.memory.ledger import Ledger; Ledger.open(sys.argv[1]).close()"


def come_and_go(file: Path) -> None:
    subprocess.run([sys.executable, "-c", COME_AND_GO, str(file)], check=True)


def test_what_is_written_after_another_process_left_is_there_for_the_next(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    with Ledger.open(file) as first, Ledger.open(file) as second:
        first.start_run("one", {})
        second.start_run("two", {})
        come_and_go(file)
        wal = file.with_name(file.name + "-wal")
        assert wal.exists()  # else the two write to a file that nobody can find
        first.start_run("three", {})
        come_and_go(file)
        second.start_run("four", {})
        assert first.counts().runs == 4
    with Ledger.open(file) as again:
        assert again.counts().runs == 4


def test_a_file_is_open_until_the_last_ledger_is_closed(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    assert not is_open_here(file)
    with Ledger.open(file):
        with Ledger.open(file):
            assert is_open_here(file)
        assert is_open_here(file)
        (tmp_path / "other").symlink_to(file)
        assert is_open_here(tmp_path / "other")
    assert not is_open_here(file)
