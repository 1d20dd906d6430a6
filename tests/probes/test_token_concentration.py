"""On how few tokens features fire, against a dense matrix and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glossator.probes.activation_index.shard import BLOCK, Shard
from glossator.probes.activation_index.token_concentration import token_concentration
from tests.probes.test_position_mass import FEATURES, shard


def shards_of(folder: Path, dense: np.ndarray, lengths: tuple[int, ...]) -> list[Shard]:
    (folder / "shards").mkdir()
    starts = np.cumsum([0, *lengths])
    return [shard(folder, i, int(starts[i]), n, dense) for i, n in enumerate(lengths)]


@pytest.mark.parametrize("lengths", [(500, 300), (BLOCK + 700, 400)])
def test_concentration_is_that_of_a_dense_matrix(tmp_path: Path, lengths: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    n = sum(lengths)
    dense = np.where(rng.random((FEATURES, n)) < 0.02, rng.random((FEATURES, n)) * 5, 0.0)
    dense[-1] = 0.0
    ids = rng.integers(0, 40, n)
    found = token_concentration(shards_of(tmp_path, dense, lengths), ids, FEATURES)
    mass = np.stack([np.bincount(ids, weights=row, minlength=40) for row in dense[:-1]])
    share = mass / mass.sum(axis=1, keepdims=True)
    entropy = -np.where(share > 0, share * np.log(np.maximum(share, 1e-30)), 0.0).sum(axis=1)
    assert found.firings.tolist() == (dense > 0).sum(axis=1).tolist()
    assert found.effective[:-1] == pytest.approx(np.exp(entropy), rel=1e-3)
    assert found.top_share[:-1] == pytest.approx(share.max(axis=1), rel=1e-3)
    assert (found.effective[-1], found.top_share[-1]) == (0.0, 0.0)


def test_four_tokens_alike_and_one_alone(tmp_path: Path) -> None:
    dense = np.zeros((FEATURES, 400))
    dense[0, :40], dense[1, 3::4] = 2.0, 1.0
    found = token_concentration(shards_of(tmp_path, dense, (400,)), np.arange(400) % 4, FEATURES)
    assert found.effective[:3].tolist() == pytest.approx([4.0, 1.0, 0.0])
    assert found.top_share[:3].tolist() == pytest.approx([0.25, 1.0, 0.0])


def test_a_sample_is_spread_over_the_shards(tmp_path: Path) -> None:
    dense = np.zeros((FEATURES, 400))
    dense[0] = np.repeat([1.0, 0.0, 1.0, 0.0], 100)
    dense[1] = 1.0 - dense[0]
    shards = shards_of(tmp_path, dense, (100,) * 4)
    found = token_concentration(shards, np.zeros(400, np.int64), FEATURES, most_pairs=200)
    assert found.firings[:2].tolist() == [200, 0]  # the first and the third
    least = token_concentration(shards, np.zeros(400, np.int64), FEATURES, most_pairs=1)
    assert least.firings[:2].tolist() == [100, 0]
