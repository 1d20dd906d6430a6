"""The command of `--notify`: run at the end of a labelling run and on trouble, and never able to end it.

It gets `GLOSSATOR_RUN`, `GLOSSATOR_EVENT` and `GLOSSATOR_WORDS` in its environment and the run's status as
JSON on its standard input. The words come from models, endpoints and the system: quote them.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple

from glossator.errors import StorageError
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.records import RunEvent, RunEventKind, RunStatus, StoredRunEvent
from glossator.run_status import ends_outage

TIME_LIMIT = 30.0
"""Seconds after which the command is ended."""
OUTAGE_SECONDS = 60.0
"""An outage is told when it lasts longer."""
_WORTH_TELLING = (RunEventKind.TROUBLE,)
"""That the budget is spent or the time is up is told at the end, which follows."""


class Notice(NamedTuple):
    """Something that the person wants to know."""

    event: str
    words: str


class Notifier:
    """Runs the command, one notice after the other, beside whatever else goes on. Close it at the end."""

    def __init__(self, store: LabellingRunStore, run: str, command: str) -> None:
        self._store, self._run, self._command = store, run, command
        self._running = ThreadPoolExecutor(1, thread_name_prefix="glossator-notify")
        self._sent: list[Future[None]] = []

    def send(self, notice: Notice, status: RunStatus) -> None:
        """Run the command for `notice`, soon; nothing without a command."""
        if self._command:
            self._sent.append(self._running.submit(self._send, notice, status.model_dump_json() + "\n"))

    def close(self) -> None:
        """Wait for what was sent."""
        self._running.shutdown(wait=True)

    def _send(self, notice: Notice, status: str) -> None:
        said = {"GLOSSATOR_RUN": self._run, "GLOSSATOR_EVENT": notice.event, "GLOSSATOR_WORDS": notice.words}
        outcome = run_command(self._command, said, status)
        words = f"notified of {notice.event!r}: the command {outcome}"
        try:
            self._store.note(self._run, RunEvent(kind=RunEventKind.NOTIFIED, words=words))
        except StorageError:
            return  # the trouble that it was told of may be this one


def run_command(command: str, environment: dict[str, str], text: str, limit: float = TIME_LIMIT) -> str:
    """Run `command` in a shell with `text` on its standard input; returns how it ended, in words."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GLOSSATOR_")}
    clean = {k: v.replace("\0", " ") for k, v in environment.items()}
    try:
        process = subprocess.Popen(
            command, shell=True, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            text=True, env=kept | clean, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        return f"could not be run: {error.strerror or error}"
    try:
        process.communicate(text, timeout=limit)
    except subprocess.TimeoutExpired:
        _end_group(process)
        return f"was ended after {limit:g} s"
    except OSError:
        process.wait()
    return "ran" if process.returncode == 0 else f"failed with exit code {process.returncode}"


def notices(events: Sequence[StoredRunEvent], told: set[int], now: datetime) -> list[Notice]:
    """What to tell of `events` that is not in `told` yet, which learns it.

    An endpoint that does not answer is told of once, however many workers wait for it.
    """
    found: list[Notice] = []
    waited_for: set[str] = set()
    for place, stored in enumerate(events):
        event, known = stored.event, stored.seq in told
        if event.kind in _WORTH_TELLING and not known:
            found.append(Notice(event.kind.value, event.words))
            told.add(stored.seq)
        age = (now - datetime.fromisoformat(stored.at)).total_seconds()
        if event.kind is RunEventKind.OUTAGE_BEGAN and (known or age > OUTAGE_SECONDS):
            if any(ends_outage(later.event, event) for later in events[place + 1 :]):
                continue
            model = str(event.payload.get("model"))
            if not known and model not in waited_for:
                found.append(Notice("outage", event.words))
            waited_for.add(model)
            told.add(stored.seq)
    return found


def _end_group(process: subprocess.Popen[str]) -> None:
    """End the shell and what it started."""
    import signal

    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
