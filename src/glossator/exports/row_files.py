"""JSON lines in the form that Neuronpedia's importer can read.

It takes the columns from the first line of each file, so every line has the same keys in the same order;
its database refuses NUL and its JSON knows no NaN (`apps/webapp/lib/db/import.ts`). Compressed files hold
no time and no name, so the same rows make the same bytes.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from glossator.errors import StorageError
from glossator.probes.atomic_file import written_atomically
from glossator.records import Record

_NUL = "\\u0000"
_COMPRESSION = 5
"""As Neuronpedia's own writer has it."""


def row_line(row: Record) -> bytes:
    """The row as one line; NUL becomes a space.

    Raises:
        StorageError: a number is not finite.
    """
    return json_text(row).encode() + b"\n"


def json_text(row: Record, *, ascii_only: bool = True) -> str:
    """The row as JSON without a line end; keys in the order of the fields, NUL as a space.

    Raises:
        StorageError: a number is not finite.
    """
    values = row.model_dump()
    try:
        text = _dumped(values, ascii_only)
        if _NUL in text:
            # The importer replaces these six characters wherever they stand, and would break the escape of a
            # backslash that a text has before "u0000": that backslash is written in another way.
            text = _dumped(_without_nul(values), ascii_only).replace("\\" + _NUL, "\\u005cu0000")
    except ValueError as error:
        raise StorageError(f"a number is not finite, and no file may hold it: {str(row)[:120]}") from error
    return text


def _dumped(values: object, ascii_only: bool) -> str:
    return json.dumps(values, ensure_ascii=ascii_only, separators=(",", ":"), allow_nan=False)


def _without_nul(value: object) -> object:
    if isinstance(value, str):
        return value.replace("\x00", " ")
    if isinstance(value, dict):
        return {k: _without_nul(v) for k, v in value.items()}
    return [_without_nul(v) for v in value] if isinstance(value, list | tuple) else value


def write_rows(path: Path, rows: Iterable[Record]) -> int:
    """Write `rows` to `path`, whole or not at all; returns how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with written_atomically(path) as stream:
        for row in rows:
            stream.write(row_line(row))
            count += 1
    return count


class BatchFiles:
    """`batch-0.jsonl.gz`, `batch-1.jsonl.gz`, … in one folder; none is empty. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._open = folder, contextlib.ExitStack()
        self._stream: io.BufferedIOBase | None = None
        self._keys: tuple[str, ...] = ()
        self.files: list[Path] = []
        self.rows = 0

    def write(self, rows: Iterable[Record]) -> None:
        """Append `rows` to the current batch."""
        for row in rows:
            keys = tuple(type(row).model_fields)
            if self._stream is None:
                self._stream, self._keys = self._next(), keys
            assert keys == self._keys, "rows of one file have the same keys"
            self._stream.write(row_line(row))
            self.rows += 1

    def end_batch(self) -> None:
        """Later rows go into another file."""
        self._open.close()
        self._stream = None

    def _next(self) -> io.BufferedIOBase:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"batch-{len(self.files)}.jsonl.gz"
        self.files.append(path)
        raw: BinaryIO = self._open.enter_context(written_atomically(path))
        zipped = gzip.GzipFile(filename="", mode="wb", compresslevel=_COMPRESSION, fileobj=raw, mtime=0)
        return self._open.enter_context(zipped)

    def __enter__(self) -> BatchFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)
