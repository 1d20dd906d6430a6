"""Which SQLite files this process has open: nobody else here may open and close one of them.

Closing any handle of a file gives up all locks that the process has on it. The next process to leave the
database would then take itself for the last one and delete the write-ahead log while we still write to it:
https://sqlite.org/howtocorrupt.html, section 2.2.
"""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Engine, event

OPENING = threading.RLock()
"""Held from looking at a file until `keep_in_mind`."""
_OPEN: dict[int, tuple[int, int]] = {}
"""Device and number of each file, by the engine that has it open."""


def is_open_here(path: Path) -> bool:
    """Whether this process has the file `path` open, under whatever name."""
    return path.exists() and _file_of(path) in set(_OPEN.values())


def keep_in_mind(engine: Engine, path: Path) -> None:
    """Note that `engine` has `path` open, until it is disposed of."""
    key = id(engine)
    _OPEN[key] = _file_of(path)
    event.listen(engine, "engine_disposed", lambda _: _OPEN.pop(key, None))


def _file_of(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
