"""What `glossator run` starts itself with: workers and coordinators as processes of their own.

They are told their settings on the standard input, since a command line can be read by everybody.
"""

from __future__ import annotations

import sys
import threading
from typing import Annotated

import typer

Identity = Annotated[str, typer.Argument(metavar="ID")]


def work_command(run: Identity) -> None:
    """Work on a run until it ends, or the standard input is closed."""
    import signal

    from glossator.errors import GlossatorError
    from glossator.run_launch import RunOrders, work_here
    from glossator.run_placement import WorkerOutcome, ended_by, outcome_line

    stop = threading.Event()
    orders = RunOrders.read(sys.stdin.readline())
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_stop_when_alone, args=(stop,), daemon=True).start()
    try:
        outcome = work_here(run, orders.settings, stop)
    except GlossatorError as error:
        outcome = WorkerOutcome(ended_by(error), str(error))
    typer.echo(outcome_line(outcome))


def conduct_command(run: Identity) -> None:
    """Conduct a run as the standard input says."""
    from glossator.commands.run_start import conduct_and_say
    from glossator.run_launch import RunOrders
    from glossator.session import Session

    orders = RunOrders.read(sys.stdin.read())
    with Session(orders.settings) as session:
        conduct_and_say(session, run, orders.changes, ray=orders.ray)


def _stop_when_alone(stop: threading.Event) -> None:
    """Nobody holds the other end any more: the coordinator is gone, or wants the end."""
    sys.stdin.read()
    stop.set()
