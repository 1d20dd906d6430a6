"""AUC of scores, with intervals that treat documents, not windows, as the independent unit.

Obuchowski's clustered form of DeLong's variance (https://doi.org/10.2307/2533958), taken on the
logit scale with a t quantile. Where it has no spread to work with (an AUC of 0 or 1, fewer than two
documents on a side) the interval is Wilson's with documents as n. Several readings of the same
examples (by explanations of other features) are averaged; their own spread adds to the variance.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from glossator.probes.intervals import t_quantile, wilson_ends
from glossator.records import Interval


class _Components(NamedTuple):
    """For each reading and example: the share of the other class that it is on the right side of."""

    firing: Float[np.ndarray, "readings firing"]
    silent: Float[np.ndarray, "readings silent"]


def auc_value(
    scores: Float[np.ndarray, "readings examples"], firing: Bool[np.ndarray, " examples"]
) -> float | None:
    """Probability that a firing example scores above a silent one, ties half, averaged over readings.

    None if either class is empty.
    """
    if firing.all() or not firing.any() or not len(scores):
        return None
    return float(_components(scores, firing).firing.mean())


def auc_interval(
    scores: Float[np.ndarray, "readings examples"],
    firing: Bool[np.ndarray, " examples"],
    document: Int[np.ndarray, " examples"],
) -> Interval:
    """Interval of `auc_value` with documents as clusters; no randomness. The whole range if it is None."""
    if auc_value(scores, firing) is None:
        return Interval(low=0.0, high=1.0, method="no examples")
    parts = _components(scores, firing)
    auc, readings = float(parts.firing.mean()), len(scores)
    clusters = min(len(np.unique(document[firing])), len(np.unique(document[~firing])))
    variance = _clustered_variance(
        parts.firing.mean(axis=0) - auc, parts.silent.mean(axis=0) - auc, document[firing], document[~firing]
    )
    degrees = clusters - 1
    if readings > 1:
        variance += float(parts.firing.mean(axis=1).var(ddof=1)) / readings
        degrees = min(degrees, readings - 1)
    if clusters < 2 or variance <= 0 or not 0 < auc < 1:
        low, high = wilson_ends(auc, clusters)
        return Interval(low=low, high=high, method="wilson, documents as n")
    half = t_quantile(degrees) * math.sqrt(variance) / (auc * (1 - auc))
    logit = math.log(auc / (1 - auc))
    return Interval(low=_sigmoid(logit - half), high=_sigmoid(logit + half), method="clustered DeLong")


def _components(
    scores: Float[np.ndarray, "readings examples"], firing: Bool[np.ndarray, " examples"]
) -> _Components:
    above = [_beaten_share(s[firing], s[~firing]) for s in scores]
    below = [1.0 - _beaten_share(s[~firing], s[firing]) for s in scores]
    return _Components(np.stack(above), np.stack(below))


def _beaten_share(
    scores: Float[np.ndarray, " a"], others: Float[np.ndarray, " b"]
) -> Float[np.ndarray, " a"]:
    """For each score, the share of `others` below it, ties half."""
    ordered = np.sort(others)
    below, upto = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
    return (below + upto) / (2.0 * len(ordered))


def _clustered_variance(
    above: Float[np.ndarray, " p"],
    below: Float[np.ndarray, " n"],
    positive_document: Int[np.ndarray, " p"],
    negative_document: Int[np.ndarray, " n"],
) -> float:
    """Obuchowski's variance of the AUC from centred structural components."""
    documents, inverse = np.unique(
        np.concatenate([positive_document, negative_document]), return_inverse=True
    )
    split, k = len(above), len(documents)
    up = np.bincount(inverse[:split], above, minlength=k)
    down = np.bincount(inverse[split:], below, minlength=k)
    n_up, n_down = len(np.unique(inverse[:split])), len(np.unique(inverse[split:]))
    m, n = len(above), len(below)
    first = n_up / max(1, n_up - 1) * float(up @ up) / m**2
    second = n_down / max(1, n_down - 1) * float(down @ down) / n**2
    both = k / max(1, k - 1) * float(up @ down) * 2 / (m * n)
    return first + second + both


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-min(700.0, max(-700.0, x))))
