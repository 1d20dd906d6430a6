"""Readers: what turns an explanation into an answer about each window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from glossator.agents.scorers.held_tokens import HeldTokensCache
from glossator.probes.split_view import AnyView
from glossator.probes.text_embedder import TextEmbedder
from glossator.probes.windows import WindowBatch, window_texts
from glossator.records import Explanation


class PredicateReader:
    """Says that a window fires where the predicate holds at any of its eligible tokens."""

    name = "predicate"

    def __init__(self, held: HeldTokensCache) -> None:
        self._held = held

    def answers(
        self, readings: Sequence[Explanation], windows: WindowBatch
    ) -> Bool[np.ndarray, "readings windows"]:
        """One row per explanation; each must have a predicate."""
        rows = [self._held.of(e.predicate).anywhere_in(windows) for e in readings if e.predicate is not None]
        return np.stack(rows) if rows else np.zeros((0, len(windows)), dtype=bool)


class EmbedderReader:
    """Says that a window fires where its text is nearer to the explanation than a threshold.

    The threshold is set for each explanation on windows of `validate`, never on `sealed`.
    """

    name = "embedder"

    def __init__(self, embedder: TextEmbedder) -> None:
        self._embedder = embedder

    def similarities(
        self, readings: Sequence[Explanation], view: AnyView, windows: WindowBatch
    ) -> Float[np.ndarray, "readings windows"]:
        """Cosine of each explanation's text with each window's text."""
        labels = self._embedder.embed([e.text for e in readings])
        if not len(windows):
            return np.zeros((len(readings), 0), np.float32)
        return labels @ self._embedder.embed(window_texts(view, windows)).T

    def answers(
        self,
        similarities: Float[np.ndarray, "readings windows"],
        tuning: Float[np.ndarray, "readings tuning"],
        fires: Bool[np.ndarray, " tuning"],
    ) -> Bool[np.ndarray, "readings windows"]:
        """Answers at each explanation's own threshold."""
        thresholds = np.array([best_threshold(row, fires) for row in tuning])
        return similarities >= thresholds[:, None]


def best_threshold(scores: Float[np.ndarray, " examples"], fires: Bool[np.ndarray, " examples"]) -> float:
    """The threshold with the best balanced accuracy on these examples, halfway between two scores.

    Without examples of both kinds it is their median, which knows nothing.
    """
    if fires.all() or not fires.any():
        return float(np.median(scores)) if len(scores) else 0.0
    order = np.argsort(scores, kind="stable")
    ordered, fired = scores[order], fires[order]
    missed = np.concatenate([[0.0], np.cumsum(fired) / fired.sum()])
    refused = np.concatenate([[0.0], np.cumsum(~fired) / (~fired).sum()])
    edges = np.concatenate([[ordered[0] - 1.0], (ordered[1:] + ordered[:-1]) / 2, [ordered[-1] + 1.0]])
    gain = np.where(np.concatenate([[True], ordered[1:] > ordered[:-1], [True]]), refused - missed, -np.inf)
    return float(edges[int(np.argmax(gain))])
