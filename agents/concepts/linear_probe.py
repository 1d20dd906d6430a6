"""A linear probe of a concept: logistic regression on pooled site activations, or on anything else.

Fit on `explore`; pooling and strength of regularisation chosen on `validate` by AUC (the stronger on a tie).
Alain and Bengio 2016, https://arxiv.org/abs/1610.01644.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from glossator.probes.auc import auc_value
from glossator.probes.site_means import Direction, Reading

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths of regularisation that are tried, the strongest first."""


class OpenVectors(NamedTuple):
    """One reading of the open texts."""

    explore: Float[np.ndarray, "explore d"]
    validate: Float[np.ndarray, "validate d"]
    tokens: Int[np.ndarray, " d"] | None = None


class OpenLabels(NamedTuple):
    """Which open texts have the concept."""

    explore: Bool[np.ndarray, " explore"]
    validate: Bool[np.ndarray, " validate"]


class FittedProbe(NamedTuple):
    """The probe that was chosen."""

    direction: Direction
    validate_auc: float
    how: str
    """Pooling and strength, in words."""


def fit_probe(readings: Mapping[Reading, OpenVectors], labels: OpenLabels) -> FittedProbe:
    """Fit with every reading and strength, and keep what separates `validate` best; first on a tie."""
    best: FittedProbe | None = None
    for reading, vectors in readings.items():
        for strength in STRENGTHS:
            weights = _logistic(vectors.explore, labels.explore, strength)
            direction = Direction(reading, weights, vectors.tokens)
            reached = validate_auc(vectors.validate @ weights, labels)
            if best is None or reached > best.validate_auc:
                best = FittedProbe(direction, reached, f"{reading}, C {strength:g}")
    assert best is not None
    return best


def mean_difference(readings: Mapping[Reading, OpenVectors], labels: OpenLabels) -> FittedProbe:
    """The mean with the concept less the mean without it; the better reading on `validate`."""
    best: FittedProbe | None = None
    for reading, vectors in readings.items():
        weights = vectors.explore[labels.explore].mean(axis=0) - vectors.explore[~labels.explore].mean(axis=0)
        reached = validate_auc(vectors.validate @ weights, labels)
        if best is None or reached > best.validate_auc:
            best = FittedProbe(Direction(reading, weights, vectors.tokens), reached, str(reading))
    assert best is not None
    return best


def validate_auc(scores: Float[np.ndarray, " validate"], labels: OpenLabels) -> float:
    """AUC of scores of the `validate` texts; both classes are there."""
    return auc_value(scores.astype(np.float64)[None], labels.validate) or 0.0


def _logistic(
    x: Float[np.ndarray, "texts d"], has: Bool[np.ndarray, " texts"], strength: float
) -> Float[np.ndarray, " d"]:
    """Weights in units of `x`; each column is standardised for the fit."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if x.shape[1] == 0:
        return np.zeros(0)
    spread = x.std(axis=0, dtype=np.float64)
    scale = np.where(spread > 1e-6, spread, np.inf)
    model = LogisticRegression(C=strength, max_iter=300, class_weight="balanced")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a near fit ranks texts as well
        model.fit((x - x.mean(axis=0)) / scale, has)
    return np.asarray(model.coef_[0]) / scale
