"""The clock of leases: one that nobody can set while a run is going on.

A database server's own clock tells all machines the same. On one machine it is the time since boot, which
all processes share and which a changed wall clock does not move; a lease of another boot is over, since
whoever held it cannot be running.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from sqlalchemy import Connection, text

from glossator.memory.ledger import Ledger

_BOOT_FILE = Path("/proc/sys/kernel/random/boot_id")


class Moment(NamedTuple):
    """A moment on the clock of leases."""

    boot: str
    """Which boot of the machine it counts from; empty for a server's clock."""
    seconds: float
    """Comparable within one boot alone."""


@runtime_checkable
class LeaseClock(Protocol):
    """Tells what time it is, within a transaction."""

    def now(self, connection: Connection) -> Moment:
        """The present moment."""
        ...


class BootClock:
    """Time since this machine started."""

    def now(self, connection: Connection) -> Moment:
        """The present moment, the same for all processes of this machine."""
        return Moment(boot_id(), seconds_since_boot())


class ServerClock:
    """The clock of the database server."""

    def now(self, connection: Connection) -> Moment:
        """The present moment, the same for all machines."""
        seconds = connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one()
        return Moment("", float(seconds))


def lease_clock(ledger: Ledger) -> LeaseClock:
    """The clock that everybody who can reach `ledger` shares."""
    return ServerClock() if ledger.is_server else BootClock()


def is_over(until: Moment, now: Moment) -> bool:
    """Whether a lease that lasts `until` has run out."""
    return until.boot != now.boot or until.seconds < now.seconds


@cache
def boot_id() -> str:
    """What tells this boot of this machine from every other, as far as the system says."""
    try:
        return _BOOT_FILE.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def seconds_since_boot() -> float:
    """On a clock that all processes of this machine share, and nobody sets."""
    # Unlike CLOCK_MONOTONIC it goes on while a laptop sleeps, which is when leases should run out.
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
