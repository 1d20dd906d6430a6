"""Where the workers of a labelling run live: here, as processes of this machine, or wherever Ray puts them.

A coordinator knows no more of them than `Placement` says.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, NamedTuple, Protocol, runtime_checkable

from glossator.agents.llm_calls.redaction import without_secrets
from glossator.agents.run_work.worker_end import WhyEnded
from glossator.errors import GlossatorError
from glossator.run_settings import settings_text
from glossator.settings import Settings

WorkHere = Callable[[str, Settings, threading.Event], "WorkerOutcome"]
"""Works on a run in the calling thread, until there is a reason to end or the event is set."""


class WorkerOutcome(NamedTuple):
    """How a worker ended."""

    why: WhyEnded | None
    """None for one that died, or failed with an error that nobody expected."""
    words: str = ""


@runtime_checkable
class Placement(Protocol):
    """Starts workers of a run, and says what became of them."""

    def start(self, run: str, workers: int) -> None:
        """Start so many more."""
        ...

    def poll(self) -> list[WorkerOutcome]:
        """Those that ended since this was asked last."""
        ...

    def running(self) -> int:
        """How many have not ended."""
        ...

    def stop(self) -> None:
        """Ask all of them to finish what they are at, and to begin nothing."""
        ...

    def kill(self) -> None:
        """End all of them at once."""
        ...


class InThisProcess:
    """One worker in a thread of this process. It cannot be killed but with the process."""

    def __init__(self, settings: Settings, work: WorkHere) -> None:
        self._settings, self._work = settings, work
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._outcome: WorkerOutcome | None = None

    def start(self, run: str, workers: int) -> None:
        """Start the worker, whatever `workers` says."""
        self._outcome = None
        self._thread = threading.Thread(target=self._run, args=(run,), name="glossator-worker", daemon=True)
        self._thread.start()

    def poll(self) -> list[WorkerOutcome]:
        """Its outcome, once."""
        if self._thread is None or self._thread.is_alive():
            return []
        self._thread = None
        return [self._outcome or WorkerOutcome(None, "the worker's thread died")]

    def running(self) -> int:
        """1 while its outcome was not asked for."""
        return int(self._thread is not None)

    def stop(self) -> None:
        """Ask it to finish."""
        self._stop.set()

    def kill(self) -> None:
        """It ends with this process."""
        self._stop.set()

    def _run(self, run: str) -> None:
        try:
            self._outcome = self._work(run, self._settings, self._stop)
        except GlossatorError as error:
            self._outcome = WorkerOutcome(ended_by(error), str(error))
        except Exception as error:  # noqa: BLE001 whatever it was, the run says so and goes on
            words = without_secrets(f"{type(error).__name__}: {error}", os.environ)
            self._outcome = WorkerOutcome(None, words)


class LocalProcesses:
    """Workers as processes of this machine, in sessions of their own.

    Each is given its settings on its standard input, which stays open: a worker whose coordinator is gone
    sees it closed and ends in order.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, run: str, workers: int) -> None:
        """Start `workers` processes."""
        for _ in range(workers):
            process = subprocess.Popen(
                [sys.executable, "-m", "glossator", "run", "work", run],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
            )  # fmt: skip
            self._processes.append(process)
            _tell(process.stdin, settings_text(self._settings) + "\n")

    def poll(self) -> list[WorkerOutcome]:
        """Those that ended."""
        ended = [p for p in self._processes if p.poll() is not None]
        self._processes = [p for p in self._processes if p not in ended]
        return [_outcome(process) for process in ended]

    def running(self) -> int:
        """Processes whose end was not asked for."""
        return len(self._processes)

    def stop(self) -> None:
        """Close what they wait on."""
        for process in self._processes:
            if process.stdin is not None and not process.stdin.closed:
                _tell(process.stdin, "", close=True)

    def kill(self) -> None:
        """Kill them; what they were at is free again."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()


def ended_by(error: GlossatorError) -> WhyEnded | None:
    """Why a worker ended that could not even begin."""
    from glossator.errors import BudgetError, BudgetSpent, EndpointError, StorageError, UserError

    reasons: tuple[tuple[type[GlossatorError], WhyEnded], ...] = (
        (EndpointError, WhyEnded.ENDPOINT),
        (BudgetError, WhyEnded.MODEL),
        (BudgetSpent, WhyEnded.BUDGET_SPENT),
        (StorageError, WhyEnded.STORAGE),
        (UserError, WhyEnded.MODEL),
    )
    return next((why for kind, why in reasons if isinstance(error, kind)), None)


def outcome_line(outcome: WorkerOutcome) -> str:
    """What a worker process prints at its end."""
    why = None if outcome.why is None else outcome.why.value
    return json.dumps({"why": why, "words": outcome.words})


def _outcome(process: subprocess.Popen[str]) -> WorkerOutcome:
    said = process.stdout.read() if process.stdout is not None else ""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            _close(stream)
    try:
        last = json.loads(said.strip().splitlines()[-1])
        return WorkerOutcome(None if last["why"] is None else WhyEnded(last["why"]), str(last["words"]))
    except (IndexError, ValueError, KeyError, TypeError):
        return WorkerOutcome(None, f"its process {process.pid} died (exit code {process.returncode})")


def _tell(stream: IO[str] | None, text: str, *, close: bool = False) -> None:
    """A process that has died already is noticed when it is polled."""
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        return
    if close:
        _close(stream)


def _close(stream: IO[str]) -> None:
    try:
        stream.close()
    except OSError:
        return
