from __future__ import annotations

import numpy as np
import pytest

from glossator.probes.split_view import ArrayFirings, ExploreView, Firings
from glossator.probes.token_text import DocumentInfo, TokenText
from glossator.probes.vocabulary import Vocabulary
from glossator.probes.windows import firing_windows, silent_windows, to_windows, window_texts, windows_at
from glossator.records import Split

VOCABULARY = Vocabulary(("<s>", *(f" w{i}" for i in range(1, 500))), frozenset({0}))


def text_of(
    row_lengths: list[int], documents: list[int] | None = None, ids: np.ndarray | None = None
) -> TokenText:
    starts = np.concatenate([[0], np.cumsum(row_lengths)]).astype(np.int64)
    owners = np.array(documents if documents is not None else range(len(row_lengths)), dtype=np.int32)
    if ids is None:
        ids = np.random.default_rng(0).integers(1, 500, size=int(starts[-1])).astype(np.int32)
    infos = [DocumentInfo(f"d{i}", "", "") for i in range(int(owners.max(initial=-1)) + 1)]
    return TokenText(ids, starts, owners, infos, VOCABULARY)


def view_of(text: TokenText, *features: dict[int, float]) -> ExploreView:
    firings = [
        Firings(np.array(sorted(f), dtype=np.int64), np.array([f[p] for p in sorted(f)], dtype=np.float32))
        for f in features
    ]
    return ExploreView(ArrayFirings(text, firings))


def test_windows_are_centred_within_their_row() -> None:
    batch = windows_at(text_of([100, 20, 100]), np.array([50, 3, 98, 110, 125]))
    assert list(zip(batch.start, batch.stop, strict=True)) == [
        (34, 66),
        (0, 32),
        (68, 100),
        (100, 120),
        (120, 152),
    ]
    assert list(batch.document) == [0, 0, 0, 1, 2]


def test_firing_windows_take_separate_peaks_above_the_threshold() -> None:
    view = view_of(text_of([200]), {40: 1.0, 45: 3.0, 60: 2.0, 120: 0.5, 150: 0.2})
    batch = firing_windows(view, 0, threshold=0.3, n=10, seed=0)
    # 60 lies within the window of 45, 150 is below the threshold.
    assert list(batch.centre) == [45, 120]
    assert batch.activation == pytest.approx([3.0, 0.5])
    assert batch.wanted == 10


def test_a_firing_at_the_threshold_is_not_above_it() -> None:
    view = view_of(text_of([200]), {40: 1.0, 120: 0.5})
    assert list(firing_windows(view, 0, threshold=0.5, n=10, seed=0).centre) == [40]


def test_windows_of_a_dense_feature_never_overlap() -> None:
    rng = np.random.default_rng(3)
    text = text_of([256] * 20 + [40, 33, 10])
    firing = {int(p): float(a) for p, a in zip(range(len(text)), rng.random(len(text)) + 0.01, strict=True)}
    batch = firing_windows(view_of(text, firing), 0, threshold=0.0, n=1000, seed=0)
    order = np.argsort(batch.start)
    assert (batch.start[order][1:] >= batch.stop[order][:-1]).all()
    assert len(batch) > 20 * 4
    assert set(batch.document.tolist()) == set(range(23))


def test_quantiles_spread_over_the_range_and_top_takes_the_strongest() -> None:
    text = text_of([64] * 400)
    view = view_of(text, {64 * i + 30: float(i + 1) for i in range(400)})
    spread = firing_windows(view, 0, threshold=0.0, n=40, seed=1)
    counts, _ = np.histogram(spread.activation, bins=10, range=(0.5, 400.5))
    assert counts.tolist() == [4] * 10
    assert firing_windows(view, 0, threshold=0.0, n=5, seed=1, sampling="top").activation.tolist() == [
        400.0,
        399.0,
        398.0,
        397.0,
        396.0,
    ]
    again = firing_windows(view, 0, threshold=0.0, n=40, seed=1)
    assert again.centre.tolist() == spread.centre.tolist()
    assert firing_windows(view, 0, threshold=0.0, n=40, seed=2).centre.tolist() != spread.centre.tolist()


