from __future__ import annotations

import json
from pathlib import Path

import pytest

from glossator.cli import run
from tests.shell.shell_fixtures import tiny_project


def test_build_show_damage_and_repair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = tiny_project(tmp_path)
    assert run(["index", "show", *flags]) == 2
    assert "glossator index build" in capsys.readouterr().err
    assert run(["index", "build", "--json", *flags]) == 0
    built = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert sum(split["tokens"] for split in built["splits"].values()) == 3000
    assert built["live_features"] > 0
    assert run(["index", "show", "--verify", "--json", *flags]) == 0
    assert json.loads(capsys.readouterr().out) == built

    shard = next((Path(built["folder"]) / "shards").iterdir())
    shard.write_bytes(shard.read_bytes()[:-10])
    assert run(["index", "show", "--json", *flags]) == 3
    message = capsys.readouterr().err
    assert shard.name in message
    assert "glossator index build" in message
    assert run(["index", "build", "--json", *flags]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == built
    assert run(["index", "show", "--verify", *flags]) == 0


def test_bad_corpora_exit_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = tiny_project(tmp_path)
    bad = tmp_path / "bad.txt"
    for content, message in ((b"", "empty"), (b"two words", "too small"), (bytes(range(256)) * 40, "binary")):
        bad.write_bytes(content)
        assert run(["index", "build", *flags, "--corpus", str(bad)]) == 2
        assert message in capsys.readouterr().err
    assert run(["index", "build", *flags, "--corpus", str(tmp_path / "none")]) == 2
    assert "no corpus" in capsys.readouterr().err
