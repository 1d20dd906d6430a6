"""Token streams on disk: each split's tokens, rows and documents, written once and memory-mapped.

Three files a split: `SPLIT.ids` (uint16, or uint32 where the vocabulary needs it, little-endian),
`SPLIT.rows` (int32 pairs: document, length) and `SPLIT.documents.jsonl` (id, title, genre). A document
is cut into rows of about equal length, at most `context` tokens each, so that no row is a stump.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import overload

import numpy as np
from jaxtyping import Int, Integer

from glossator.errors import CorruptFileError
from glossator.probes.token_text import DocumentInfo, TokenText
from glossator.probes.vocabulary import Vocabulary
from glossator.records import Split

ROWS = np.dtype([("document", "<i4"), ("length", "<i4")])


def ids_dtype(vocabulary_size: int) -> np.dtype[np.uint16] | np.dtype[np.uint32]:
    """The narrowest type that holds every token id."""
    return np.dtype("<u2") if vocabulary_size <= 2**16 else np.dtype("<u4")


def file_names(split: Split) -> tuple[str, str, str]:
    """Names of the ids, rows and documents files of `split`."""
    return f"{split}.ids", f"{split}.rows", f"{split}.documents.jsonl"


class StoredDocuments(Sequence[DocumentInfo]):
    """Documents read from JSON lines as they are asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as stream:
            empty = path.stat().st_size == 0
            self._raw = b"" if empty else mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        ends = np.flatnonzero(np.frombuffer(self._raw, dtype=np.uint8) == ord("\n"))
        self._border = np.concatenate([[0], ends + 1])
        self._parsed = lru_cache(maxsize=8192)(self._parse)

    def __len__(self) -> int:
        return len(self._border) - 1

    @overload
    def __getitem__(self, index: int) -> DocumentInfo: ...
    @overload
    def __getitem__(self, index: slice) -> list[DocumentInfo]: ...
    def __getitem__(self, index: int | slice) -> DocumentInfo | list[DocumentInfo]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = int(index) + (len(self) if index < 0 else 0)
        if not 0 <= number < len(self):
            raise IndexError(f"document {index} of {len(self)}")
        return self._parsed(number)

    def _parse(self, number: int) -> DocumentInfo:
        line = self._raw[int(self._border[number]) : int(self._border[number + 1])]
        try:
            return DocumentInfo(*json.loads(line))
        except (ValueError, TypeError) as exc:
            raise CorruptFileError(
                f"{str(self._path)!r} is damaged in line {number + 1}; run the index build again to repair it"
            ) from exc


@dataclass(frozen=True)
class SplitTokens:
    """One split's stored tokens, memory-mapped."""

    folder: Path
    """Where its three files stand."""
    split: Split
    vocabulary: Vocabulary

    @cached_property
    def ids(self) -> Integer[np.ndarray, " tokens"]:
        """Token ids as stored."""
        return _mapped(self.folder / file_names(self.split)[0], ids_dtype(len(self.vocabulary)))

    @cached_property
    def row_start(self) -> Int[np.ndarray, " starts"]:
        """Where rows start, and where the last one ends."""
        starts = np.zeros(len(self._rows) + 1, dtype=np.int64)
        np.cumsum(self._rows["length"], out=starts[1:])
        return starts

    @cached_property
    def text(self) -> TokenText:
        """The split as the text that predicates and windows read."""
        return TokenText(
            ids=np.asarray(self.ids).astype(np.int32),
            row_start=self.row_start,
            row_document=self._rows["document"].astype(np.int32),
            documents=StoredDocuments(self.folder / file_names(self.split)[2]),
            vocabulary=self.vocabulary,
        )

    @cached_property
    def _rows(self) -> np.ndarray:
        return _mapped(self.folder / file_names(self.split)[1], ROWS)


def _mapped(path: Path, dtype: np.dtype) -> np.ndarray:
    if path.stat().st_size == 0:
        return np.zeros(0, dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="r")
