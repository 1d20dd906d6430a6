"""How much of every feature's activation lies on some positions of a split: on a word, on a class of tokens.

A shard is the matrix of features by positions in compressed rows already, so this is one product of it
with the positions' indicator: exact, one pass, with nothing stored for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from glossator.probes.activation_index.shard import BLOCK, Shard


class PositionMass(NamedTuple):
    """Sums over some positions, beside those over all of them."""

    hits: Int[np.ndarray, " features"]
    """Chosen positions on which each feature fires."""
    mass: Float[np.ndarray, " features"]
    """Sum of its activations there; float64."""
    total: Float[np.ndarray, " features"]
    """Sum of its activations everywhere; float64."""

    @property
    def share(self) -> Float[np.ndarray, " features"]:
        """Share of each feature's activation that lies on the chosen positions; 0 for a dead feature."""
        return self.mass / np.maximum(self.total, 1e-30)


def position_mass(
    shards: Sequence[Shard], n_features: int, chosen: Bool[np.ndarray, " positions"]
) -> PositionMass:
    """Each feature's activation on the `chosen` positions of the split that the shards hold."""
    found = PositionMass(np.zeros(n_features, np.int64), np.zeros(n_features), np.zeros(n_features))
    for shard in shards:
        place = shard.header.place
        mask = np.zeros(place.blocks * BLOCK, dtype=bool)
        mask[: place.positions] = chosen[place.start : place.start + place.positions]
        starts = shard.indptr.astype(np.int64)
        scale = float(np.ldexp(1.0, shard.header.exponent))
        found.total[:] += scale * _sums(shard.activation, starts[:: place.blocks])
        at = _hits(shard, starts, mask.reshape(place.blocks, BLOCK))
        feature = np.searchsorted(starts[:: place.blocks], at, side="right") - 1
        found.hits[:] += np.bincount(feature, minlength=n_features)
        activation = shard.activation[at].astype(np.float64)
        found.mass[:] += scale * np.bincount(feature, weights=activation, minlength=n_features)
    return found


def _hits(
    shard: Shard, starts: Int[np.ndarray, " starts"], mask: Bool[np.ndarray, "blocks block"]
) -> Int[np.ndarray, " hits"]:
    """Numbers of the pairs that lie on the mask, ascending."""
    if len(mask) == 1:
        return np.flatnonzero(mask[0][shard.position])
    block = (np.arange(len(starts) - 1) % len(mask)).astype(np.uint16)
    return np.flatnonzero(mask[np.repeat(block, np.diff(starts)), shard.position])


def _sums(
    activation: Float[np.ndarray, " pairs"], starts: Int[np.ndarray, " bounds"]
) -> Float[np.ndarray, " features"]:
    """Sum of the pairs between each two neighbouring bounds; float64."""
    out = np.zeros(len(starts) - 1)
    live = np.flatnonzero(np.diff(starts))
    if len(live):
        out[live] = np.add.reduceat(activation, starts[live], dtype=np.float64)
    return out
