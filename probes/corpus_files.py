"""Documents from text files: one per file of a folder, or one file cut at paragraph borders.

A single file is cut into pieces of about a fiftieth of it, at most 20,000 characters, so that each
split gets some. A file of a folder stays whole, up to a million characters. A byte order mark is
dropped; anything but UTF-8 is refused with the place and the likely encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from glossator.errors import CorpusError
from glossator.probes.corpus_document import Document

PIECE = 20_000
"""Characters of a piece of a single file, at most about this."""
SMALLEST_PIECE = 400
PIECES = 50
"""A small single file is cut into about this many."""
WHOLE_FILE = 1_000_000
"""Characters up to which a file of a folder is one document."""
HEAD = 8192
"""Bytes looked at to tell text from binary."""
CONTROL_SHARE = 0.1
"""More control characters than this share of the head make a file binary."""


def read_file(path: Path) -> Iterator[Document]:
    """Pieces of one text file as documents."""
    if _is_binary(path):
        raise CorpusError(f"{str(path)!r} is binary, not text: a corpus file holds UTF-8 text or JSON lines")
    piece = max(SMALLEST_PIECE, min(PIECE, path.stat().st_size // PIECES))
    genre = _genre(path)
    for number, text in enumerate(_pieces(path, piece)):
        yield Document(f"{path.name}#{number}", f"{path.name}, part {number + 1}", genre, text, str(path))


def read_folder(folder: Path) -> Iterator[Document]:
    """Text files below `folder`, by name; hidden and binary files are left out."""
    files = 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if any(part.startswith(".") for part in name.parts) or not path.is_file() or _is_binary(path):
            continue
        files += 1
        for number, text in enumerate(_pieces(path, WHOLE_FILE)):
            identity = name.as_posix() + (f"#{number}" if number else "")
            yield Document(identity, name.as_posix(), _genre(path), text, str(path))
    if files == 0:
        raise CorpusError(
            f"the folder {str(folder)!r} holds no text file (hidden and binary files are left out)"
        )


def _pieces(path: Path, piece: int) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield from _cut(stream, piece)
    except UnicodeDecodeError as exc:
        raise CorpusError(_undecodable(path)) from exc
    except OSError as exc:
        raise CorpusError(
            f"cannot read {str(path)!r}: {exc.strerror}; check the path and its permissions"
        ) from exc


def _cut(stream: TextIO, piece: int) -> Iterator[str]:
    """Pieces of at most 1.5 × `piece` characters, ended at the best border after `piece`."""
    pending = ""
    while chunk := stream.read(2 * piece):
        pending += chunk
        while len(pending) > 1.5 * piece:
            end = _border(pending, piece, int(1.5 * piece))
            yield pending[:end]
            pending = pending[end:]
    if pending.strip():
        yield pending


def _border(text: str, low: int, high: int) -> int:
    for mark in ("\n\n", "\n", ". ", " "):
        found = text.find(mark, low, high)
        if found >= 0:
            return found + len(mark)
    return high


def _is_binary(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError as exc:
        raise CorpusError(
            f"cannot read {str(path)!r}: {exc.strerror}; check the path and its permissions"
        ) from exc
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False  # UTF-16: refused later, with a message that says so
    control = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head)
    return control > CONTROL_SHARE * max(len(head), 1)


def _undecodable(path: Path) -> str:
    """Where `path` stops being UTF-8, what it may be instead, and what to do."""
    with path.open("rb") as stream:
        utf16 = stream.read(2) in (b"\xff\xfe", b"\xfe\xff")
        stream.seek(0)
        place = next(
            (found for line, raw in enumerate(stream, 1) if (found := _bad_byte(line, raw))), "the end"
        )
    guess = "UTF-16" if utf16 else "WINDOWS-1252"
    return (
        f"{str(path)!r} is not UTF-8: {place} (it may be {guess}); "
        f"convert it first, such as: iconv -f {guess} -t UTF-8 {path.name} > converted.txt"
    )


def _bad_byte(line: int, raw: bytes) -> str | None:
    try:
        raw.decode()
    except UnicodeDecodeError as exc:
        return f"byte 0x{raw[exc.start]:02X} in line {line}, column {exc.start + 1}"
    return None


def _genre(path: Path) -> str:
    return "text" if path.suffix.lower() in ("", ".txt", ".md", ".rst") else path.suffix[1:].lower()
