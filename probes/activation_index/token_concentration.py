"""On how few tokens each feature's activation falls: of all features at once, from a sample of the shards.

A feature whose activation lies on a handful of tokens can be named by them; one spread over hundreds
seldom can.
Spread is the effective number of tokens, e to the entropy of the activation's shares (Hill number of order 1,
https://doi.org/10.2307/1934352), which a sample underestimates where firings are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from glossator.probes.activation_index.shard import BLOCK, Shard

MOST_PAIRS = 8_000_000
"""Pairs that are looked at: about a second and half a gibibyte."""


class TokenConcentration(NamedTuple):
    """What the sampled firings of every feature say."""

    firings: Int[np.ndarray, " features"]
    """Sampled firings."""
    effective: Float[np.ndarray, " features"]
    """Effective number of tokens that share the activation, at least 1; 0 without a firing."""
    top_share: Float[np.ndarray, " features"]
    """Share of the activation on the token that has most of it; 0 without a firing."""


def token_concentration(
    shards: Sequence[Shard], ids: Int[np.ndarray, " tokens"], n_features: int, most_pairs: int = MOST_PAIRS
) -> TokenConcentration:
    """Each feature's concentration, by whole shards that are spread evenly over the split.

    Args:
        shards: the split's shards.
        ids: token ids of the split's stream.
        n_features: features of the dictionary.
        most_pairs: how many pairs to look at, about; one shard is the least.
    """
    wide = int(ids.max(initial=0)) + 1
    keys, masses = np.zeros(0, np.int64), np.zeros(0)
    counts = np.zeros(n_features, np.int64)
    for shard in _spread(shards, most_pairs):
        found = _of_shard(shard, ids, n_features, wide)
        counts += found.counts
        keys, at = np.unique(np.concatenate([keys, found.keys]), return_inverse=True)
        masses = np.bincount(at, weights=np.concatenate([masses, found.masses]), minlength=len(keys))
    return _summary(keys // wide, masses, counts)


class _Sums(NamedTuple):
    """Activation of each feature on each token that it fires on."""

    keys: Int[np.ndarray, " cells"]
    """Feature times the number of token ids, plus the token's; ascending."""
    masses: Float[np.ndarray, " cells"]
    counts: Int[np.ndarray, " features"]


def _spread(shards: Sequence[Shard], most_pairs: int) -> list[Shard]:
    largest = max((len(shard.position) for shard in shards), default=1)
    n = min(len(shards), max(1, most_pairs // max(largest, 1)))
    return [shards[i * len(shards) // n] for i in range(n)] if n else []


def _of_shard(shard: Shard, ids: Int[np.ndarray, " tokens"], n_features: int, wide: int) -> _Sums:
    place = shard.header.place
    pairs = np.diff(shard.indptr.astype(np.int64))
    group = np.repeat(np.arange(len(pairs)), pairs)
    at = place.start + group % place.blocks * BLOCK + shard.position
    keys = group // place.blocks * wide + ids[at]
    cells, cell = np.unique(keys, return_inverse=True)
    activation = np.ldexp(shard.activation.astype(np.float64), shard.header.exponent)
    masses = np.bincount(cell, weights=activation, minlength=len(cells))
    return _Sums(cells, masses, pairs.reshape(n_features, -1).sum(axis=1))


def _summary(
    feature: Int[np.ndarray, " cells"],
    masses: Float[np.ndarray, " cells"],
    counts: Int[np.ndarray, " features"],
) -> TokenConcentration:
    n = len(counts)
    total = np.bincount(feature, weights=masses, minlength=n)
    share = masses / np.maximum(total[feature], 1e-300)
    entropy = np.bincount(feature, weights=-share * np.log(np.maximum(share, 1e-300)), minlength=n)
    top = np.zeros(n)
    np.maximum.at(top, feature, share)
    return TokenConcentration(counts, np.where(counts > 0, np.exp(entropy), 0.0), top)
