"""A run whose findings index is a Chroma server: the coordinator brings it up to the ledger at the end."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from glossator.cli import run
from glossator.errors import StorageError
from glossator.memory.findings_index import server_answers
from tests.shell.run_fixtures import ScriptedWork, install, own_ledger, standing_project

pytestmark = pytest.mark.slow


def wait_for(url: str) -> None:
    """Until the server at `url` answers; it loads much first."""
    until = time.monotonic() + 200.0
    while True:
        try:
            return server_answers(url)
        except StorageError:
            assert time.monotonic() < until, "the server did not come up"
            time.sleep(0.1)


@pytest.fixture
def chroma(tmp_path: Path) -> Iterator[str]:
    """URL of a server of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(sys.executable).with_name("chroma")
    command = [program, "run", "--host", "127.0.0.1", "--port", str(port), "--path", tmp_path / "served"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url)
        yield url
    finally:
        server.kill()
        server.wait()


def test_a_run_ends_with_its_labels_on_the_server(
    tmp_path: Path, chroma: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    flags = [*own_ledger(standing_project(tmp_path / "project"), home), "--chroma-url", chroma]
    work = ScriptedWork()
    install(work, monkeypatch)
    assert run(["run", "start", "--features", "0-9", *flags]) == 0
    assert work.did
    labelled = next(feature for feature in work.did if feature % 5 != 4)  # every fifth abstains
    assert not list(tmp_path.rglob("findings"))  # nothing embedded beside the server
    capsys.readouterr()
    assert run(["search", f"the word number{labelled} in legal language", *flags]) == 0
    assert f"number{labelled} " in capsys.readouterr().out
