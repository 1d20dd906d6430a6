"""One worker process of a labelling run, from the run's id alone: another machine can run it as well.

What the labels depend on comes from the run's plan; where things are, and how much this machine affords,
from this process's settings.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from glossator.agent_calls import Endpoints
from glossator.commands.result_output import note_if_heard
from glossator.errors import SettingsError, StorageError
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.own_loop import run_to_end
from glossator.records import RunEvent, RunEventKind, RunPlan
from glossator.run_settings import MEANS, PLACES
from glossator.run_work import RunDesk, open_work
from glossator.session import Session
from glossator.settings import Settings

if TYPE_CHECKING:
    from glossator.agents.llm_calls.breaker import OutageNote
    from glossator.agents.run_work.worker import WorkerTimes
    from glossator.agents.run_work.worker_end import WorkerEnd
else:
    OutageNote = WorkerEnd = WorkerTimes = Any


def work_on(
    run: str,
    settings: Settings,
    *,
    endpoints: Endpoints | None = None,
    stop: threading.Event | None = None,
    say: Callable[[str], None] = note_if_heard,
    times: WorkerTimes | None = None,
) -> WorkerEnd:
    """Work on `run` until there is a reason to end; what it is stands in the result.

    Args:
        run: its id.
        settings: where things are, and what this machine affords; the rest comes from the run's plan.
        endpoints: how models are opened; by their specs where None.
        stop: set from outside to end in order; where None, SIGTERM and SIGINT do that.
        say: told what a person may want to know.
        times: how often the worker does what.

    Raises:
        UnknownNameError: there is no such run, or no index for its settings here.
        IndexMismatchError: the index here is not the one that it was ordered on.
        SettingsError: its settings cannot be read by this version.
        ModelAccessError: a key is missing.
        BudgetError: money is limited and a price is unknown, or the budget would not pay for one feature.

    """
    with Session(settings) as here:
        plan = LabellingRunStore(here.ledger()).plan(run)
    with Session(settings_of(plan, settings)) as session:
        stopping = stop or threading.Event()
        put_back = _stopped_by_signals(stopping) if stop is None else _nothing
        try:
            return _worked(session, run, plan, endpoints, stopping, say, times)
        finally:
            put_back()


def settings_of(plan: RunPlan, here: Settings) -> Settings:
    """The plan's settings, in the places and with the means of this process.

    Raises:
        SettingsError: another version stored settings that this one does not know.

    """
    own = here.model_dump(mode="json")
    placed = {key: own[key] for key in PLACES}
    means = {key: own[key] for key in MEANS if own[key] is not None}
    try:
        return Settings.model_validate({**plan.settings, **placed, **means})
    except ValueError as error:
        raise SettingsError(
            f"the run was ordered under settings that cannot be read here: {error}"
        ) from error


def _worked(
    session: Session,
    run: str,
    plan: RunPlan,
    endpoints: Endpoints | None,
    stop: threading.Event,
    say: Callable[[str], None],
    times: WorkerTimes | None,
) -> WorkerEnd:
    from glossator.agents.run_work.label_work import SWITCH_SECONDS, LabelWork
    from glossator.agents.run_work.orders import read_orders
    from glossator.agents.run_work.worker import RunWorker as Worker

    runs = LabellingRunStore(session.ledger())
    begun: list[Worker] = []
    notes = _notes()
    desk = RunDesk(
        session=session, runs=runs, run=run, plan=plan, variant=read_orders(runs, run).variant,
        worker=lambda: begun[0].worker, endpoints=endpoints,
        on_outage=lambda outage: _tell(notes, runs, run, begun[0].worker, outage, say), say=say,
    )  # fmt: skip
    work = open_work(desk)
    cheaper = work.cheaper_ratio if isinstance(work, LabelWork) else None
    host, process = socket.gethostname(), os.getpid()
    begun.append(Worker(runs, run, work, host=host, process=process, stop=stop, times=times, cheaper=cheaper))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        ended = run_to_end(begun[0].work())
    finally:
        sys.setswitchinterval(interval)
        notes.shutdown()
    say(f"worker {begun[0].worker} ended: {ended.why}, {ended.features} features")
    return ended


def _notes() -> ThreadPoolExecutor:
    """One thread, so that outages are noted in the order of what happened."""
    return ThreadPoolExecutor(1, thread_name_prefix="glossator-notes")


def _tell(
    notes: ThreadPoolExecutor,
    runs: LabellingRunStore,
    run: str,
    worker: str,
    outage: OutageNote,
    say: Callable[[str], None],
) -> None:
    """Note an outage without holding up the event loop that tells of it."""
    from glossator.agents.llm_calls.breaker import OutageStage

    if outage.stage is OutageStage.GIVEN_UP:
        return  # the worker ends by it, and says so
    began = outage.stage is OutageStage.BEGAN
    kind = RunEventKind.OUTAGE_BEGAN if began else RunEventKind.OUTAGE_ENDED
    words = (
        f"the endpoint of {outage.model!r} does not answer ({outage.reason}: {outage.detail}); the run waits"
        if began
        else f"the endpoint of {outage.model!r} answers again, after {outage.seconds:.0f} s"
    )
    payload = {"model": outage.model, "reason": outage.reason.value, "seconds": round(outage.seconds, 1)}
    event = RunEvent.model_validate({"kind": kind, "words": words, "worker": worker, "payload": payload})
    say(words)
    notes.submit(_noted, runs, run, event, say)


def _noted(runs: LabellingRunStore, run: str, event: RunEvent, say: Callable[[str], None]) -> None:
    try:
        runs.note(run, event)
    except StorageError as error:
        say(f"{event.words}; and that could not be noted: {error}")


def _stopped_by_signals(stop: threading.Event) -> Callable[[], None]:
    """Have the first SIGTERM or Ctrl-C set `stop`, and the second end at once; returns what undoes that."""
    import signal

    if threading.current_thread() is not threading.main_thread():
        return _nothing
    caught = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in caught]

    def put_back() -> None:
        for number, handler in zip(caught, before, strict=True):
            signal.signal(number, handler)

    def ask(*_: object) -> None:
        stop.set()
        put_back()

    for number in caught:
        signal.signal(number, ask)
    return put_back


def _nothing() -> None:
    """There is nothing to put back."""
