"""A labelling run watched until it ends: on a terminal a view that keeps up, elsewhere a line per change."""

from __future__ import annotations

import time
from collections.abc import Iterator

from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger import Ledger
from glossator.records import RunState, RunStatus
from glossator.run_folder import RunFolder
from glossator.run_status import run_status

NOBODY_SECONDS = 90.0
"""A run that nobody is at is not watched for longer; a lease that nobody renews lasts 60 s."""
_OVER = (RunState.FINISHED, RunState.STOPPED)


def moments(
    ledger: Ledger, run: str, folder: RunFolder, *, every: float = 2.0, nobody: float = NOBODY_SECONDS
) -> Iterator[RunStatus]:
    """How `run` stands, again and again, until it is over and its workers have ended.

    Args:
        ledger: where it is stored.
        run: its id.
        folder: where a coordinator of this machine would hold its lock.
        every: seconds between two looks.
        nobody: seconds after which a run without workers is given up.

    """
    seen = time.monotonic()
    while True:
        status = run_status(ledger, run)
        yield status
        at_it = any(worker.alive for worker in status.workers) or folder.is_held()
        if at_it or status.state is RunState.PAUSED:
            seen = time.monotonic()
        elif status.state in _OVER or time.monotonic() - seen > nobody:
            return
        time.sleep(every)


def changes(statuses: Iterator[RunStatus]) -> Iterator[RunStatus]:
    """Only those that say something new: counts, state or trouble."""
    last: tuple[object, ...] | None = None
    for status in statuses:
        told = (status.state, status.counts, status.trouble)
        if told != last:
            last = told
            yield status


def watch_live(ledger: Ledger, run: str, folder: RunFolder) -> RunStatus:
    """Keep a view on the terminal until the run is over; returns how it stands then."""
    from rich.console import Console
    from rich.live import Live

    from glossator.report.terminal_run import watch_view

    store, status = LabellingRunStore(ledger), run_status(ledger, run)
    with Live(console=Console(), refresh_per_second=2, transient=False) as live:
        for moment in moments(ledger, run, folder, every=1.0):
            status = moment
            live.update(watch_view(status, store.events(run)))
    return status
