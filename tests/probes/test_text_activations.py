"""Activations on single texts are those that an index of the same texts holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from glossator.errors import ProbeError, UnknownNameError
from glossator.probes.activation_index import build_index
from glossator.probes.sealed_split import open_sealed
from glossator.probes.text_activations import TextActivations
from glossator.records import SiteRef
from tests.probes.index_fixtures import WORDS, ReluDictionary, WordSubject, word_documents


@pytest.mark.parametrize("prefix", [False, True])
def test_parity_with_an_index_of_the_same_texts(tmp_path: Path, prefix: bool) -> None:
    subject, dictionary = WordSubject(prefix=prefix), ReluDictionary()
    documents = word_documents(80, longest=60)
    index = build_index(tmp_path / "i", subject, dictionary, documents, context=64)
    activations = TextActivations(subject, dictionary, context=64, batch_tokens=128)
    text_of = {d.id: d.text for d in documents}
    seen = 0
    for view in (index.explore, index.validate, open_sealed(index)):
        ids = [d.id for d in view.text.documents]
        for feature in range(0, 20, 3):
            stored = np.zeros(len(ids), np.float32)
            firings = view.firings(feature)
            np.maximum.at(stored, view.text.document_of(firings.position), firings.activation)
            got = activations(feature, [text_of[i] for i in ids])
            np.testing.assert_allclose(got, stored, rtol=2e-3, atol=1e-3)  # an index holds float16
            seen += int((stored > 0).sum())
    assert seen > 50


def test_first_positions_do_not_count_unless_a_prefix_stands_there() -> None:
    dictionary = ReluDictionary()
    bare, prefixed = WordSubject(), WordSubject(prefix=True)
    strong = [w for w in range(50) if float(dictionary.dense(bare.table[w : w + 1])[0, 0]) > 0]
    texts = [f"w{strong[0]}", ""]
    assert TextActivations(bare, dictionary)(0, texts).tolist() == [0.0, 0.0]
    assert TextActivations(prefixed, dictionary)(0, texts)[1] == 0.0
    with_prefix = prefixed.table[strong[0]] + 0.5 * prefixed.table[WORDS]
    wanted = float(dictionary.dense(with_prefix[None])[0, 0])
    assert TextActivations(prefixed, dictionary)(0, texts)[0] == pytest.approx(wanted)


def test_long_texts_are_read_up_to_the_context() -> None:
    subject, dictionary = WordSubject(), ReluDictionary()
    words = " ".join(f"w{i}" for i in range(100))
    head = " ".join(f"w{i}" for i in range(8))
    short = TextActivations(subject, dictionary, context=8)
    for feature in range(19):
        assert (
            short(feature, [words]).tolist() == TextActivations(subject, dictionary)(feature, [head]).tolist()
        )


def test_wrong_features_and_broken_weights_are_said() -> None:
    subject, dictionary = WordSubject(), ReluDictionary()
    with pytest.raises(UnknownNameError, match="no feature 20 in 'relu': they are numbered 0 to 19"):
        TextActivations(subject, dictionary)(20, ["w1"])

    class Broken(ReluDictionary):
        site = SiteRef.parse("3.resid")

        def dense(self, activations: torch.Tensor) -> torch.Tensor:
            return torch.full((len(activations), self.n_features), float("inf"))

    with pytest.raises(ProbeError, match="infinite"):
        TextActivations(subject, Broken())(0, ["w1 w2"])


def test_profiles_and_maxima_agree_with_single_activations() -> None:
    for prefix in (False, True):
        subject, dictionary = WordSubject(prefix=prefix), ReluDictionary()
        texts = [d.text for d in word_documents(12, longest=40)] + ["", "w1"]
        activations = TextActivations(subject, dictionary, context=64, batch_tokens=96)
        maxima = activations.maxima(texts)
        dense = np.zeros((len(texts), dictionary.n_features), np.float32)
        dense[maxima.text, maxima.feature] = maxima.activation
        assert (maxima.activation > 0).all()
        for feature in (0, 3, 7):
            single = activations(feature, texts)
            profiles = activations.profiles(feature, texts)
            np.testing.assert_allclose([p.activation for p in profiles], single, rtol=1e-5)
            np.testing.assert_allclose(dense[:, feature], single, rtol=1e-5)
            for text, profile in zip(texts, profiles, strict=True):
                assert len(profile.tokens) == len(profile.activations) == len(subject.tokenize([text])[0])
                peak = profile.peak
                assert (peak is None) == (profile.activation == 0)
                assert peak is None or profile.activations[peak] == profile.activation
