"""A shard: the activations of a run of rows, feature-major, in one immutable file.

The file is in the safetensors form (https://github.com/huggingface/safetensors), written here so that
its bytes depend on its content alone. Positions count from the shard's first; a *block* is 65,536
of them, so that a position's place in its block fits 16 bits. Tensors:

- `indptr` uint32 [features * blocks + 1]: where the pairs of (feature, block) start, block by block;
- `position` uint16 [pairs]: place in the block, ascending for each feature and block;
- `activation` float16 [pairs]: activation / 2^exponent, never 0.

Four bytes a pair. The exponent brings the shard's largest activation to just below 2^15, so nothing
overflows, and all down to 2^-29 of the largest keeps eleven bits. A feature's pairs are one slice of each
tensor. The header names the index (`key`) and the SHA-256 of the data, so a shard vouches for itself.
"""

from __future__ import annotations

import errno
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from jaxtyping import Float, Int, Integer
from pydantic import ValidationError

from glossator.errors import CorruptFileError, StorageError
from glossator.probes.activation_index.progress import NEXT_STEP
from glossator.probes.atomic_file import written_atomically
from glossator.probes.split_view import Firings
from glossator.records import Split
from glossator.records.base import Record

BLOCK = 2**16
_TOP_EXPONENT = 15
_SMALLEST = np.float16(6e-8)
_TENSORS = (("indptr", "U32", "<u4"), ("position", "U16", "<u2"), ("activation", "F16", "<f2"))


