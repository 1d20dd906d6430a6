"""Conducts one labelling run on this machine: workers, status file, notices, and the report at the end.

It does no labelling itself, and nothing depends on it but comfort: workers lease from the ledger, so one
that is killed with all its workers loses nothing, and the next coordinator goes on.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from glossator.agents.run_work.worker_end import WhyEnded
from glossator.commands.result_output import note_if_heard
from glossator.errors import BudgetSpent, EndpointError, GlossatorError, StorageError, UserError
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.run_liveness import living_workers
from glossator.memory.run_workers import RunWorkers
from glossator.memory.work_queue import WorkQueue
from glossator.records import RunEvent, RunEventKind, RunState, RunStatus
from glossator.run_folder import RunFolder
from glossator.run_notify import Notice, Notifier, notices
from glossator.run_placement import Placement, WorkerOutcome, ended_by
from glossator.run_status import is_gone, run_status
from glossator.session import Session

T = TypeVar("T")
STATUS_SECONDS = 2.0
"""Between two writings of the status file."""
MOST_RESTARTS = 5
"""Workers in place of ones that died, in one go of a coordinator without a feature ended between."""
_ONES_OWN = (WhyEnded.LOST, WhyEnded.STORAGE, None)
"""Ends that say something of that worker alone: another may fare better."""


class Interruption:
    """How often somebody asked this process to end: once to finish what is in work, twice for at once."""

    def __init__(self) -> None:
        self.times = 0
        self.is_felt = False
        """Whether whatever goes on is left at once, by a `KeyboardInterrupt`."""

    def ask(self, *_: object) -> None:
        """Count one more; also as a handler of signals."""
        self.times += 1
        if self.is_felt:
            raise KeyboardInterrupt


class Conducted(NamedTuple):
    """How a run stands when its coordinator leaves it."""

    status: RunStatus
    interrupted: bool
    outcomes: tuple[WorkerOutcome, ...]
    """Of the workers, in the order in which they ended."""


@dataclass
class Coordinator:
    """Conducts a run from its workers' start until the last has ended; call `conduct` once."""

    session: Session
    run: str
    placement: Placement
    workers: int
    interruption: Interruption = field(default_factory=Interruption)
    report: Callable[[Session, str, RunFolder], Sequence[str]] = lambda session, run, folder: ()
    """Writes the report; returns what to say of it."""
    say: Callable[[str], None] = note_if_heard
    status_seconds: float = STATUS_SECONDS
    restart_seconds: float = 1.0
    """Before a worker takes the place of one that died; twice as long each time."""

    def __post_init__(self) -> None:
        settings, ledger = self.session.settings, self.session.ledger()
        self._ledger, self._store = ledger, LabellingRunStore(ledger)
        self._folder = RunFolder.of(settings.home, self.run)
        self._queue, self._members = WorkQueue(ledger, self.run), RunWorkers(ledger, self.run)
        plan = self._store.plan(self.run)
        self._notifier = Notifier(self._store, self.run, plan.notify)
        self._told = {stored.seq for stored in self._store.events(self.run)}
        self._outcomes: list[WorkerOutcome] = []
        self._restarts, self._restart_at, self._ended = 0, 0.0, 0
        self._owed = 0
        self._status_at = 0.0
        self._warned: set[str] = set()

    def conduct(self) -> Conducted:
        """Work until nothing is left, or a reason to end; the run's lock must be held."""
        self._patiently(lambda: self._members.reap(is_gone))
        stopping = False
        self._start(self.workers)
        try:
            while self.placement.running() or self._owed:
                if self.interruption.times and not stopping:
                    stopping, self._owed = True, 0
                    self.say("finishing what is in work; once more (Ctrl-C) ends at once")
                    self.placement.stop()
                if self.interruption.times > 1:
                    self.placement.kill()
                    break
                self._look(stopping=stopping)
                time.sleep(0.1)
        finally:
            self._note_ends(stopping=True)
        return self._leave(stopping=stopping)

    def _look(self, *, stopping: bool) -> None:
        self._note_ends(stopping=stopping)
        now = time.monotonic()
        if self._owed and now >= self._restart_at:
            self._patiently(lambda: self._members.reap(is_gone))
            owed, self._owed = self._owed, 0
            self._start(owed)
        if now - self._status_at >= self.status_seconds:
            self._patiently(self._tell)
            # Summing up 10^6 features takes a second or more: it must not be all that the ledger does.
            self._status_at = now + 9 * (time.monotonic() - now)

    def _start(self, workers: int) -> None:
        """Start so many more; what keeps them from starting is how they ended."""
        before = self.placement.running()
        try:
            self.placement.start(self.run, workers)
        except (GlossatorError, OSError) as error:
            why = ended_by(error) if isinstance(error, GlossatorError) else None
            outcome = WorkerOutcome(why, f"no worker could be started: {error}")
            self._outcomes.append(outcome)
            if why in _ONES_OWN:
                self._replace(outcome, workers - (self.placement.running() - before))

    def _note_ends(self, *, stopping: bool) -> None:
        for outcome in self.placement.poll():
            self._outcomes.append(outcome)
            if outcome.why in _ONES_OWN and not stopping:
                self._replace(outcome)

    def _replace(self, outcome: WorkerOutcome, workers: int = 1) -> None:
        """Have another worker take its place, or so many, soon; not for ever."""
        if self._patiently(lambda: self._store.state(self.run)) is not RunState.RUNNING:
            return
        ended = self._patiently(self._queue.counts)
        if ended is not None and ended.done + ended.failed > self._ended:
            self._restarts, self._ended = 0, ended.done + ended.failed
        if self._restarts >= MOST_RESTARTS:
            words = f"a worker is given up after {MOST_RESTARTS} restarts: {outcome.words}"
            self.say(words)
            self._patiently(lambda: self._store.note(self.run, _event(RunEventKind.TROUBLE, words)))
            return
        wait = self.restart_seconds * 2**self._restarts
        self._restarts += 1
        self._owed += workers
        self._restart_at = time.monotonic() + wait
        self.say(f"a worker ended ({outcome.words}); another takes its place in {wait:g} s")

    def _tell(self) -> RunStatus:
        """Write the status file, and send notices of what happened."""
        status = run_status(self._ledger, self.run)
        write_status(self._folder, status)
        for notice in notices(self._store.events(self.run), self._told, datetime.now(UTC)):
            self._notifier.send(notice, status)
        return status

    def _is_gone(self, host: str, process: int) -> bool:
        """A worker in a thread of this process cannot be killed but ends with it, as this is about to."""
        here = (host, process) == (socket.gethostname(), os.getpid())
        return is_gone(host, process) or (here and self.interruption.times > 1)

    def _leave(self, *, stopping: bool) -> Conducted:
        self._patiently(lambda: self._members.reap(self._is_gone))
        self._patiently(self._note_that_nothing_is_left)
        self._patiently(self._note_that_nobody_is_left)
        self._patiently(self._tell)
        self._finish_up()
        status = run_status(self._ledger, self.run)
        self._notifier.send(_last_notice(status, self._outcomes, stopping=stopping), status)
        self._notifier.close()
        self._patiently(self._note_that_nobody_is_left)  # somebody may have had it go on meanwhile
        status = run_status(self._ledger, self.run)
        self._patiently(lambda: write_status(self._folder, status))
        return Conducted(status, stopping and status.counts.left > 0, tuple(self._outcomes))

    def _note_that_nothing_is_left(self) -> None:
        """Also where the budget or the time ended one worker while another did the last feature."""
        counts = self._queue.counts()
        if counts.left == 0 and self._store.state(self.run) is not RunState.FINISHED:
            words = f"nothing is left: {counts.done} done, {counts.failed} failed, {counts.skipped} skipped"
            self._store.note(self.run, _event(RunEventKind.FINISHED, words))

    def _note_that_nobody_is_left(self) -> None:
        """Unless workers of other machines are at it, the run does not go on by itself."""
        if self._store.state(self.run) is not RunState.RUNNING or living_workers(self._ledger, self.run):
            return
        last = self._outcomes[-1].words if self._outcomes else "its coordinator was ended"
        words = f"no worker is left: {last}" if last else "no worker is left"
        self._store.note(self.run, _event(RunEventKind.STOPPED, words))

    def _finish_up(self) -> None:
        """What is made of the labels: the report, and the search index, which workers never write."""
        if self.interruption.times > 1:
            return
        self.interruption.is_felt = True
        try:
            for step in (self._sync, self._report):
                try:
                    step()
                except GlossatorError as error:
                    self.say(f"the labels are stored, but: {error}")
        except KeyboardInterrupt:
            self.say(f"the report is left out; it is made by: glossator run report {self.run}")
        finally:
            self.interruption.is_felt = False

    def _sync(self) -> None:
        self.session.findings().sync(self._ledger)

    def _report(self) -> None:
        for line in self.report(self.session, self.run, self._folder):
            self.say(line)

    def _patiently(self, step: Callable[[], T]) -> T | None:
        """What `step` returns; None where the disk or the ledger does not let it, which is said once."""
        try:
            return step()
        except StorageError as error:
            if str(error) not in self._warned:
                self._warned.add(str(error))
                self.say(str(error))
            return None


