"""A first look at a corpus: what it is, and which documents a limit on tokens leaves.

A limit must not mean "the first genre only", nor may a huge data set be read to its end for a few
tokens. So documents are ranked by a hash of their text and taken in that order; with a limit of T
tokens, the ranking goes over the first 64 T characters (at least 50 million) of the corpus, and no
document gives more than T / 64 tokens (at least `SHORTEST_CUT`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt64

from glossator.probes.corpus_document import Document

READ_AT_LEAST = 50_000_000
READ_PER_TOKEN = 64
"""Characters of corpus that are ranked per token asked for."""
SHARES = 64
"""A document gives at most this part of the limit."""
SHORTEST_CUT = 256
"""Tokens that a document may always give."""
CHARACTERS_PER_TOKEN = 8
"""Characters per token, guessed high, when candidates are chosen before their tokens are counted."""


class Survey(NamedTuple):
    """What was read, and how its documents rank."""

    fingerprint: str
    """SHA-256 over the ids and texts that were read, in order."""
    characters: Int[np.ndarray, " documents"]
    """Length of each document that was read."""
    rank_key: UInt64[np.ndarray, " documents"]
    """Documents with small keys are taken first."""
    tokens: int | None
    """The limit; None for all."""

    @property
    def most_per_document(self) -> int | None:
        """The most tokens that one document gives; None for all."""
        return None if self.tokens is None else max(SHORTEST_CUT, self.tokens // SHARES)

    def candidates(self, widen: int) -> Bool[np.ndarray, " documents"]:
        """Documents that should hold the limit's tokens if a token has at most 8 × `widen` characters."""
        chosen = np.ones(len(self.characters), dtype=bool)
        if self.tokens is None or self.most_per_document is None:
            return chosen
        width = CHARACTERS_PER_TOKEN * widen
        order = np.argsort(self.rank_key, kind="stable")
        usable = np.minimum(self.characters[order], self.most_per_document * width)
        needed = int(np.searchsorted(np.cumsum(usable), self.tokens * width)) + 1
        chosen[order[needed:]] = False
        return chosen

    def quota(self, counts: Int[np.ndarray, " documents"]) -> Int[np.ndarray, " documents"]:
        """Tokens to take of each document, in order of rank, until the limit is reached."""
        if self.tokens is None or self.most_per_document is None:
            return counts
        order = np.argsort(self.rank_key, kind="stable")
        usable = np.minimum(counts[order], self.most_per_document)
        before = np.cumsum(usable) - usable
        quota = np.zeros_like(counts)
        quota[order] = np.clip(self.tokens - before, 0, usable)
        return quota


def survey(documents: Iterable[Document], tokens: int | None) -> Survey:
    """Read `documents` once, as far as a limit of `tokens` needs.

    Args:
        documents: the corpus, which will be read again for its tokens.
        tokens: the limit; None for all.
    """
    digest = hashlib.sha256()
    lengths: list[int] = []
    keys: list[int] = []
    budget = None if tokens is None else max(READ_AT_LEAST, READ_PER_TOKEN * tokens)
    total = 0
    for document in documents:
        text_hash = hashlib.sha256(document.text.encode()).digest()
        digest.update(hashlib.sha256(document.id.encode("utf-8", "surrogatepass")).digest() + text_hash)
        lengths.append(len(document.text))
        keys.append(int.from_bytes(text_hash[8:16], "big"))  # the first eight bytes are near the split's
        total += len(document.text)
        if budget is not None and total >= budget:
            break
    return Survey(digest.hexdigest(), np.array(lengths, np.int64), np.array(keys, np.uint64), tokens)


def read_again(documents: Iterable[Document], surveyed: Survey) -> Iterable[Document]:
    """The documents that were surveyed, once more."""
    return islice(documents, len(surveyed.characters))
