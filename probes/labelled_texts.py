"""Texts with a concept and texts without it, as aligned arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int


@dataclass(frozen=True)
class LabelledTexts:
    """Texts, which of them have the concept, and what they belong to."""

    texts: tuple[str, ...]
    has: Bool[np.ndarray, " texts"]
    """True where the text has the concept."""
    document: Int[np.ndarray, " texts"]
    """Texts of one document resemble each other: numbers of documents, for intervals and tests."""
    ids: tuple[str, ...]
    """What a record names each text by: a hash, or a place in the corpus."""

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def n_with(self) -> int:
        """Texts with the concept."""
        return int(self.has.sum())

    @property
    def n_without(self) -> int:
        """Texts without it."""
        return len(self) - self.n_with


def labelled(texts: Sequence[str], has: Sequence[bool]) -> LabelledTexts:
    """Texts that each stand for themselves, named by their hash."""
    return LabelledTexts(
        tuple(texts),
        np.array(has, dtype=bool),
        np.arange(len(texts)),
        tuple(text_hash(t) for t in texts),
    )


def joined(first: LabelledTexts, second: LabelledTexts) -> LabelledTexts:
    """Both, one after the other; their documents stay apart."""
    offset = int(first.document.max(initial=-1)) + 1
    return LabelledTexts(
        first.texts + second.texts,
        np.concatenate([first.has, second.has]),
        np.concatenate([first.document, second.document + offset]),
        first.ids + second.ids,
    )


def text_hash(text: str) -> str:
    """`t-` and 12 hex digits of the text's SHA-256."""
    return "t-" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