def write_status(folder: RunFolder, status: RunStatus) -> None:
    """Put the status file in place, whole."""
    from glossator.probes.atomic_file import written_atomically

    folder.make()
    with written_atomically(folder.status) as file:
        file.write(status.model_dump_json(indent=2).encode() + b"\n")


def failure(conducted: Conducted) -> GlossatorError | None:
    """The error that a run ended with, for its exit code; None where it is finished.

    The message says what to do next.
    """
    status, run = conducted.status, conducted.status.run
    on = f"go on with glossator run resume {run}"
    if status.state is RunState.FINISHED:
        return None
    last = conducted.outcomes[-1] if conducted.outcomes else WorkerOutcome(None, "no worker was started")
    left = f"{status.counts.left} of {status.counts.total} features are left"
    if last.why is WhyEnded.ENDPOINT:
        return EndpointError(f"{last.words}; {left}: {on} when the endpoint answers again")
    if last.why is WhyEnded.MODEL:
        return UserError(f"{last.words}; {left}: {on} when that is right")
    if last.why is WhyEnded.STORAGE:
        return StorageError(f"{last.words}; {left}: make room and {on}")
    if last.why is WhyEnded.BUDGET_SPENT:
        return BudgetSpent(f"the budget ({status.budget}) is spent: {left}; {on} --budget MORE")
    if last.why is WhyEnded.TIME_UP:
        return GlossatorError(f"the time ordered ({status.until}) is over: {left}; {on} --until LATER")
    if status.state is RunState.STOPPED:
        return GlossatorError(f"the run was stopped: {left}; {on}")
    return GlossatorError(f"no worker is left ({last.words}): {left}; {on}")


def catching_signals(interruption: Interruption) -> Callable[[], None]:
    """Have Ctrl-C and SIGTERM counted by `interruption`; returns what puts things back."""
    import signal

    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    caught = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, interruption.ask) for number in caught]

    def put_back() -> None:
        for number, handler in zip(caught, before, strict=True):
            signal.signal(number, handler)

    return put_back


def _last_notice(status: RunStatus, outcomes: Sequence[WorkerOutcome], *, stopping: bool) -> Notice:
    counts = status.counts
    said = f"{counts.done} done, {counts.failed} failed, {counts.skipped} skipped, {counts.left} left"
    if status.state is RunState.FINISHED:
        return Notice("finished", said)
    why = outcomes[-1].why if outcomes else None
    event = "interrupted" if stopping else "stopped" if why is None else why.value
    return Notice(event, said)


def _event(kind: RunEventKind, words: str) -> RunEvent:
    return RunEvent(kind=kind, words=words)
