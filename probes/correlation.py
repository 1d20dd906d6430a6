"""Pearson's correlation of predicted with true activations, over tokens, with documents resampled.

Predictions without any variance explain nothing: their correlation counts as 0, in the value and in
every draw alike.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from glossator.probes.intervals import draw_totals, percentile_ends, wilson_ends
from glossator.records import Interval

_NONE = 1e-9
"""A variance below this share of the mean square is rounding, not variance."""


def correlation_value(
    predicted: Float[np.ndarray, " tokens"], true: Float[np.ndarray, " tokens"]
) -> float | None:
    """Correlation over all tokens; 0 for a constant prediction, None where the truth does not vary."""
    (value,) = _correlations(_moments(predicted, true).sum(axis=0)[None, :])
    return None if np.isnan(value) else float(value)


def correlation_interval(
    predicted: Float[np.ndarray, " tokens"],
    true: Float[np.ndarray, " tokens"],
    document: Int[np.ndarray, " tokens"],
    *,
    seed: int,
    draws: int = 1000,
) -> Interval:
    """Bootstrap over documents; the whole range where `correlation_value` is None.

    Where the draws do not differ (one document, a constant or perfect prediction) it is Wilson's with
    documents as n, for the share (1 + r) / 2.
    """
    value = correlation_value(predicted, true)
    if value is None:
        return Interval(low=-1.0, high=1.0, method="no examples")
    documents, number = np.unique(document, return_inverse=True)
    table = np.zeros((len(documents), 6))
    np.add.at(table, number, _moments(predicted, true))
    totals = draw_totals(table, np.random.default_rng(seed), draws)
    spread = percentile_ends(_correlations(totals), len(documents))
    if spread is not None:
        return Interval(low=spread.low, high=spread.high, method="bootstrap over documents")
    low, high = wilson_ends((1 + value) / 2, len(documents))
    return Interval(low=2 * low - 1, high=2 * high - 1, method="wilson, documents as n")


def _moments(
    predicted: Float[np.ndarray, " tokens"], true: Float[np.ndarray, " tokens"]
) -> Float[np.ndarray, "tokens 6"]:
    """What adds up over tokens: 1, x, y, x², y², xy; about the means, so that sums stay small."""
    x, y = (v.astype(np.float64) - (v.mean(dtype=np.float64) if len(v) else 0.0) for v in (predicted, true))
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)


def _correlations(totals: Float[np.ndarray, "draws 6"]) -> Float[np.ndarray, " draws"]:
    n, x, y, xx, yy, xy = totals.T
    with np.errstate(invalid="ignore", divide="ignore"):
        vx, vy, cov = xx - x * x / n, yy - y * y / n, xy - x * y / n
        r = np.clip(cov / np.sqrt(vx * vy), -1.0, 1.0)
    constant = vx <= _NONE * np.maximum(xx, 1e-30)
    untrue = ~(vy > _NONE * np.maximum(yy, 1e-30))
    return np.where(untrue, np.nan, np.where(constant, 0.0, r))
