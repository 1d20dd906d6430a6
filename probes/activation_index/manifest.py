"""The manifest: what an index is made from, which files it has, and what each must be.

It is written with the identity when a build starts, again once the tokens are stored, and complete
at the end. Shards describe and check themselves (`shard.py`), so a lost manifest costs no forward pass.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import Field, ValidationError

from glossator.errors import CorruptFileError
from glossator.probes.activation_index.identity import IndexIdentity
from glossator.probes.activation_index.progress import NEXT_STEP
from glossator.probes.atomic_file import sha256_of, written_atomically
from glossator.records import Split
from glossator.records.base import Record

MANIFEST = "manifest.json"


class StoredFile(Record):
    """A file of the index and what it must be."""

    name: str
    """Path below the index's folder."""
    size: int
    """Bytes."""
    sha256: str
    """SHA-256 of its content."""

    @classmethod
    def of(cls, folder: Path, name: str) -> StoredFile:
        """The entry of the file `name` as it stands in `folder`."""
        path = folder / name
        return cls(name=name, size=path.stat().st_size, sha256=sha256_of(path))

    def check_size(self, folder: Path) -> None:
        """Raise `CorruptFileError` unless the file stands there with its size."""
        path = folder / self.name
        found = path.stat().st_size if path.is_file() else None
        if found != self.size:
            state = "is missing" if found is None else f"has {found} bytes where {self.size} were written"
            raise CorruptFileError(
                f"{str(path)!r} {state}; {NEXT_STEP} again: it redoes what is broken and keeps the rest"
            )

    def is_intact(self, folder: Path) -> bool:
        """Whether the file stands there with its size and content."""
        path = folder / self.name
        return path.is_file() and path.stat().st_size == self.size and sha256_of(path) == self.sha256


class Layout(Record):
    """How the work is cut; it does not change what an index answers, only which bytes say so."""

    batch_tokens: int
    """Tokens of one forward pass, padding included."""
    shard_positions: int
    """Most positions of a shard."""


class StoredSplit(Record):
    """One split's tokens and shards."""

    documents: int
    """Documents."""
    rows: int
    """Rows."""
    tokens: int
    """Positions."""
    files: tuple[StoredFile, ...]
    """Ids, rows and documents."""
    shards: tuple[StoredFile, ...] = ()
    """Shards in order of position; empty until the index is complete."""
    pairs: int = 0
    """Stored activations."""


class Manifest(Record):
    """See the module's text."""

    identity: IndexIdentity
    """What the index is built from."""
    layout: Layout
    """How the work is cut."""
    subject: str
    """The subject's name, for people."""
    dictionary: str
    """The dictionary's name, for people."""
    n_features: int
    """Features of the dictionary."""
    vocabulary: StoredFile | None = None
    """The token texts."""
    splits: dict[Split, StoredSplit] = Field(default_factory=dict)
    """Tokens and shards by split."""
    statistics: StoredFile | None = None
    """Statistics; there once the index is complete."""

    @property
    def complete(self) -> bool:
        """Whether the index can be read."""
        return self.statistics is not None

    @property
    def files(self) -> tuple[StoredFile, ...]:
        """Every file but the manifest."""
        single = tuple(file for file in (self.vocabulary, self.statistics) if file is not None)
        return single + tuple(
            file for split in self.splits.values() for file in (*split.files, *split.shards)
        )

    @property
    def shard_key(self) -> str:
        """What a shard must name to belong to this index."""
        return hashlib.sha256((self.identity.digest + self.layout.model_dump_json()).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Replace the manifest of `folder`."""
        with written_atomically(folder / MANIFEST) as stream:
            stream.write(self.model_dump_json(indent=1).encode() + b"\n")


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of `folder`, or None if it has none.

    Raises:
        CorruptFileError: it is truncated, altered or of another version.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError as exc:
        raise CorruptFileError(
            f"{str(path)!r} is truncated, altered or of another version ({exc.error_count()} problems); "
            f"{NEXT_STEP} again: it writes a new manifest and keeps the shards that are intact"
        ) from exc
