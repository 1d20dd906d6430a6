"""What words have in common, by sentence embedding: the nearest of a list of common terms.

A term is chosen when it lies nearer to the words than it lies to words at large, for most of the words
on their own and not only for their centroid; otherwise the words have no name.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from jaxtyping import Float

from glossator.agents.embedded_analyst.category_terms import CATEGORY_TERMS
from glossator.probes.text_embedder import TextEmbedder

LEAST_WORDS, MOST_WORDS = 3, 12
LEAST_LEAD = 3.0
"""How far the words' mean likeness to a term must stand out, in standard deviations over terms."""
LEAST_AGREEING = 0.6
"""Share of the words among whose nearest terms it must be."""
_NEAREST = 20


class WordFamilies:
    """Names groups of words."""

    def __init__(self, embedder: TextEmbedder, usual_words: Sequence[str]) -> None:
        """`usual_words` stand for words at large: a few hundred frequent ones."""
        self._embedder = embedder
        self._usual_words = usual_words
        self._kept: dict[str, Float[np.ndarray, " d"]] = {}

    @cached_property
    def _terms(self) -> Float[np.ndarray, "terms d"]:
        return self._embedder.embed(CATEGORY_TERMS)

    @cached_property
    def _usual(self) -> tuple[Float[np.ndarray, " terms"], Float[np.ndarray, " terms"]]:
        """Mean and spread of each term's likeness to words at large."""
        likeness = self._embedder.embed(self._usual_words) @ self._terms.T
        return likeness.mean(axis=0), likeness.std(axis=0) + 1e-3

    def _vectors(self, words: Sequence[str]) -> Float[np.ndarray, "words d"]:
        """Embeddings, kept: features of one dictionary share many words."""
        fresh = [word for word in words if word not in self._kept]
        if fresh:
            self._kept.update(zip(fresh, self._embedder.embed(fresh), strict=True))
        return np.stack([self._kept[word] for word in words])

    def name(self, words: Sequence[str]) -> str | None:
        """The common term, or None if none stands out."""
        words = [word for word in dict.fromkeys(words) if len(word) > 2][:MOST_WORDS]
        if len(words) < LEAST_WORDS:
            return None
        mean, spread = self._usual
        lead = (self._vectors(words) @ self._terms.T - mean) / spread
        overall = lead.mean(axis=0)
        nearest = np.argsort(-lead, axis=1)[:, :_NEAREST]
        agreeing = np.bincount(nearest.ravel(), minlength=len(CATEGORY_TERMS)) / len(words)
        best = int(np.argmax(np.where(agreeing >= LEAST_AGREEING, overall, -np.inf)))
        if agreeing[best] < LEAST_AGREEING or overall[best] < LEAST_LEAD:
            return None
        return CATEGORY_TERMS[best]
