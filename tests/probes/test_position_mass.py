from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glossator.probes.activation_index.position_mass import position_mass
from glossator.probes.activation_index.shard import BLOCK, Pairs, Shard, ShardPlace, write_shard
from glossator.records import Split

FEATURES = 6


def shard(folder: Path, number: int, start: int, positions: int, dense: np.ndarray) -> Shard:
    place = ShardPlace(
        key="k", split=Split.EXPLORE, number=number, first_row=0, rows=1, start=start, positions=positions,
        features=FEATURES,
    )  # fmt: skip
    feature, at = np.nonzero(dense[:, start : start + positions])
    values = dense[feature, start + at].astype(np.float32)
    write_shard(folder, place, Pairs(feature.astype(np.int32), at.astype(np.int32), values))
    return Shard.open(folder / place.name)


@pytest.mark.parametrize("lengths", [(500, 300), (BLOCK + 700, 400)])
def test_mass_is_that_of_a_dense_matrix(tmp_path: Path, lengths: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    n = sum(lengths)
    dense = np.where(rng.random((FEATURES, n)) < 0.02, rng.random((FEATURES, n)) * 5, 0.0)
    dense[-1] = 0.0
    (tmp_path / "shards").mkdir()
    shards = [shard(tmp_path, 0, 0, lengths[0], dense), shard(tmp_path, 1, lengths[0], lengths[1], dense)]
    chosen = rng.random(n) < 0.3
    found = position_mass(shards, FEATURES, chosen)
    assert found.hits.tolist() == (dense[:, chosen] > 0).sum(axis=1).tolist()
    assert found.mass == pytest.approx(dense[:, chosen].sum(axis=1), rel=1e-3)
    assert found.total == pytest.approx(dense.sum(axis=1), rel=1e-3)
    assert found.share[-1] == 0.0
