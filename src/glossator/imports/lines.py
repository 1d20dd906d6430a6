"""Lines of a file of others, compressed or not; what is wrong with it is said with file and line."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from glossator.errors import ImportedFileError

Row = TypeVar("Row", bound=BaseModel)


class Line(NamedTuple):
    """One line, and where it stands."""

    path: Path
    number: int
    text: bytes

    @property
    def place(self) -> str:
        """File and line, for a message."""
        return f"{str(self.path)!r}, line {self.number}"


def lines_of(path: Path) -> Iterator[Line]:
    """The lines of `path` that are not blank; `.gz` is decompressed.

    Raises:
        ImportedFileError: it cannot be read, or the compressed part is damaged or cut.
    """
    number = 0
    try:
        with _opened(path) as stream:
            for number, text in enumerate(stream, 1):
                if text.strip():
                    yield Line(path, number, text)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ImportedFileError(
            f"{str(path)!r} is damaged after line {number} ({error}): fetch it again; nothing was imported"
        ) from error
    except OSError as error:
        raise ImportedFileError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error


def read_row(line: Line, kind: type[Row]) -> Row:
    """The line as a row of that kind; unknown keys are passed over.

    Raises:
        ImportedFileError: it is no JSON, or no such row.
    """
    try:
        return kind.model_validate_json(line.text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ImportedFileError(
            f"{line.place}: {where + ': ' if where else ''}{first['msg']}; nothing was imported: repair the "
            "line or fetch the file again"
        ) from error


def _opened(path: Path) -> io.BufferedIOBase:
    return gzip.GzipFile(path) if path.suffix == ".gz" else path.open("rb")
