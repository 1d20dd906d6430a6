"""Why a worker of a labelling run ended, and what it had done by then."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from glossator.memory.run_workers import Amount


class WhyEnded(StrEnum):
    """What ended a worker."""

    NOTHING_LEFT = "nothing left"
    """Every feature of the run has ended."""
    PAUSED = "paused"
    """The run rests; only of a worker that does not wait for it to go on."""
    STOPPED = "stopped"
    """Somebody asked the run, or this process, to end."""
    BUDGET_SPENT = "budget spent"
    TIME_UP = "time up"
    ENDPOINT = "endpoint"
    """A model's endpoint did not answer for longer than the run waits."""
    MODEL = "model"
    """A model cannot be used as it is set."""
    STORAGE = "storage"
    """The ledger could not be written for longer than the worker waits."""
    LOST = "lost"
    """It was taken for lost, and whatever it held is free for others."""


class WorkerEnd(NamedTuple):
    """What a worker leaves."""

    why: WhyEnded
    features: int
    """Features that it ended: done, failed or skipped."""
    spent: Amount
    words: str = ""
    """One line for people: the message of the error where one ended it."""


class Halt(NamedTuple):
    """Why nothing new is begun any more."""

    why: WhyEnded
    words: str = ""
