"""The folder of one labelling run on this machine: its status, its log, its reports, and who conducts it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from glossator.errors import BusyError, StorageError

_PROBED_SECONDS = 1.0
"""Whoever asks whether a run is conducted holds its lock for a moment: that must not count as conducting."""


class RunFolder(NamedTuple):
    """Where the files of one run stand."""

    path: Path

    @classmethod
    def of(cls, home: Path, run: str) -> RunFolder:
        """The folder of `run` in `home`; not made yet."""
        return cls(home / "runs" / run)

    @property
    def status(self) -> Path:
        """What other programs may read: a `RunStatus` as JSON."""
        return self.path / "status.json"

    @property
    def log(self) -> Path:
        """What a detached run says."""
        return self.path / "log.txt"

    def make(self) -> None:
        """Make the folder; raises `StorageError` where that cannot be."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{str(self.path)!r} cannot be written ({error}): set --home") from error

    @contextmanager
    def held(self, run: str) -> Generator[None]:
        """Keeps other coordinators of this machine from `run`.

        Raises:
            BusyError: another process conducts it.
            StorageError: the folder cannot be written.

        """
        self.make()
        lock = FileLock(self.path / "coordinator.lock")
        try:
            lock.acquire(timeout=_PROBED_SECONDS, poll_interval=0.02)
        except Timeout as error:
            raise BusyError(
                f"another process of this machine conducts the run {run}: watch it with "
                f"glossator run watch {run}, or let it rest with glossator run pause {run}"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def is_held(self) -> bool:
        """Whether a process of this machine conducts the run at present."""
        if not self.path.is_dir():
            return False
        lock = FileLock(self.path / "coordinator.lock")
        try:
            lock.acquire(timeout=_PROBED_SECONDS / 10, poll_interval=0.02)
        except Timeout:
            return True
        lock.release()
        return False
