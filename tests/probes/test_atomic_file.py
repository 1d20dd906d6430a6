from __future__ import annotations

from pathlib import Path

import pytest

from glossator.probes.atomic_file import written_atomically


def test_of_two_writers_each_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    with written_atomically(path) as slow:
        slow.write(b"the slow ")
        with written_atomically(path) as quick:
            quick.write(b"quick")
        assert path.read_bytes() == b"quick"
        slow.write(b"one")
    assert path.read_bytes() == b"the slow one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_fails_leaves_nothing_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    path.write_bytes(b"before")

    def interrupted() -> None:
        with written_atomically(path) as stream:
            stream.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
