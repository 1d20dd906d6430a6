from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from glossator.errors import (
    CorpusError,
    IndexMismatchError,
    ProbeError,
    SettingsError,
    ShapeMismatchError,
    StorageError,
    UnknownNameError,
)
from glossator.probes.activation_index import ActivationIndex, BuildProgress, build_index
from glossator.probes.sealed_split import open_sealed
from glossator.probes.split_assignment import split_of
from glossator.probes.split_view import AnyView
from glossator.records import Split
from tests.probes.index_fixtures import ReluDictionary, WordSubject, word_documents


def views(index: ActivationIndex) -> dict[Split, AnyView]:
    return {Split.EXPLORE: index.explore, Split.VALIDATE: index.validate, Split.SEALED: open_sealed(index)}


def brute_force(view: AnyView, subject: WordSubject, dictionary: ReluDictionary) -> np.ndarray:
    """Activations of every position and feature, row by row, without any batching."""
    text = view.text
    rows: list[np.ndarray] = []
    for start, stop in itertools.pairwise(text.row_start):
        ids = torch.from_numpy(np.asarray(text.ids[start:stop], dtype=np.int64))[None]
        dense = dictionary.dense(subject.activations(dictionary.site, ids)[0]).numpy().copy()
        dense[0] = 0
        dense[text.vocabulary.special[ids[0].numpy()]] = 0
        rows.append(dense)
    return np.concatenate(rows)


@pytest.mark.parametrize(("prefix", "scale"), [(False, 1.0), (True, 1.0), (False, 1e6), (False, 1e-8)])
def test_answers_equal_a_dense_computation(tmp_path: Path, prefix: bool, scale: float) -> None:
    subject, dictionary = WordSubject(prefix=prefix), ReluDictionary(scale=scale)
    index = build_index(tmp_path, subject, dictionary, word_documents(), context=64, batch_tokens=500)
    stored = 0
    for split, view in views(index).items():
        expected = brute_force(view, subject, dictionary)
        assert view.split == split
        for feature in range(dictionary.n_features):
            found = view.firings(feature)
            assert np.array_equal(found.position, np.flatnonzero(expected[:, feature]))
            np.testing.assert_allclose(
                found.activation, expected[found.position, feature], rtol=2**-11, atol=scale * 2**-24
            )
            assert view.text.eligible[found.position].all()
            stored += len(found.position)
    assert sum(split.pairs for split in index.manifest.splits.values()) == stored
    assert stored > 10_000


def test_shards_and_blocks_do_not_change_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject, dictionary, documents = WordSubject(), ReluDictionary(), word_documents()
    one = build_index(tmp_path / "one", subject, dictionary, documents, context=64)
    from glossator.probes.activation_index import encoding

    monkeypatch.setattr(encoding, "SHARD_PAIRS", 3000)
    many = build_index(tmp_path / "many", subject, dictionary, documents, context=64, batch_tokens=256)
    assert len(many.manifest.splits[Split.EXPLORE].shards) > 5
    for feature in range(dictionary.n_features):
        left, right = one.explore.firings(feature), many.explore.firings(feature)
        assert np.array_equal(left.position, right.position)
        np.testing.assert_allclose(left.activation, right.activation, rtol=2**-10)
    assert np.array_equal(one.statistics.count, many.statistics.count)
    assert one.coactivation(3, 5).indices.tolist() == many.coactivation(3, 5).indices.tolist()


def test_more_positions_than_a_block(tmp_path: Path) -> None:
    subject, dictionary = WordSubject(), ReluDictionary(n_features=3)
    documents = word_documents(count=300, longest=1200)
    index = build_index(tmp_path, subject, dictionary, documents, shard_blocks=4)
    assert len(index.manifest.splits[Split.EXPLORE].shards) == 1
    assert len(index.explore.text) > 65_536
    expected = brute_force(index.explore, subject, dictionary)
    for feature in range(3):
        assert np.array_equal(index.explore.firings(feature).position, np.flatnonzero(expected[:, feature]))
    together = (expected[:, [0]] > 0) & (expected > 0)
    cosine = together.sum(0) / np.sqrt(
        max(1, (expected[:, 0] > 0).sum()) * np.maximum((expected > 0).sum(0), 1)
    )
    found = index.coactivation(0, 2)
    np.testing.assert_allclose(found.scores, cosine[found.indices])


