"""Folders whose files are known to be what they were: sizes checked on each use, hashes when in doubt.

A manifest records size, modification time and SHA-256 of each file at the moment it was verified. A
file whose size and time are unchanged is trusted; otherwise its hash decides. Imports no torch.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pydantic import ValidationError

from glossator.records import Record

MANIFEST = "verified.json"


class VerifiedFile(Record):
    """A file as it was when its hash was last computed."""

    size: int
    """Bytes."""
    mtime_ns: int
    """Modification time, nanoseconds since 1970."""
    sha256: str
    """Hex digest of the content."""


class FolderManifest(Record):
    """Every file that belongs to the folder, by relative path."""

    files: dict[str, VerifiedFile]
    """Relative path to what is known of the file."""


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file, in constant memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_synced(path: Path, content: bytes) -> None:
    """Write `content` under a temporary name in the same folder, fsync, rename."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def sync_file(path: Path) -> None:
    """Force a written file to disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def seal_folder(folder: Path, digests: dict[str, str] | None = None) -> None:
    """Record the files of `folder`, with hashes from `digests` where given, else computed."""
    names = sorted(digests) if digests is not None else _files_in(folder)
    known = digests or {name: file_sha256(folder / name) for name in names}
    files = {name: _describe(folder / name, known[name]) for name in names}
    write_synced(folder / MANIFEST, FolderManifest(files=files).model_dump_json(indent=1).encode())


def flaw_in(folder: Path, digests: dict[str, str] | None = None) -> str | None:
    """What is wrong with a sealed folder, in words, or None if all is well.

    `digests` are the hashes that the files must have; without, those of the manifest. When a file was
    only touched, its new time is recorded.
    """
    try:
        manifest = FolderManifest.model_validate_json((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        return "missing"
    except (OSError, ValidationError, ValueError) as exc:
        return f"unreadable manifest ({type(exc).__name__})"
    expected = digests or {name: file.sha256 for name, file in manifest.files.items()}
    touched = False
    for name, digest in expected.items():
        recorded = manifest.files.get(name)
        if recorded is None or recorded.sha256 != digest:
            return f"{name} is from another version"
        try:
            status = (folder / name).stat()
        except OSError:
            return f"{name} is missing"
        if status.st_size != recorded.size:
            return f"{name} has {status.st_size} bytes instead of {recorded.size}"
        if status.st_mtime_ns != recorded.mtime_ns:
            if file_sha256(folder / name) != digest:
                return f"{name} does not have the recorded SHA-256"
            touched = True
    if touched and os.access(folder, os.W_OK):
        seal_folder(folder, expected)
    return None


def _describe(path: Path, digest: str) -> VerifiedFile:
    status = path.stat()
    return VerifiedFile(size=status.st_size, mtime_ns=status.st_mtime_ns, sha256=digest)


def _files_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder).as_posix()) for p in folder.rglob("*") if p.is_file())
