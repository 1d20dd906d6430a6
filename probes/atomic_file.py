"""Files that are either whole or not there: written under another name, flushed, then renamed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

from glossator.errors import StorageError

PARTIAL = ".tmp"
"""Ending of a file that is being written; left behind only by a killed process."""


@contextlib.contextmanager
def written_atomically(path: Path) -> Generator[BinaryIO]:
    """A stream whose content stands at `path` once the block ends without an error, and not before.

    Of several at once the last to end stands, whole: each writes under a name of its own.

    Raises:
        StorageError: the disk is full or cannot be written; what stood at `path` is untouched.
    """
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{PARTIAL}")
    try:
        try:
            with partial.open("wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)
            _flush_folder(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise unwritable(path, exc) from exc


def unwritable(path: Path, exc: OSError) -> StorageError:
    """The error for a `path` that could not be written."""
    return StorageError(
        f"cannot write {str(path)!r}: {exc.strerror or exc}; make room or choose a folder that can be "
        "written, then run the command again: what was stored before is kept and is not done twice"
    )


def sha256_of(path: Path) -> str:
    """SHA-256 of the file at `path`, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
