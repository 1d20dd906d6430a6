from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from glossator.probes import stored_embeddings
from glossator.probes.sentence_embedder import HashingEmbedder
from glossator.probes.stored_embeddings import StoredEmbeddings


class Counting(HashingEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.lists = 0

    def embed(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        self.lists += 1
        return super().embed(texts, batch_size)


def test_long_lists_are_embedded_once_whatever_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_embeddings, "LEAST_TEXTS", 3)
    words, inner = ["ship", "sea", "law"], Counting()
    first = StoredEmbeddings(inner, tmp_path / "v").embed(words)
    again = StoredEmbeddings(inner, tmp_path / "v").embed(words)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, HashingEmbedder().embed(words))
    assert inner.lists == 1
    StoredEmbeddings(inner, tmp_path / "v").embed(["ship", "sea", "lawn"])
    assert inner.lists == 2
    StoredEmbeddings(inner, tmp_path / "v").embed(["ship"])
    StoredEmbeddings(inner, tmp_path / "v").embed(["ship"])
    assert inner.lists == 4, "short lists are not kept"


def test_a_damaged_file_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_embeddings, "LEAST_TEXTS", 2)
    inner = Counting()
    whole = StoredEmbeddings(inner, tmp_path).embed(["ship", "sea"])
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-8])
    np.testing.assert_array_equal(StoredEmbeddings(inner, tmp_path).embed(["ship", "sea"]), whole)
    assert inner.lists == 2
    (tmp_path / "in the way").write_text("")
    blocked = StoredEmbeddings(inner, tmp_path / "in the way").embed(["ship", "sea"])
    np.testing.assert_array_equal(blocked, whole)