@pytest.mark.parametrize("sampling", ["quantiles", "top", "random"])
def test_one_document_does_not_dominate(sampling: str) -> None:
    text = text_of([64] * 110, documents=[0] * 100 + list(range(1, 11)))
    view = view_of(text, {64 * i + 30: 500.0 - i for i in range(110)})
    batch = firing_windows(view, 0, threshold=0.0, n=13, seed=0, sampling=sampling)  # pyright: ignore[reportArgumentType]
    assert np.bincount(batch.document).tolist() == [3] + [1] * 10
    more = firing_windows(view, 0, threshold=0.0, n=50, seed=0, sampling=sampling)  # pyright: ignore[reportArgumentType]
    assert np.bincount(more.document).tolist() == [40] + [1] * 10


def test_repeated_windows_come_last() -> None:
    ids = np.random.default_rng(0).integers(1, 500, size=64 * 20).astype(np.int32)
    for row in range(10):
        ids[64 * row + 26 : 64 * row + 34] = np.arange(1, 9)
    view = view_of(text_of([64] * 20, ids=ids), {64 * i + 30: 1.0 for i in range(20)})
    few = firing_windows(view, 0, threshold=0.0, n=11, seed=0)
    assert np.count_nonzero(few.document < 10) == 1
    assert len(firing_windows(view, 0, threshold=0.0, n=20, seed=0)) == 20


def test_silent_windows_hold_no_activation_and_are_centred_on_eligible_tokens() -> None:
    text = text_of([256] * 40)
    rng = np.random.default_rng(0)
    view = view_of(text, {int(p): 0.01 for p in rng.choice(len(text), 150, replace=False)})
    batch = silent_windows(view, 0, 200, seed=5)
    assert len(batch) == len(set(batch.centre.tolist())) == 200
    assert text.eligible[batch.centre].all()
    assert all(sum(w.activations) == 0 for w in to_windows(view, 0, batch))
    assert silent_windows(view, 0, 200, seed=5).centre.tolist() == batch.centre.tolist()
    assert len(set(batch.document.tolist())) > 30


def test_silent_windows_find_the_last_silent_place_and_say_when_there_is_none() -> None:
    text = text_of([50_000])
    almost = view_of(text, {p: 1.0 for p in range(50_000) if not 20_000 <= p < 20_033})
    batch = silent_windows(almost, 0, 5, seed=0)
    assert sorted(batch.centre.tolist()) == [20_016, 20_017]
    assert (len(batch), batch.wanted) == (2, 5)
    everywhere = view_of(text, {p: 1.0 for p in range(50_000)})
    assert len(silent_windows(everywhere, 0, 5, seed=0)) == 0


@pytest.mark.parametrize("lengths", [[], [1], [5, 1, 3]])
def test_tiny_texts_and_dead_features(lengths: list[int]) -> None:
    view = view_of(text_of(lengths), {})
    assert len(firing_windows(view, 0, threshold=0.0, n=5, seed=0)) == 0
    silent = silent_windows(view, 0, 50, seed=0)
    assert len(silent) == sum(n - 1 for n in lengths)
    assert to_windows(view, 0, firing_windows(view, 0, threshold=0.0, n=5, seed=0)) == ()


def test_windows_as_records_and_as_text() -> None:
    text = text_of([4, 3], ids=np.array([0, 1, 2, 3, 0, 4, 5], dtype=np.int32))
    view = view_of(text, {2: 0.5, 3: 2.0, 5: 1.0})
    batch = firing_windows(view, 0, threshold=0.0, n=5, seed=0)
    first, second = to_windows(view, 0, batch)
    assert (first.document, first.split, first.start, first.peak) == ("d0", Split.EXPLORE, 0, 3)
    assert first.tokens == ("<s>", " w1", " w2", " w3")
    assert first.activations == (0.0, 0.0, 0.5, 2.0)
    assert (second.document, second.start, second.peak, second.activations) == ("d1", 4, 1, (0.0, 1.0, 0.0))
    assert window_texts(view, batch) == ["<s> w1 w2 w3", "<s> w4 w5"]
