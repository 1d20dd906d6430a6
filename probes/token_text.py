"""The tokenised documents of one split: what predicates run on and windows are cut from.

Tokens of all rows stand one after another in one stream; a *row* is what was fed to the subject at
once (a document, or a piece of one that fills the context window). A *position* is an index into
the stream. Nothing here knows about features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from glossator.probes.vocabulary import Vocabulary


class DocumentInfo(NamedTuple):
    """Where a text came from."""

    id: str
    """Unique within its corpus."""
    title: str
    """For people; may be empty."""
    genre: str
    """`news`, `code`, …; may be empty."""


@dataclass(frozen=True)
class TokenText:
    """One split's token stream, cut into rows.

    `eligible` is False at the first position of each row (attention sinks) and at special tokens:
    evidence and scores leave those out.
    """

    ids: Int[np.ndarray, " tokens"]
    row_start: Int[np.ndarray, " row_bounds"]
    row_document: Int[np.ndarray, " rows"]
    documents: Sequence[DocumentInfo]
    vocabulary: Vocabulary

    def __len__(self) -> int:
        return int(self.ids.shape[0])

    @cached_property
    def eligible(self) -> Bool[np.ndarray, " tokens"]:
        """Positions that may be evidence."""
        mask = ~self.vocabulary.special[self.ids]
        mask[self.row_start[self.row_start < len(self)]] = False
        return mask

    @cached_property
    def row_of(self) -> Int[np.ndarray, " tokens"]:
        """The row of each position."""
        return np.repeat(np.arange(len(self.row_document), dtype=np.int32), np.diff(self.row_start))

    def document_of(self, positions: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The document number of each position."""
        return self.row_document[self.row_of[positions]]

    def strings(self, start: int, stop: int) -> tuple[str, ...]:
        """Token texts of `start:stop`."""
        texts = self.vocabulary.texts
        return tuple(map(texts.__getitem__, self.ids[start:stop].tolist()))
