"""The folder of an embedded Chroma: one process at a time, sealed when it is left.

Chroma's embedded mode is for one process (https://cookbook.chromadb.dev/core/system_constraints/):
several writers lose rows. A file lock keeps others out, and `seal.json` names the current database
folder with the SHA-256 of each file in it; whatever differs from its seal is thrown away and filled
again from the ledger.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from pathlib import Path
from typing import cast

from filelock import FileLock, Timeout

from glossator.errors import BusyError, StorageError

LOCK_SECONDS = 10.0
"""How long to wait for another process."""


class FindingsFolder:
    """A locked folder with one current database; `close` seals it and lets others in."""

    def __init__(self, folder: Path, lock_seconds: float = LOCK_SECONDS) -> None:
        self._folder = folder
        self._seal = folder / "seal.json"
        self.damage: str | None = None
        """Why the database was begun anew; None where it was sound or there was none."""
        self._lock = FileLock(folder / "lock")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=lock_seconds)
        except Timeout as error:
            raise BusyError(
                f"the findings index {str(folder)!r} is in use by another process: wait for it, "
                "or set chroma_url to a Chroma server that all can use"
            ) from error
        except OSError as error:
            raise _unusable(folder, error) from error
        try:
            self.database = self._current()
        except OSError as error:
            self._lock.release()
            raise _unusable(folder, error) from error

    def begin_anew(self) -> Path:
        """Throw the database away and name a new, empty one."""
        for old in self._folder.glob("chroma-*"):
            shutil.rmtree(old, ignore_errors=True)
        self.database = self._folder / f"chroma-{uuid.uuid4().hex[:8]}"
        return self.database

    def unseal(self) -> None:
        """Note that the database is about to change; left like this, it is thrown away."""
        self._write_seal(None)

    def close(self, *, sound: bool) -> None:
        """Seal the database if it is `sound`, and let other processes in."""
        try:
            if sound and self.database.is_dir():
                self._write_seal(_sums(self.database))
        except OSError as error:
            raise _unusable(self._folder, error) from error
        finally:
            self._lock.release()

    def _current(self) -> Path:
        if not self._seal.exists() and not any(self._folder.glob("chroma-*")):
            return self.begin_anew()
        self.damage = self._differs()
        return self._folder / self._sealed()[0] if self.damage is None else self.begin_anew()

    def _differs(self) -> str | None:
        name, sums = self._sealed()
        database = self._folder / name
        if not name:
            return "its seal is missing or cannot be read"
        if sums is None:
            return "the last process that changed it was stopped"
        if not database.is_dir():
            return f"its folder {name!r} is missing"
        found = _sums(database)
        changed = sorted(k for k in sums.keys() | found.keys() if sums.get(k) != found.get(k))
        return f"{changed[0]!r} is not what was written" if changed else None

    def _sealed(self) -> tuple[str, dict[str, str] | None]:
        try:
            seal = json.loads(self._seal.read_text(encoding="utf-8"))
            return str(seal["database"]), cast("dict[str, str] | None", seal["files"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return "", None

    def _write_seal(self, sums: dict[str, str] | None) -> None:
        temporary = self._seal.with_suffix(".tmp")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump({"database": self.database.name, "files": sums}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._seal)


def _sums(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    sums: dict[str, str] = {}
    for path in files:
        with path.open("rb") as file:
            sums[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums


def _unusable(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"the findings index {str(folder)!r} cannot be used: {error}; free space, or set --home"
    )
