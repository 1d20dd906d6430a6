"""Which split a document falls into: decided by its text, never by hand or by order.

The text is normalised (NFKC, lower case, runs of whitespace as one space); the first eight bytes of
its SHA-256 as a fraction of 2^64 decide: below 0.6 explore, below 0.8 validate, else sealed. So the
same text is in the same split in every corpus and for everyone. A near duplicate goes where the
first document of its group went.
"""

from __future__ import annotations

import hashlib
import unicodedata

from glossator.probes.near_duplicates import NearDuplicates
from glossator.records import Split

EXPLORE_BELOW = 0.6
VALIDATE_BELOW = 0.8


def normalise(text: str) -> str:
    """`text` as splits and near duplicates compare it."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def split_of(text: str) -> Split:
    """The split of `text`, regardless of case and whitespace."""
    return _split_of_normalised(normalise(text))


class SplitAssigner:
    """Assigns documents to splits in the order of the corpus; near duplicates fall together."""

    def __init__(self, seed: int = 0) -> None:
        self._near_duplicates = NearDuplicates(seed)
        self._splits: list[Split] = []

    def assign(self, text: str) -> Split:
        """The split of the next document."""
        normalised = normalise(text)
        number = len(self._splits)
        first = self._near_duplicates.first_like(number, normalised)
        split = _split_of_normalised(normalised) if first == number else self._splits[first]
        self._splits.append(split)
        return split


def _split_of_normalised(normalised: str) -> Split:
    digest = hashlib.sha256(normalised.encode("utf-8", "surrogatepass")).digest()
    fraction = int.from_bytes(digest[:8], "big") / 2**64
    if fraction < EXPLORE_BELOW:
        return Split.EXPLORE
    return Split.VALIDATE if fraction < VALIDATE_BELOW else Split.SEALED
