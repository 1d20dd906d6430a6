from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from glossator.probes.negatives import (
    KINDS,
    NegativeKind,
    WindowPool,
    embedding_near_windows,
    hard_negatives,
    neighbour_windows,
    same_token_windows,
)
from glossator.probes.split_view import ArrayFirings, ExploreView, Firings
from glossator.probes.token_text import DocumentInfo, TokenText
from glossator.probes.vocabulary import Vocabulary
from glossator.probes.windows import is_silent

WORDS = ("<s>", *(f" w{i}" for i in range(1, 40)))
ROWS, LENGTH = 120, 48


class CountingEmbedder:
    """Bag of words over the vocabulary, and a count of the texts that it was given."""

    name = "bag-of-words"

    def __init__(self) -> None:
        self.texts = 0

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += len(texts)
        rows = np.array([[t.split().count(w.strip()) for w in WORDS] for t in texts], dtype=np.float32)
        rows = rows.reshape(len(texts), len(WORDS))
        return rows / np.maximum(1e-9, np.linalg.norm(rows, axis=1, keepdims=True))


def firings(fires: np.ndarray, strength: float = 1.0) -> Firings:
    position = np.flatnonzero(fires)
    return Firings(position, np.full(len(position), strength, dtype=np.float32))


def planted() -> ExploreView:
    """Feature 0: w3 in the first half of the rows; 1: w3 everywhere; 2: w7; 3: dead; 4: always on."""
    ids = np.random.default_rng(0).integers(1, 40, size=ROWS * LENGTH).astype(np.int32)
    ids[::LENGTH] = 0
    starts = np.arange(0, ROWS * LENGTH + 1, LENGTH)
    infos = [DocumentInfo(f"d{i}", "", "") for i in range(ROWS)]
    text = TokenText(ids, starts, np.arange(ROWS), infos, Vocabulary(WORDS, frozenset({0})))
    first_half = np.arange(ROWS * LENGTH) < ROWS * LENGTH // 2
    rules = [(ids == 3) & first_half, ids == 3, ids == 7, ids < 0, text.eligible]
    return ExploreView(ArrayFirings(text, [firings(r) for r in rules]))


def test_same_token_windows_hold_the_token_and_are_silent() -> None:
    view = planted()
    batch = same_token_windows(view, 0, 30, seed=1)
    assert len(batch) == 30
    assert set(view.text.ids[batch.centre].tolist()) == {3}
    assert is_silent(view.firings(0), batch).all()
    assert (batch.centre >= ROWS * LENGTH // 2).all()
    # Feature 1 fires on every w3, so there is no silent one.
    assert len(same_token_windows(view, 1, 30, seed=1)) == 0


def test_same_tokens_are_drawn_by_the_activation_they_carry() -> None:
    view = planted()
    ids = view.text.ids
    carries = np.isin(ids, [3, 4]) & (np.arange(len(ids)) < len(ids) // 2)
    position = np.flatnonzero(carries)
    activation = np.where(ids[position] == 3, 9.0, 1.0).astype(np.float32)
    weighted = ExploreView(ArrayFirings(view.text, [Firings(position, activation)]))
    drawn = [same_token_windows(weighted, 0, 10, seed=s).centre for s in range(40)]
    share = float(np.mean(ids[np.concatenate(drawn)] == 3))
    assert 0.82 < share < 0.96


def test_neighbour_windows_take_neighbours_in_turn_where_the_feature_is_silent() -> None:
    view = planted()
    batch = neighbour_windows(view, 0, [1, 2], 20, seed=0)
    assert is_silent(view.firings(0), batch).all()
    assert np.bincount(view.text.ids[batch.centre])[[3, 7]].tolist() == [10, 10]
    assert len(neighbour_windows(view, 0, [3], 20, seed=0)) == 0


def test_embedding_near_windows_share_the_topic_and_are_silent() -> None:
    view, embedder = planted(), CountingEmbedder()
    rows = np.arange(ROWS * LENGTH).reshape(ROWS, LENGTH)
    for row in (*range(10), *range(70, 80)):
        view.text.ids[rows[row, 1::2]] = 30
    fires = (view.text.ids == 3) & (view.text.row_of < 10)
    topical = ExploreView(ArrayFirings(view.text, [firings(fires)]))
    pool = WindowPool.draw(topical, embedder, size=400, seed=0)
    assert embedder.texts == 400
    near = embedding_near_windows(topical, 0, pool, embedder, 15, seed=0)
    assert embedder.texts <= 408, "the pool is embedded once"
    assert len(near) == len(set(near.start.tolist())) == 15
    assert is_silent(topical.firings(0), near).all()
    in_topic = (near.document < 10) | ((near.document >= 70) & (near.document < 80))
    assert in_topic.mean() > 0.9, "a sixth of the pool is on the topic"


@pytest.mark.parametrize("feature", range(5))
def test_no_feature_fires_in_its_hard_negatives(feature: int) -> None:
    view, embedder = planted(), CountingEmbedder()
    pool = WindowPool.draw(view, embedder, size=300, seed=0)
    found = hard_negatives(
        view, feature, 40, 7, by_direction=[1, 2], by_coactivation=[2], pool=pool, embedder=embedder
    )
    assert is_silent(view.firings(feature), found.windows).all()
    assert len(set(found.windows.centre.tolist())) == len(found.windows) == sum(found.found.values())
    assert sum(found.wanted.values()) == 40
    assert set(found.wanted) == set(KINDS)
    if feature in (3, 4):
        assert found.found[NegativeKind.SAME_TOKEN] == 0
    if feature == 4:
        assert len(found.windows) == 0


def test_missing_sources_leave_their_part_to_the_others() -> None:
    view = planted()
    alone = hard_negatives(view, 0, 30, 7)
    assert dict(alone.wanted) == {NegativeKind.SAME_TOKEN: 30}
    with_neighbours = hard_negatives(view, 0, 30, 7, by_coactivation=[2])
    assert dict(with_neighbours.wanted) == {
        NegativeKind.SAME_TOKEN: 15,
        NegativeKind.NEIGHBOUR_COACTIVATION: 15,
    }
    again = hard_negatives(view, 0, 30, 7, by_coactivation=[2])
    assert again.windows.centre.tolist() == with_neighbours.windows.centre.tolist()