def test_documents_fall_into_their_splits_whole(tmp_path: Path) -> None:
    subject, documents = WordSubject(), word_documents()
    index = build_index(tmp_path, subject, ReluDictionary(), documents, context=64)
    seen: dict[str, list[int]] = {}
    for split, view in views(index).items():
        text = view.text
        for number, info in enumerate(text.documents):
            rows = np.flatnonzero(text.row_document == number)
            ids = np.concatenate([text.ids[text.row_start[r] : text.row_start[r + 1]] for r in rows])
            seen[info.id] = ids.tolist()
            lengths = np.diff(text.row_start)[rows]
            assert lengths.max() <= 64
            assert lengths.max() - lengths.min() <= 1
            document = documents[int(info.id[1:])]
            assert (info.title, info.genre, split_of(document.text)) == (
                document.title,
                document.genre,
                split,
            )
    assert seen == {d.id: subject.tokenize([d.text])[0] for d in documents}


def test_statistics_are_those_of_explore(tmp_path: Path) -> None:
    subject, dictionary = WordSubject(), ReluDictionary()
    index = build_index(tmp_path, subject, dictionary, word_documents(), context=64)
    found, view = index.statistics, index.explore
    expected = brute_force(view, subject, dictionary)
    assert found.count.tolist() == (expected > 0).sum(0).tolist()
    assert found.explore_tokens == int(view.text.eligible.sum())
    np.testing.assert_allclose(found.density, (expected > 0).sum(0) / view.text.eligible.sum())
    np.testing.assert_allclose(found.max, expected.max(0), rtol=2**-11)
    assert found.histogram.sum(1).tolist() == found.count.tolist()
    stored = view.firings(2).activation
    assert found.histogram[2].tolist() == np.histogram(stored, found.edges)[0].tolist()
    assert (
        found.count_validate.tolist()
        == (brute_force(index.validate, subject, dictionary) > 0).sum(0).tolist()
    )
    assert index.live_features(1).tolist() == np.flatnonzero(found.count).tolist()
    assert dictionary.n_features - 1 not in index.live_features()


def test_coactivation_is_the_cosine_of_firing(tmp_path: Path) -> None:
    subject, dictionary = WordSubject(), ReluDictionary()
    index = build_index(tmp_path, subject, dictionary, word_documents(), context=64)
    fires = brute_force(index.explore, subject, dictionary) > 0
    norms = np.sqrt(np.maximum(fires.sum(0), 1))
    cosine = (fires.T.astype(float) @ fires) / np.outer(norms, norms)
    cosine[4, 4] = 0
    found = index.coactivation(4, 6)
    assert found.indices.tolist() == np.argsort(-cosine[4], kind="stable")[:6].tolist()
    np.testing.assert_allclose(found.scores, cosine[4][found.indices])
    assert index.coactivation(dictionary.n_features - 1, 6).indices.tolist() == []


def test_a_limit_takes_exactly_that_many_tokens_from_all_over(tmp_path: Path) -> None:
    subject, documents = WordSubject(), word_documents(count=200)
    index = build_index(tmp_path, subject, ReluDictionary(), documents, tokens=9_000, context=64)
    assert sum(split.tokens for split in index.manifest.splits.values()) == 9_000
    numbers = [int(info.id[1:]) for view in views(index).values() for info in view.text.documents]
    assert min(numbers) < 30
    assert max(numbers) > 170
    assert 30 < len(numbers) < 120
    longest = max(
        np.bincount(view.text.row_document[view.text.row_of]).max() for view in views(index).values()
    )
    assert longest <= 256


