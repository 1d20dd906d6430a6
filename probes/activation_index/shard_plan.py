"""How a split's rows are cut into shards: whole rows, as many as fit, in order."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from glossator.probes.activation_index.manifest import Manifest
from glossator.probes.activation_index.shard import ShardPlace
from glossator.records import Split


def plan_shards(manifest: Manifest, split: Split, row_start: Int[np.ndarray, " starts"]) -> list[ShardPlace]:
    """Places of all shards of `split`, which cover every row once."""
    places: list[ShardPlace] = []
    first, end = 0, len(row_start) - 1
    while first < end:
        start = int(row_start[first])
        stop = int(np.searchsorted(row_start, start + manifest.layout.shard_positions, side="right")) - 1
        stop = min(max(stop, first + 1), end)
        places.append(
            ShardPlace(
                key=manifest.shard_key,
                split=split,
                number=len(places),
                first_row=first,
                rows=stop - first,
                start=start,
                positions=int(row_start[stop]) - start,
                features=manifest.n_features,
            )
        )
        first = stop
    return places
