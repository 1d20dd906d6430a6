"""Features that found the same thing: near in activation space or in direction."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

ALIKE_ACTIVATIONS = 0.7
"""Correlation of largest activations over texts, within each class, from which two features are alike."""
ALIKE_DIRECTIONS = 0.5
"""Cosine of directions from which two features are alike."""


class FeatureGroup(NamedTuple):
    """Features that are alike; named by the best, which stands first."""

    members: tuple[int, ...]

    @property
    def best(self) -> int:
        """The member that separates best."""
        return self.members[0]


def group_features(
    features: Int[np.ndarray, " features"],
    activations: Float[np.ndarray, "texts features"],
    has: Bool[np.ndarray, " texts"],
    directions: Float[torch.Tensor, "features d"],
) -> tuple[FeatureGroup, ...]:
    """Groups of `features`, which stand best first: each joins the first group whose best it is like.

    Activations are centred within each class first: all features of a concept rise with it, and would be
    one group otherwise.
    """
    alike = (_correlation(activations, has) >= ALIKE_ACTIVATIONS) | (_cosine(directions) >= ALIKE_DIRECTIONS)
    groups: list[list[int]] = []
    for i in range(len(features)):
        home = next((g for g in groups if alike[g[0], i]), None)
        if home is None:
            groups.append([i])
        else:
            home.append(i)
    return tuple(FeatureGroup(tuple(int(features[i]) for i in g)) for g in groups)


def _correlation(
    activations: Float[np.ndarray, "texts features"], has: Bool[np.ndarray, " texts"]
) -> Float[np.ndarray, "features features"]:
    centred = activations.astype(np.float64)
    for kind in (has, ~has):
        if kind.any():
            centred[kind] -= centred[kind].mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    return (centred.T @ centred) / np.maximum(norms[:, None] * norms[None], 1e-9)


def _cosine(directions: Float[torch.Tensor, "features d"]) -> Float[np.ndarray, "features features"]:
    unit = torch.nn.functional.normalize(directions.detach().float().cpu(), dim=1)
    return (unit @ unit.T).numpy()
