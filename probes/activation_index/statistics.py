"""Statistics of every feature over `explore`: how often it fires, how strongly, in which shape.

They are sums over shards, so they are the same however often a build was interrupted. Histogram bins
are shared by all features: half-octaves from the largest activation of all down to 2^-15 of it, and
the lowest bin takes all below.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
from jaxtyping import Float, Int
from safetensors import SafetensorError

from glossator.errors import CorruptFileError
from glossator.probes.activation_index.progress import NEXT_STEP
from glossator.probes.activation_index.shard import Shard
from glossator.probes.atomic_file import written_atomically

BINS = 30
BINS_PER_OCTAVE = 2
STATISTICS = "statistics.safetensors"


@dataclass(frozen=True)
class FeatureStatistics:
    """See the module's text; `validate` has counts alone, and `sealed` nothing."""

    count: Int[np.ndarray, " features"]
    """Firings on eligible `explore` tokens; int64."""
    max: Float[np.ndarray, " features"]
    """Largest activation on `explore`, 0 for a dead feature; float32."""
    histogram: Int[np.ndarray, "features bins"]
    """Firings on `explore` per bin; int64."""
    edges: Float[np.ndarray, " edges"]
    """Edges of the bins; float32."""
    count_validate: Int[np.ndarray, " features"]
    """Firings on eligible `validate` tokens; int64."""
    explore_tokens: int
    """Eligible `explore` tokens."""

    @property
    def density(self) -> Float[np.ndarray, " features"]:
        """Share of eligible `explore` tokens on which each feature fires; float64."""
        return self.count / max(self.explore_tokens, 1)

    def live(self, min_firings: int = 1) -> Int[np.ndarray, " live"]:
        """Features that fire at least `min_firings` times on `explore`."""
        return np.flatnonzero(self.count >= min_firings)


def gather(
    explore: Iterable[Shard], validate: Iterable[Shard], n_features: int, explore_tokens: int
) -> FeatureStatistics:
    """Sum the shards up; memory is one shard and the result. `explore` is gone through twice."""
    shards = list(explore)
    count = np.zeros(n_features, dtype=np.int64)
    largest = np.zeros(n_features, dtype=np.float32)
    for shard in shards:
        counts = feature_counts(shard, n_features)
        count += counts
        live = np.flatnonzero(counts)
        if len(live):
            starts = shard.indptr[:: shard.header.place.blocks][live].astype(np.int64)
            tops = np.maximum.reduceat(shard.activation, starts).astype(np.float32)
            largest[live] = np.maximum(largest[live], np.ldexp(tops, shard.header.exponent))
    edges = shared_edges(float(largest.max(initial=0.0)))
    histogram = np.zeros(n_features * BINS, dtype=np.int64)
    for shard in shards:
        counts = feature_counts(shard, n_features)
        values = np.ldexp(np.asarray(shard.activation, dtype=np.float32), shard.header.exponent)
        bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, BINS - 1)
        histogram += np.bincount(
            np.repeat(np.arange(n_features), counts) * BINS + bins, minlength=n_features * BINS
        )
    on_validate = sum(
        (feature_counts(shard, n_features) for shard in validate), np.zeros(n_features, dtype=np.int64)
    )
    return FeatureStatistics(
        count, largest, histogram.reshape(n_features, BINS), edges, on_validate, explore_tokens
    )


def feature_counts(shard: Shard, n_features: int) -> Int[np.ndarray, " features"]:
    """Pairs of each feature in `shard`."""
    return np.diff(shard.indptr.astype(np.int64)).reshape(n_features, -1).sum(axis=1)


def shared_edges(largest: float) -> Float[np.ndarray, " edges"]:
    """Edges of the bins, the last just above `largest`."""
    top = np.nextafter(np.float32(largest if largest > 0 else 1.0), np.float32(np.inf))
    octaves = np.arange(-BINS, 1) / BINS_PER_OCTAVE
    return (top * np.exp2(octaves)).astype(np.float32)


def write_statistics(folder: Path, found: FeatureStatistics) -> None:
    """Store `found` in the index's folder, counts as uint32."""
    with written_atomically(folder / STATISTICS) as stream:
        stream.write(
            safetensors.numpy.save(
                {
                    "count": found.count.astype(np.uint32),
                    "max": found.max,
                    "histogram": found.histogram.astype(np.uint32),
                    "edges": found.edges,
                    "count_validate": found.count_validate.astype(np.uint32),
                    "explore_tokens": np.array([found.explore_tokens], dtype=np.int64),
                }
            )
        )


def read_statistics(folder: Path) -> FeatureStatistics:
    """What was stored; raises `CorruptFileError` if the file is truncated or altered."""
    path = folder / STATISTICS
    try:
        stored = safetensors.numpy.load(path.read_bytes())
        return FeatureStatistics(
            count=stored["count"].astype(np.int64),
            max=stored["max"],
            histogram=stored["histogram"].astype(np.int64),
            edges=stored["edges"],
            count_validate=stored["count_validate"].astype(np.int64),
            explore_tokens=int(stored["explore_tokens"][0]),
        )
    except (OSError, SafetensorError, KeyError) as exc:
        raise CorruptFileError(
            f"{str(path)!r} is missing, truncated or altered; {NEXT_STEP} again to redo it"
        ) from exc
