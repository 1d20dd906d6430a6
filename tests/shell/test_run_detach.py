"""A run sent to the background: the command returns when it is begun, or with what the process said."""

from __future__ import annotations

import stat
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from glossator import run_launch
from glossator.errors import BusyError, GlossatorError, SettingsError
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.run_folder import RunFolder
from glossator.run_launch import conduct_run, detach
from glossator.session import Session
from glossator.settings import Settings
from tests.memory.run_fixtures import started_run

Fake = Callable[[str], None]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Session(Settings.model_validate({"home": tmp_path / "home"})) as opened:
        yield opened


@pytest.fixture
def run(session: Session) -> str:
    return started_run(session.ledger(), 2)


@pytest.fixture
def conducts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Have the process that conducts be a shell script."""

    def by(script: str) -> None:
        file = tmp_path / "python"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(run_launch.sys, "executable", str(file))

    return by


NOTING = (
    "import sys; from glossator.memory.ledger import Ledger; from glossator.records import RunEvent; "
    "from glossator.memory.labelling_runs import LabellingRunStore as S; "
    "S(Ledger.open(sys.argv[1])).note(sys.argv[2], RunEvent(kind='started', words=''))"
)


def test_it_returns_when_the_run_is_begun(session: Session, run: str, conducts: Fake) -> None:
    ledger, done = session.settings.home / "ledger.sqlite", session.settings.home / "done"
    note = f'"{sys.executable}" -c "{NOTING}" "{ledger}" {run}'
    conducts(f'cat > /dev/null; sleep 0.3; touch "{done}"; {note}; exec sleep 2')
    folder = detach(session, run, {})
    assert done.is_file()
    assert folder.log.read_text() == ""


def test_what_ended_it_at_once_is_said_with_its_exit_code(session: Session, run: str, conducts: Fake) -> None:
    conducts("echo 'glossator: made up before' >&2; exit 2")
    with pytest.raises(GlossatorError):
        detach(session, run, {})
    conducts("echo 'a warning' >&2; echo 'glossator: no cluster answers' >&2; echo 'there' >&2; exit 5")
    with pytest.raises(GlossatorError, match=r"^no cluster answers\nthere$") as caught:
        detach(session, run, {})
    assert caught.value.exit_code == 5


def test_a_process_that_dies_is_told_with_its_last_words(session: Session, run: str, conducts: Fake) -> None:
    conducts("echo 'Traceback' >&2; echo 'KeyError: 3' >&2; exit 1")
    with pytest.raises(
        GlossatorError, match=r"ended at once \(exit code 1\): Traceback / KeyError: 3"
    ) as caught:
        detach(session, run, {})
    assert caught.value.exit_code == 1
    conducts("kill -9 $$")
    with pytest.raises(GlossatorError, match=r"ended at once \(signal 9\): it said nothing") as caught:
        detach(session, run, {})
    assert caught.value.exit_code == 3


def test_one_that_takes_long_is_left_to_itself(
    session: Session, run: str, conducts: Fake, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(run_launch, "_BEGIN_SECONDS", 0.2)
    conducts("exec sleep 1")
    folder = detach(session, run, {})
    assert "has not begun yet" in capsys.readouterr().err
    with folder.held(run), pytest.raises(BusyError):
        detach(session, run, {})


def test_a_run_is_held_before_a_cluster_is_joined_and_begun_after(
    session: Session, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, store = RunFolder.of(session.settings.home, run), LabellingRunStore(session.ledger())
    before = store.events(run)

    @contextmanager
    def joining(ray: str | None, session: Session) -> Generator[None]:
        assert ray == "auto"
        assert folder.is_held()
        raise SettingsError("made up: no cluster answers")
        yield

    monkeypatch.setattr(run_launch, "placement_on", joining)
    with pytest.raises(SettingsError, match="no cluster answers"):
        conduct_run(session, run, {}, ray="auto")
    assert store.events(run) == before
    assert not folder.is_held()


def test_a_look_at_the_lock_keeps_nobody_from_conducting(
    session: Session, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder.of(session.settings.home, run)
    looked = threading.Event()

    def look() -> None:
        with folder.held(run):  # as long as a look takes on a busy machine
            looked.set()
            time.sleep(0.05)

    thread = threading.Thread(target=look)
    thread.start()
    looked.wait()
    with folder.held(run):
        thread.join()
        assert folder.is_held()
    assert not folder.is_held()
