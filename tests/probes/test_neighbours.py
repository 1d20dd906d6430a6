from __future__ import annotations

import numpy as np
import pytest
import torch

from glossator.errors import UnknownNameError
from glossator.probes import neighbours
from glossator.probes.neighbours import nearest_by_direction


def test_neighbours_by_hand() -> None:
    directions = torch.tensor([[1.0, 0.0], [10.0, 10.0], [0.0, 3.0], [-1.0, 0.1], [0.0, 0.0], [2.0, 0.2]])
    found = nearest_by_direction(directions, 0, 3)
    assert found.indices.tolist() == [5, 1, 2]
    assert found.scores == pytest.approx([2 / np.hypot(2, 0.2), np.sqrt(0.5), 0.0])


def test_chunks_change_nothing_and_all_others_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    directions = torch.randn(50, 8, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    whole = nearest_by_direction(directions, 7, 100)
    monkeypatch.setattr(neighbours, "_CHUNK", 7)
    chunked = nearest_by_direction(directions, 7, 100)
    assert chunked.indices.tolist() == whole.indices.tolist()
    assert sorted(whole.indices.tolist()) == [i for i in range(50) if i != 7]
    unit = torch.nn.functional.normalize(directions.float(), dim=1)
    expected = torch.argsort(unit @ unit[7], descending=True)[1:6]
    assert whole.indices[:5].tolist() == expected.tolist()


def test_an_unknown_feature_is_named() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown feature 9.*0 to 3"):
        nearest_by_direction(torch.zeros(4, 2), 9, 1)
