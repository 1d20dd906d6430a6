"""What claims are held against: sentence embeddings, `explore`, and the dictionary's directions.

Each part may be missing; what needs it is then not said.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

from glossator.agents.memory_use.meanings import Meaning
from glossator.agents.memory_use.same_text import plain_words
from glossator.probes.predicate_evaluation import evaluate
from glossator.probes.split_view import ExploreView
from glossator.records import Predicate, predicate_json

UNLIKE = 0.3
"""Cosine of sentence embeddings below which two wordings speak of different things."""
ALIKE = 0.7
"""Above it they speak of the same, whatever their predicates."""
OVERLAP = 0.2
"""Jaccard index below which two predicates hold on different tokens."""
INSIDE = 0.8
"""Share of the narrower predicate's tokens above which it only says it more narrowly."""
NEAR = 0.9
"""Cosine above which two directions are nearly one."""
LEAST_FIRINGS = 10
"""Firings that both features need before never firing together means anything."""
_ROWS = 1024


@runtime_checkable
class Embeds(Protocol):
    """What turns texts into unit vectors."""

    def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "texts d"]:
        """One vector of length 1 per text."""
        ...


class Overlap(NamedTuple):
    """How far two predicates hold on the same tokens of `explore`."""

    jaccard: float
    inside: float
    """Share of the narrower one's tokens on which the wider one holds, too."""


class NearPair(NamedTuple):
    """Two features whose directions are nearly one."""

    first: int
    second: int
    cosine: float


@dataclass(frozen=True)
class Ground:
    """What is there to hold claims against."""

    embedder: Embeds | None = None
    """Must know meanings: a hashing embedder, which only knows words, is None here."""
    explore: ExploreView | None = None
    directions: Callable[[Sequence[int]], Float[np.ndarray, "n d"]] | None = None
    """What the given features write, a row each; called once there are two to compare."""
    _points: dict[str, np.ndarray] = field(default_factory=dict[str, np.ndarray], repr=False)
    _held: dict[str, np.ndarray] = field(default_factory=dict[str, np.ndarray], repr=False)

    def similarity(self, a: str, b: str) -> float | None:
        """Cosine of the embeddings of two texts, 1 for the same words; None without an embedder."""
        if plain_words(a) == plain_words(b):
            return 1.0
        if self.embedder is None:
            return None
        new = [t for t in (a, b) if t not in self._points]
        if new:
            self._points.update(zip(new, self.embedder.embed(new), strict=True))
        return float(self._points[a] @ self._points[b])

    def overlap(self, a: Predicate | None, b: Predicate | None) -> Overlap | None:
        """Where both hold; None where one is missing or holds nowhere."""
        if self.explore is None or a is None or b is None:
            return None
        first, second = self._holds(a), self._holds(b)
        least = min(int(first.sum()), int(second.sum()))
        if least == 0:
            return None
        both = int((first & second).sum())
        return Overlap(both / int((first | second).sum()), both / least)

    def disagreement(self, a: Meaning, b: Meaning) -> str | None:
        """Why two claims cannot both describe the same thing, with the numbers; None where they can.

        Predicates decide where both have one and the wording does not say the same; else the wording alone.
        """
        similarity, overlap = self.similarity(a.text, b.text), self.overlap(a.predicate, b.predicate)
        alike = "" if similarity is None else f"; similarity of the wording {similarity:.2f}"
        if overlap is not None:
            apart = overlap.jaccard < OVERLAP and overlap.inside < INSIDE
            if apart and (similarity is None or similarity < ALIKE):
                return f"their predicates hold on different tokens: Jaccard {overlap.jaccard:.2f}{alike}"
            return None
        if similarity is not None and similarity < UNLIKE:
            return f"they are worded unlike each other: similarity {similarity:.2f}"
        return None

    def never_together(self, a: int, b: int) -> str | None:
        """The counts, where both fire often enough and never on the same token; None otherwise."""
        if self.explore is None:
            return None
        first, second = (self.explore.firings(f).position for f in (a, b))
        if min(len(first), len(second)) < LEAST_FIRINGS or len(np.intersect1d(first, second)):
            return None
        return f"{len(first)} and {len(second)} firings on explore, none on the same token"

    def near_pairs(self, features: Sequence[int]) -> Generator[NearPair]:
        """Pairs of `features` whose directions have a cosine above `NEAR`; none without directions."""
        if self.directions is None or len(features) < 2:
            return
        rows = np.array(self.directions(features), dtype=np.float32)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        for start in range(0, len(rows), _ROWS):
            cosine = rows[start : start + _ROWS] @ rows.T
            for i, j in np.argwhere(cosine > NEAR):
                if j > i + start:
                    yield NearPair(features[int(i) + start], features[int(j)], float(cosine[i, j]))

    def _holds(self, predicate: Predicate) -> Bool[np.ndarray, " tokens"]:
        assert self.explore is not None
        key = str(predicate_json(predicate))
        if key not in self._held:
            self._held[key] = evaluate(predicate, self.explore.text)
        return self._held[key]
