"""One build at a time in a folder."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import filelock

from glossator.errors import BusyError
from glossator.probes.atomic_file import unwritable

LOCK = "build.lock"
HOLDER = "build.holder"


@contextlib.contextmanager
def building_in(folder: Path) -> Generator[None]:
    """Hold the folder's lock, which the system gives back if this process dies.

    Raises:
        BusyError: another process builds here; names it.
        StorageError: the folder cannot be written.
    """
    lock = filelock.FileLock(folder / LOCK)
    holder = folder / HOLDER
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as exc:
        raise BusyError(
            f"{_said_by(holder)} is building the index in {str(folder)!r}; wait until it is done, stop it, "
            "or choose another folder"
        ) from exc
    except OSError as exc:
        raise unwritable(folder / LOCK, exc) from exc
    try:
        with contextlib.suppress(OSError):  # only for the message above
            started = datetime.now(UTC).isoformat(timespec="seconds")
            holder.write_text(f"process {os.getpid()} on {socket.gethostname()}, since {started},")
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def _said_by(holder: Path) -> str:
    try:
        return holder.read_text() or "another process"
    except OSError:
        return "another process"