class ShardPlace(Record):
    """Which rows a shard holds, of which index."""

    key: str
    """`Manifest.shard_key` of the index."""
    split: Split
    """The split."""
    number: int
    """Place among the split's shards."""
    first_row: int
    """First row."""
    rows: int
    """Rows."""
    start: int
    """Position of the first row in the split's stream."""
    positions: int
    """Positions of all its rows."""
    features: int
    """Features of the dictionary."""

    @property
    def name(self) -> str:
        """The file's path below the index's folder."""
        return f"shards/{self.split}-{self.number:05d}.safetensors"

    @property
    def blocks(self) -> int:
        """Blocks of positions."""
        return -(-self.positions // BLOCK)


class ShardHeader(Record):
    """What a shard's file says of itself."""

    place: ShardPlace
    """Which rows it holds."""
    exponent: int
    """Stored activations are to be multiplied by 2^exponent."""
    sha256: str
    """SHA-256 of the data after the header."""


class Pairs(NamedTuple):
    """Activations as coordinates, in any order."""

    feature: Int[np.ndarray, " pairs"]
    """Feature; int32."""
    position: Int[np.ndarray, " pairs"]
    """Position from the shard's first; int32."""
    activation: Float[np.ndarray, " pairs"]
    """Above 0; float32."""


def write_shard(folder: Path, place: ShardPlace, pairs: Pairs) -> None:
    """Sort `pairs` and write them as the shard of `place`; they are finite and above 0."""
    group = pairs.feature.astype(np.int64) * place.blocks + (pairs.position >> 16)
    low = (pairs.position & (BLOCK - 1)).astype(np.uint16)
    order = _order(group, low)
    indptr = np.zeros(place.features * place.blocks + 1, dtype=np.uint32)
    np.cumsum(np.bincount(group, minlength=len(indptr) - 1), out=indptr[1:])
    largest = float(pairs.activation.max(initial=0.0))
    exponent = int(np.frexp(largest)[1]) - _TOP_EXPONENT if largest > 0 else 0
    scaled = np.ldexp(pairs.activation[order], -exponent).astype(np.float16)
    data = [indptr.astype("<u4"), low[order].astype("<u2"), np.maximum(scaled, _SMALLEST).astype("<f2")]
    digest = hashlib.sha256()
    for array in data:
        digest.update(array.data)
    header = ShardHeader(place=place, exponent=exponent, sha256=digest.hexdigest())
    with written_atomically(folder / place.name) as stream:
        stream.write(_header_bytes(header, [len(array) for array in data]))
        for array in data:
            stream.write(array.data)


def _order(group: Int[np.ndarray, " pairs"], low: Integer[np.ndarray, " pairs"]) -> Int[np.ndarray, " pairs"]:
    """Order by group, then low: numpy sorts 16-bit keys stably in linear time, so one pass per 16 bits."""
    order = np.argsort(low, kind="stable")
    highest = int(group.max(initial=0))
    for shift in range(0, max(highest.bit_length(), 1), 16):
        digit = ((group >> shift) & 0xFFFF).astype(np.uint16)
        order = order[np.argsort(digit[order], kind="stable")]
    return order


def _header_bytes(header: ShardHeader, lengths: list[int]) -> bytes:
    entries: dict[str, object] = {"__metadata__": {"shard": header.model_dump_json()}}
    at = 0
    for (name, kind, dtype), length in zip(_TENSORS, lengths, strict=True):
        end = at + length * np.dtype(dtype).itemsize
        entries[name] = {"dtype": kind, "shape": [length], "data_offsets": [at, end]}
        at = end
    raw = json.dumps(entries, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    return len(raw).to_bytes(8, "little") + raw


@dataclass(frozen=True)
class Shard:
    """A shard's file, memory-mapped."""

    path: Path
    header: ShardHeader
    indptr: Integer[np.ndarray, " starts"]
    position: Integer[np.ndarray, " pairs"]
    activation: Float[np.ndarray, " pairs"]

    @classmethod
    def open(cls, path: Path) -> Shard:
        """Map the shard at `path`, which holds a file open as long as it is used.

        Raises:
            CorruptFileError: its header or size is wrong.
            StorageError: too many files are open.
        """
        try:
            raw = np.memmap(path, dtype=np.uint8, mode="r")
            length = int.from_bytes(raw[:8].tobytes(), "little")
            entries = cast(dict[str, dict[str, object]], json.loads(raw[8 : 8 + length].tobytes()))
            header = ShardHeader.model_validate_json(cast(str, entries["__metadata__"]["shard"]))
            arrays = [_tensor(raw[8 + length :], entries[name], dtype) for name, _, dtype in _TENSORS]
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as exc:
            if isinstance(exc, OSError) and exc.errno in (errno.EMFILE, errno.ENFILE):
                raise StorageError(
                    f"cannot open {str(path)!r}: too many files are open, and an index needs one for each of "
                    "its shards; raise the limit, such as with `ulimit -n 20000`, and run the command again"
                ) from exc
            raise CorruptFileError(
                f"{str(path)!r} is missing, truncated or altered; {NEXT_STEP} again to redo it"
            ) from exc
        return cls(path, header, *arrays)

    def is_intact(self) -> bool:
        """Whether the data are what the header says."""
        digest = hashlib.sha256()
        for array in (self.indptr, self.position, self.activation):
            digest.update(array.data)
        return digest.hexdigest() == self.header.sha256

    def firings(self, feature: int) -> Firings:
        """Where `feature` fires in this shard, by position in the split's stream."""
        place = self.header.place
        borders = self.indptr[feature * place.blocks : (feature + 1) * place.blocks + 1].astype(np.int64)
        pairs = slice(int(borders[0]), int(borders[-1]))
        position = self.position[pairs].astype(np.int64) + place.start
        if place.blocks > 1:
            position += np.repeat(np.arange(place.blocks) * BLOCK, np.diff(borders))
        return Firings(position, np.ldexp(self.activation[pairs].astype(np.float32), self.header.exponent))


def _tensor(data: Integer[np.ndarray, " bytes"], entry: dict[str, object], dtype: str) -> np.ndarray:
    start, end = cast(list[int], entry["data_offsets"])
    if end > len(data):
        raise ValueError(f"the file ends {end - len(data)} bytes early")
    return np.frombuffer(data, dtype=dtype, count=(end - start) // np.dtype(dtype).itemsize, offset=start)
