"""Documents from JSON lines, plain or compressed: `text`, and optionally `id`, `title`, `genre`."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import cast

from glossator.errors import CorpusError
from glossator.probes.corpus_document import Document


def read(path: Path) -> Iterator[Document]:
    """Documents of the file `path`, one a line; blank lines are left out."""
    number = 0
    try:
        with _open(path) as stream:
            for number, raw in enumerate(stream, start=1):
                if raw.strip():
                    yield _document(path, number, raw)
    except (EOFError, lzma.LZMAError, zlib.error, OSError) as exc:
        raise CorpusError(
            f"cannot read {str(path)!r} beyond line {number}: {exc}; the file is cut short, damaged or not "
            "what its ending says: fetch or write it again"
        ) from exc


def _open(path: Path) -> BufferedIOBase:
    openers = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
    opener = openers.get(path.suffix.lower())
    return path.open("rb") if opener is None else cast(BufferedIOBase, opener(path, "rb"))


def _document(path: Path, number: int, raw: bytes) -> Document:
    place = f"{str(path)!r}, line {number}"
    try:
        record = json.loads(raw)
    except UnicodeDecodeError as exc:
        raise CorpusError(
            f"{place} is not UTF-8: {exc.reason} at byte {exc.start}; write the file as UTF-8"
        ) from exc
    except (json.JSONDecodeError, RecursionError) as exc:
        raise CorpusError(f"{place} is not JSON ({exc}): each line is an object with a field 'text'") from exc
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        found = sorted(record) if isinstance(record, dict) else type(record).__name__
        raise CorpusError(
            f"{place} has no text: expected an object whose field 'text' is a string, found {found!r}"
        )
    fields = cast(dict[str, object], record)
    identity = fields.get("id")
    return Document(
        id=str(identity) if identity not in (None, "") else f"{path.name}:{number}",
        title=str(fields.get("title") or ""),
        genre=str(fields.get("genre") or ""),
        text=cast(str, fields["text"]),
        source=str(path),
    )
