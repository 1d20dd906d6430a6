"""What words have in common, by sentence embedding: the nearest of a short list of common terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


@runtime_checkable
class WordEmbedder(Protocol):
    """Turns texts into vectors of length 1."""

    def embed(self, texts: Sequence[str], batch_size: int = 64) -> Float[np.ndarray, "n d"]:
        """One float32 vector per text."""
        ...


class WordFamilies:
    """Names groups of words."""

    def __init__(self, embedder: WordEmbedder) -> None:
        self._embedder = embedder

    def name(self, words: Sequence[str]) -> str | None:
        """The common term, or None if none is near enough."""
        return None