def test_reading_costs_no_forward_pass_and_building_again_none(tmp_path: Path) -> None:
    subject, dictionary, documents = WordSubject(), ReluDictionary(), word_documents()
    index = build_index(tmp_path, subject, dictionary, documents, context=64)
    calls = subject.calls
    again = build_index(tmp_path, subject, dictionary, documents, context=64)
    assert subject.calls == calls + 1  # the one that asks for the precision
    assert again.identity == index.identity
    again.require(subject, dictionary)
    again.verify()


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    reports: list[BuildProgress] = []
    build_index(
        tmp_path, WordSubject(), ReluDictionary(), word_documents(), context=64, progress=reports.append
    )
    assert [name for name, _ in itertools.groupby(r.stage for r in reports)] == [
        "reading",
        "encoding",
        "summing",
    ]
    last = [r for r in reports if r.stage == "encoding"][-1]
    assert last.done == last.total > 0
    assert last.rate > 0
    assert last.seconds_left == 0


def test_unknown_features_and_missing_indexes(tmp_path: Path) -> None:
    index = build_index(tmp_path / "i", WordSubject(), ReluDictionary(), word_documents(), context=64)
    for feature in (-1, 20):
        with pytest.raises(UnknownNameError, match="0 to 19"):
            index.explore.firings(feature)
        with pytest.raises(UnknownNameError, match="0 to 19"):
            index.coactivation(feature, 3)
    with pytest.raises(UnknownNameError, match="no activation index"):
        ActivationIndex.open(tmp_path / "elsewhere")


def test_another_index_is_refused_with_what_differs(tmp_path: Path) -> None:
    subject, dictionary, documents = WordSubject(), ReluDictionary(), word_documents()
    index = build_index(tmp_path, subject, dictionary, documents, context=64)
    other = ReluDictionary(seed=9)
    with pytest.raises(
        IndexMismatchError,
        match=f"dictionary is '{dictionary.fingerprint()[:12]}.*{other.fingerprint()[:12]}",
    ):
        build_index(tmp_path, subject, other, documents, context=64)
    with pytest.raises(IndexMismatchError, match="context is 64, not 32"):
        build_index(tmp_path, subject, dictionary, documents, context=32)
    with pytest.raises(IndexMismatchError, match="corpus is"):
        build_index(tmp_path, subject, dictionary, documents[:-1], context=64)
    with pytest.raises(IndexMismatchError, match="tokens is None, not 5000"):
        ActivationIndex.open(tmp_path, index.manifest.identity.model_copy(update={"tokens": 5000}))
    with pytest.raises(IndexMismatchError, match="subject is"):
        index.require(WordSubject(seed=5), dictionary)
    index.require(subject, dictionary)


def test_bad_settings_and_corpora(tmp_path: Path) -> None:
    subject, dictionary, documents = WordSubject(), ReluDictionary(), word_documents()
    with pytest.raises(SettingsError, match="2 to 512"):
        build_index(tmp_path, subject, dictionary, documents, context=513)
    with pytest.raises(SettingsError, match="at least 1"):
        build_index(tmp_path, subject, dictionary, documents, tokens=0)
    with pytest.raises(SettingsError, match="generator"):
        build_index(tmp_path, subject, dictionary, (d for d in documents))
    with pytest.raises(ShapeMismatchError, match=r"reads 9 values.*has 8"):
        build_index(tmp_path, subject, ReluDictionary(d=9), documents)
    with pytest.raises(CorpusError, match=r"3 documents were read.*at least 30"):
        build_index(tmp_path, subject, dictionary, documents[:3])


def test_an_unfinished_index_is_not_read(tmp_path: Path) -> None:
    index = build_index(tmp_path, WordSubject(), ReluDictionary(), word_documents(), context=64)
    index.manifest.model_copy(update={"statistics": None}).write(tmp_path)
    with pytest.raises(StorageError, match="not finished"):
        ActivationIndex.open(tmp_path)


def test_activations_that_are_no_numbers_stop_the_build(tmp_path: Path) -> None:
    dictionary = ReluDictionary()
    dictionary.weight[3, 0] = float("inf")
    with pytest.raises(ProbeError, match="infinite"):
        build_index(tmp_path, WordSubject(), dictionary, word_documents(), context=64)
