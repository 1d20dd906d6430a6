"""The difference of two AUCs on the same examples, with documents as the unit that is resampled."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float, Int

from glossator.probes.auc import auc_interval
from glossator.probes.intervals import t_quantile
from glossator.records import Interval


def paired_auc_difference(
    first: Float[np.ndarray, " examples"],
    second: Float[np.ndarray, " examples"],
    firing: Bool[np.ndarray, " examples"],
    document: Int[np.ndarray, " examples"],
    *,
    seed: int,
    draws: int = 1000,
) -> Interval:
    """Interval of `auc(first) - auc(second)`; examples of both classes are assumed.

    A bootstrap over documents, the same drawn for both, with percentiles widened for few documents
    (Hesterberg 2015, https://arxiv.org/abs/1411.5279, section 5.3). With fewer than two documents, or
    no spread, it is wide: the difference of the two intervals.
    """
    _, number = np.unique(document, return_inverse=True)
    documents = int(number.max()) + 1
    weights = _document_weights(documents, draws, seed)
    firing_weights, silent_weights = weights[:, number[firing]], weights[:, number[~firing]]
    better = _wins(first, firing) - _wins(second, firing)
    pairs = firing_weights.sum(axis=1) * silent_weights.sum(axis=1)
    drawn = ((firing_weights @ better) * silent_weights).sum(axis=1)[pairs > 0] / pairs[pairs > 0]
    if documents < 2 or not len(drawn) or float(np.ptp(drawn)) < 1e-12:
        a, b = (auc_interval(scores[None], firing, number) for scores in (first, second))
        return Interval(low=a.low - b.high, high=a.high - b.low, method="difference of two intervals")
    low, high = np.quantile(drawn, [tail := _tail(documents), 1 - tail])
    return Interval(low=float(low), high=float(high), method="paired bootstrap over documents")


def _document_weights(documents: int, draws: int, seed: int) -> Float[np.ndarray, "draws documents"]:
    """How often each document is in each draw."""
    drawn = np.random.default_rng(seed).integers(documents, size=(draws, documents))
    flat = (drawn + np.arange(draws)[:, None] * documents).ravel()
    return np.bincount(flat, minlength=draws * documents).reshape(draws, documents).astype(np.float64)


def _wins(
    scores: Float[np.ndarray, " examples"], firing: Bool[np.ndarray, " examples"]
) -> Float[np.ndarray, "firing silent"]:
    """1 where a firing example scores above a silent one, ½ where they tie."""
    gap = scores[firing][:, None] - scores[~firing][None, :]
    return 0.5 * (np.sign(gap) + 1)


def _tail(clusters: int) -> float:
    from scipy.special import ndtr

    return float(ndtr(-math.sqrt(clusters / (clusters - 1)) * t_quantile(clusters - 1)))
