"""What is wrong with the ledger's database, in plain words.

PostgreSQL says it in codes (https://www.postgresql.org/docs/current/errcodes-appendix.html), which are
relied on rather than its words: these quote the values that were written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import exc

from glossator.errors import BusyError, CorruptFileError, StorageError

BUSY_SECONDS = 60
"""How long a writer waits for another one."""
_COLLIDED = frozenset({"40001", "40P01", "55P03"})
"""One of two transactions that stood in each other's way was undone."""


@contextmanager
def storage_errors(where: str) -> Generator[None]:
    """Translate what the database says into Glossator's errors, naming `where`."""
    try:
        yield
    except (exc.DatabaseError, sqlite3.DatabaseError) as error:
        raise _translated(error, where) from error
    except exc.TimeoutError as error:
        raise BusyError(f"the ledger {where!r} has no connection free: try again") from error
    except OSError as error:
        raise StorageError(
            f"the ledger {where!r} cannot be used: {error}; free space, or set --home"
        ) from error


def corrupt(where: str, why: str) -> CorruptFileError:
    """The error for a damaged ledger; it says how to save what is left."""
    return CorruptFileError(
        f"the ledger {where!r} is damaged ({why}). It was left as it is. Put back a copy of it, or move it "
        f"away (its -wal file too) and save what is left with: sqlite3 MOVED .recover | sqlite3 {where!r}"
    )


def _translated(error: Exception, where: str) -> StorageError:
    original = getattr(error, "orig", error)
    if isinstance(original, sqlite3.Error):
        return _said_by_sqlite(str(original), where)
    code, said = getattr(original, "sqlstate", None), str(original).strip()
    if code is None and isinstance(error, exc.OperationalError):
        code = "08000"  # it never came to an answer
    return _said_by_server(code or "", said, where)


def _said_by_sqlite(said: str, where: str) -> StorageError:
    if any(word in said for word in ("malformed", "not a database", "file is encrypted")):
        return corrupt(where, said)
    if "locked" in said or "busy" in said:
        return BusyError(
            f"the ledger {where!r} stayed locked for {BUSY_SECONDS} s by another process: try again"
        )
    if "readonly" in said or "read-only" in said:
        return StorageError(
            f"the ledger {where!r} cannot be written ({said}): set --home to a writable folder"
        )
    if "full" in said:
        return _no_room(said, where)
    return _unusable(said, where)


def _said_by_server(code: str, said: str, where: str) -> StorageError:
    if code in _COLLIDED:
        return BusyError(f"the ledger {where!r} was written by two at once ({said}): try again")
    if code == "53100":
        return _no_room(said, where)
    if code in ("25006", "42501"):
        return StorageError(
            f"the ledger {where!r} cannot be written ({said}): give ledger_url a role and a server that "
            "may write"
        )
    if code[:2] in ("08", "57", "53"):
        return StorageError(
            f"the ledger {where!r} does not answer ({said}): see to the server, or to ledger_url; what was "
            "stored is intact"
        )
    return _unusable(said, where)


def _no_room(said: str, where: str) -> StorageError:
    return StorageError(f"the ledger {where!r} cannot grow ({said}): free space; what was stored is intact")


def _unusable(said: str, where: str) -> StorageError:
    return StorageError(f"the ledger {where!r} cannot be used: {said}; see `glossator doctor`")
