from __future__ import annotations

import numpy as np
import pytest

from glossator.probes import near_directions
from glossator.probes.near_directions import near_rows


def _brute_force(vectors: np.ndarray, threshold: float) -> dict[tuple[int, int], float]:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    n = len(vectors)
    return {(i, j): cosine[i, j] for i in range(n) for j in range(i + 1, n) if cosine[i, j] >= threshold}


@pytest.mark.parametrize("block", [7, 64, 1000])
def test_blocks_find_what_all_pairs_at_once_would(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_directions, "_BLOCK", block)
    vectors = np.random.default_rng(0).standard_normal((150, 12)).astype(np.float32)
    truth = _brute_force(vectors, 0.6)
    found = near_rows(vectors, 0.6, keep=20)
    assert found.pairs == len(truth) > 20
    assert found.rows == len({row for pair in truth for row in pair})
    nearest = sorted(truth, key=lambda pair: -truth[pair])[:20]
    assert [(p.first, p.second) for p in found.nearest] == nearest
    assert found.nearest[0].cosine == pytest.approx(truth[nearest[0]], abs=1e-5)


def test_a_row_without_length_is_near_nothing() -> None:
    vectors = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]], dtype=np.float32)
    found = near_rows(vectors, 0.9, keep=5)
    assert [(p.first, p.second) for p in found.nearest] == [(1, 2)]


def test_without_pairs_there_is_nothing() -> None:
    assert near_rows(np.zeros((0, 4), dtype=np.float32), 0.9, keep=5).pairs == 0
    assert near_rows(np.eye(3, dtype=np.float32), 0.9, keep=5).nearest == ()
