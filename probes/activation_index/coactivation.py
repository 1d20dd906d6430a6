"""Which features fire on the same `explore` tokens as a given one.

A shard is the matrix of features by positions in compressed rows already, so the counts are one product
of it with the feature's indicator, exact, with nothing stored for it and a few milliseconds per
million pairs. Beyond `MOST_PAIRS` the first shards stand for all: a sketch by sampling tokens, which
ranks neighbours as well as a random projection would and needs no second pass over a corpus.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from glossator.probes.activation_index.shard import BLOCK, Shard
from glossator.probes.activation_index.statistics import feature_counts
from glossator.probes.neighbours import Neighbours

MOST_PAIRS = 16_000_000
"""Pairs that are looked at, at least one shard."""


def coactivation(shards: Sequence[Shard], n_features: int, feature: int, k: int) -> Neighbours:
    """The `k` features, at most, that share most firing tokens with `feature`; only those that share any.

    Scores are cosines of the indicators of firing: shared / sqrt(one's tokens * the other's).
    """
    together = np.zeros(n_features, dtype=np.int64)
    alone = np.zeros(n_features, dtype=np.int64)
    seen = 0
    for shard in shards:
        if seen >= MOST_PAIRS:
            break
        together += _together(shard, n_features, feature)
        alone += feature_counts(shard, n_features)
        seen += len(shard.position)
    cosine = together / np.sqrt(np.maximum(alone * max(int(alone[feature]), 1), 1))
    cosine[feature] = 0.0
    order = np.argsort(-cosine, kind="stable")[:k]
    order = order[cosine[order] > 0]
    return Neighbours(order, cosine[order])


def _together(shard: Shard, n_features: int, feature: int) -> Int[np.ndarray, " features"]:
    """Positions on which each feature fires along with `feature`."""
    blocks = shard.header.place.blocks
    starts = shard.indptr.astype(np.int64)
    block = np.repeat(np.arange(n_features * blocks) % blocks, np.diff(starts)).astype(np.uint16)
    own = slice(int(starts[feature * blocks]), int(starts[(feature + 1) * blocks]))
    fires = np.zeros((blocks, BLOCK), dtype=bool)
    fires[block[own], shard.position[own]] = True
    hits = np.zeros(len(shard.position) + 1, dtype=np.int64)
    np.cumsum(fires[block, shard.position], out=hits[1:])
    return np.diff(hits[starts[::blocks]])
