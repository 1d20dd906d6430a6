"""Windows of a split that speak of a concept, and windows that do not: texts where nobody gives any.

By meaning: of a pool of random windows, those nearest to the concept's words by sentence embedding, against
random ones of the less near. By words, where there is no embedder: windows around the concept's words,
against windows without them. Either is a stand-in for what a person means by the concept, and is reported
as such. At most `PER_DOCUMENT` windows of a document, so that no single document makes a class.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from glossator.probes.labelled_texts import LabelledTexts
from glossator.probes.negatives import WindowPool
from glossator.probes.split_view import AnyView
from glossator.probes.text_embedder import TextEmbedder
from glossator.probes.windows import WindowBatch, window_texts, windows_at

WIDTH = 48
"""Tokens of a window."""
PER_DOCUMENT = 4
"""Windows of one document in one class."""
FAR_SHARE = 0.6
"""Windows without the concept come from this least near part of the pool."""
_WORD = re.compile(r"[^\W\d_]{3,}")
_EMPTY_WORDS = frozenset(
    [
        "about",
        "and",
        "are",
        "for",
        "from",
        "how",
        "into",
        "its",
        "not",
        "that",
        "the",
        "their",
        "this",
        "was",
        "were",
        "what",
        "with",
    ]
)


@dataclass(frozen=True)
class DrawnTexts:
    """Texts of a split with how they were told apart."""

    texts: LabelledTexts
    nearness_with: float
    """Mean similarity to the concept's words of texts with it; 1 if drawn by words."""
    nearness_without: float
    """The same of texts without it; 0 if drawn by words."""


def concept_words(concept: str) -> tuple[str, ...]:
    """The words of a concept that say something, lower case."""
    found = dict.fromkeys(w.casefold() for w in _WORD.findall(concept))
    return tuple(w for w in found if w not in _EMPTY_WORDS)


def windows_by_meaning(
    view: AnyView, pool: WindowPool, embedder: TextEmbedder, concept: str, *, n: int, seed: int
) -> DrawnTexts:
    """Up to `n` windows of each kind out of `pool`, told apart by similarity to `concept`."""
    nearness = pool.vectors @ embedder.embed([concept])[0]
    order = np.argsort(-nearness, kind="stable")
    near = _spread(pool.windows, order[: max(1, round(len(order) * (1 - FAR_SHARE)))], n)
    far = np.random.default_rng(seed).permutation(order[round(len(order) * (1 - FAR_SHARE)) :])
    far = _spread(pool.windows, far, len(near))
    texts = _texts(view, pool.windows, near, far)
    return DrawnTexts(texts, _mean(nearness[near]), _mean(nearness[far]))


def windows_by_words(view: AnyView, concept: str, *, n: int, seed: int) -> DrawnTexts:
    """Up to `n` windows around words of `concept`, and as many that hold none of them."""
    rng = np.random.default_rng(seed)
    wanted = concept_words(concept)
    text = view.text
    starts = _tokens_starting(view, wanted) & text.eligible
    at = windows_at(text, rng.permutation(np.flatnonzero(starts)), width=WIDTH)
    other = windows_at(text, rng.permutation(np.flatnonzero(text.eligible))[: 20 * n], width=WIDTH)
    counts = np.concatenate([[0], np.cumsum(starts)])
    other = other.take(counts[other.stop] == counts[other.start])
    near = _spread(at, _apart(at), n)
    far = _spread(other, _apart(other), len(near))
    both = LabelledTexts(
        tuple(window_texts(view, at.take(near)) + window_texts(view, other.take(far))),
        np.repeat([True, False], [len(near), len(far)]),
        np.concatenate([at.document[near], other.document[far]]),
        _ids(view, at.take(near)) + _ids(view, other.take(far)),
    )
    return DrawnTexts(both, 1.0, 0.0)


def _tokens_starting(view: AnyView, words: tuple[str, ...]) -> Bool[np.ndarray, " tokens"]:
    """Where a token begins that is, or begins, one of the words."""
    stripped = [t.strip().casefold() for t in view.text.vocabulary.texts]
    fits = np.array([(len(t) > 3 and any(w.startswith(t) for w in words)) or t in words for t in stripped])
    return fits[view.text.ids]


def _apart(windows: WindowBatch) -> Int[np.ndarray, " chosen"]:
    """Numbers of windows of which no two share their stretch of the stream, in order."""
    _, first = np.unique(windows.start // WIDTH, return_index=True)
    return np.sort(first)


def _spread(windows: WindowBatch, order: Int[np.ndarray, " ordered"], n: int) -> Int[np.ndarray, " chosen"]:
    """The first `n` of `order` that do not overlap an earlier one, at most `PER_DOCUMENT` of a document."""
    taken: list[int] = []
    per_document: dict[int, int] = {}
    for i in order.tolist():
        document = int(windows.document[i])
        if len(taken) == n:
            break
        if per_document.get(document, 0) == PER_DOCUMENT:
            continue
        if any(windows.start[i] < windows.stop[j] and windows.start[j] < windows.stop[i] for j in taken):
            continue
        per_document[document] = per_document.get(document, 0) + 1
        taken.append(i)
    return np.array(taken, dtype=np.int64)


def _texts(
    view: AnyView, windows: WindowBatch, near: Int[np.ndarray, " a"], far: Int[np.ndarray, " b"]
) -> LabelledTexts:
    chosen = windows.take(np.concatenate([near, far]))
    has = np.repeat([True, False], [len(near), len(far)])
    return LabelledTexts(tuple(window_texts(view, chosen)), has, chosen.document, _ids(view, chosen))


def _ids(view: AnyView, windows: WindowBatch) -> tuple[str, ...]:
    """Document and position of each window: no text."""
    documents = [view.text.documents[int(d)].id for d in windows.document]
    return tuple(f"{view.split}:{d}@{s}" for d, s in zip(documents, windows.start.tolist(), strict=True))


def _mean(values: Float[np.ndarray, " n"]) -> float:
    return float(values.mean()) if len(values) else 0.0
