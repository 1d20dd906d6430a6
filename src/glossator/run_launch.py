"""Labelling runs begun, gone on with, found by their ids, and sent to the background."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from glossator.agents.run_work.worker_end import WorkerEnd
from glossator.commands.result_output import note
from glossator.errors import GlossatorError, StorageError, UnknownNameError, UserError, listed
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.records import RunEvent, RunEventKind, RunState
from glossator.run_coordinator import Conducted, Coordinator, Interruption, catching_signals
from glossator.run_folder import RunFolder
from glossator.run_placement import InThisProcess, LocalProcesses, Placement, WorkerOutcome
from glossator.run_settings import read_settings, settings_text
from glossator.session import Session
from glossator.settings import Settings

_BEGIN_SECONDS = 60.0
"""How long a detached run is waited for: it imports much, and bad luck shows before the first feature."""
_RAY_SECONDS = 180.0
"""The same where it joins a cluster and asks the nodes first."""
_OWN_WORDS = "glossator: "
"""How the command line begins the message of an error."""


class RunOrders(NamedTuple):
    """What a coordinator of its own process is told."""

    settings: Settings
    changes: dict[str, JsonValue]
    """Of the plan: budget, until, workers, notify; only what is given anew."""
    ray: str | None = None
    """Address of the Ray cluster whose nodes do the work; None for this machine."""

    def text(self) -> str:
        """For a pipe: it may hold a password."""
        orders = {"settings": settings_text(self.settings), "changes": self.changes, "ray": self.ray}
        return json.dumps(orders)

    @classmethod
    def read(cls, text: str) -> RunOrders:
        """What `text` wrote; raises `SettingsError` if it is no such text."""
        try:
            content = json.loads(text)
            settings, changes = str(content["settings"]), dict(content["changes"])
            ray = content["ray"]
        except (ValueError, KeyError, TypeError):
            settings, changes, ray = text, {}, None
        return cls(read_settings(settings), changes, ray)


def find_run(store: LabellingRunStore, identity: str | None) -> str:
    """The run that `identity` begins the name of; the latest where it is None.

    Raises:
        UnknownNameError: there is none, or it could be several.

    """
    known = [stored.id for stored in store.all()]
    if not known:
        raise UnknownNameError("there is no labelling run yet: glossator run start --features all")
    if identity is None:
        return known[0]
    found = [name for name in known if name == identity] or [n for n in known if n.startswith(identity)]
    if not found:
        raise UnknownNameError(f"there is no labelling run {identity!r}: known are {listed(known)}")
    if len(found) > 1:
        raise UnknownNameError(f"{identity!r} could be {listed(found)}: write more of it")
    return found[0]


def conduct_run(
    session: Session,
    run: str,
    changes: Mapping[str, JsonValue],
    placement: Placement | None = None,
    *,
    ray: str | None = None,
) -> Conducted:
    """Start `run`, or go on with it, and stay until it ends.

    Args:
        session: settings and ledger.
        run: its id.
        changes: of its plan.
        placement: where the workers live; by `ray` where None.
        ray: address of the Ray cluster whose nodes do the work; None for this machine.

    Raises:
        BusyError: another process of this machine conducts it.
        UserError: nothing is left to do.
        MissingExtraError: Ray is not installed.
        SettingsError: no cluster answers there, or its nodes cannot do the work.

    """
    from glossator.run_report_files import write_run_report

    store, interruption = LabellingRunStore(session.ledger()), Interruption()
    folder = RunFolder.of(session.settings.home, run)
    with folder.held(run), placement_on(ray, session) as placed:
        note_start(store, run, changes)
        workers = store.plan(run).workers
        coordinator = Coordinator(
            session,
            run,
            placement or placed or local_placement(session.settings, workers),
            workers,
            interruption,
            report=write_run_report,
        )
        put_back = catching_signals(interruption)
        try:
            return coordinator.conduct()
        finally:
            put_back()


def note_start(store: LabellingRunStore, run: str, changes: Mapping[str, JsonValue]) -> None:
    """Note that `run` begins or goes on; raises `UserError` where nothing is left to do."""
    from glossator.memory.work_queue import WorkQueue

    counts = WorkQueue(store.ledger, run).counts()
    if counts.left == 0 and store.state(run) is RunState.FINISHED:
        raise UserError(
            f"the run {run} is finished, and nothing is left to do: {counts.done} done, {counts.failed} "
            f"failed, {counts.skipped} skipped (glossator run retry-failed {run} plans failed ones again)"
        )
    begun = bool(store.events(run, RunEventKind.STARTED))
    words = "it goes on" if begun else "it was ordered"
    # The command to notify by may hold a password, and these words are shown.
    said = ", ".join(k if k == "notify" else f"{k} {v}" for k, v in changes.items())
    event = RunEvent(
        kind=RunEventKind.STARTED, words=f"{words} with {said}" if said else words, payload=dict(changes)
    )
    store.note(run, event)


def local_placement(settings: Settings, workers: int) -> Placement:
    """One worker here, or several as processes of this machine."""
    return InThisProcess(settings, work_here) if workers == 1 else LocalProcesses(settings)


@contextmanager
def placement_on(ray: str | None, session: Session) -> Generator[Placement | None]:
    """Workers on the nodes of the Ray cluster at `ray`, while the block lasts; None without one.

    Raises:
        MissingExtraError: Ray is not installed.
        SettingsError: no cluster answers there, or its nodes cannot do the work; the message names the node.

    """
    if ray is None:
        yield None
        return
    from glossator.ray_cluster import RayCluster
    from glossator.ray_placement import RayPlacement

    with RayCluster.join(ray) as cluster:
        placement = RayPlacement(cluster, session.settings, session.ledger())
        placement.check()
        yield placement


def work_here(run: str, settings: Settings, stop: threading.Event) -> WorkerOutcome:
    """Work on `run` in this thread, until there is a reason to end."""
    from glossator.commands.result_output import note_if_heard
    from glossator.run_worker import work_on

    ended: WorkerEnd = work_on(run, settings, stop=stop, say=note_if_heard)
    return WorkerOutcome(ended.why, ended.words)


def detach(session: Session, run: str, changes: Mapping[str, JsonValue], ray: str | None = None) -> RunFolder:
    """Conduct `run` in a session of its own, which outlives this terminal; returns where its files are.

    Returns when the run is begun, so that whoever looks at it next finds it so.

    Raises:
        BusyError: another process conducts it.
        GlossatorError: it ended at once; what it said, and its exit code.

    """
    store, folder = LabellingRunStore(session.ledger()), RunFolder.of(session.settings.home, run)
    with folder.held(run):
        starts = len(store.events(run, RunEventKind.STARTED))
    with folder.log.open("ab") as log:
        before = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "glossator", "run", "conduct", run],
            stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    assert process.stdin is not None, "a pipe was asked for"
    with contextlib.suppress(BrokenPipeError), process.stdin as told:
        told.write(RunOrders(session.settings, dict(changes), ray).text().encode())
    until = time.monotonic() + (_BEGIN_SECONDS if ray is None else _RAY_SECONDS)
    while process.poll() is None and len(store.events(run, RunEventKind.STARTED)) == starts:
        if time.monotonic() > until:
            note(f"{run} has not begun yet: see what it says in {str(folder.log)!r}")
            break
        time.sleep(0.1)
    if process.returncode:
        raise _ended_at_once(run, process.returncode, folder.log, before)
    return folder


def _ended_at_once(run: str, code: int, log: Path, before: int) -> GlossatorError:
    """The error that a process ended with, by what it wrote to `log` from the byte `before` on."""
    said = log.read_bytes()[before:].decode("utf-8", errors="replace")
    _, own, words = f"\n{said}".rpartition(f"\n{_OWN_WORDS}")
    last = " / ".join(said.splitlines()[-3:]) or "it said nothing"
    by = f"exit code {code}" if code > 0 else f"signal {-code}"
    error = GlossatorError(words.strip() if own else f"the run {run} ended at once ({by}): {last}")
    error.exit_code = code if code > 0 else StorageError.exit_code
    return error
