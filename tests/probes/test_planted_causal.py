"""Tests of the planted causal subject: that what it says of its features is so."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import torch
from jaxtyping import Bool, Float, Int

from glossator.probes.activation_index import ActivationIndex
from glossator.probes.planted_causal import FEATURES, KINDS, SIBLINGS, SITE, PlantedCausal, planted_causal
from glossator.probes.predicate_evaluation import evaluate
from glossator.probes.sealed_split import open_sealed
from glossator.probes.split_view import AnyView

OPENERS = ("I think that", "The first thing we saw was", "It was late when", "She looked at the", "They had")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices this small take longer on several threads, much longer where cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def planted() -> PlantedCausal:
    return planted_causal(0)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> ActivationIndex:
    torch.set_num_threads(1)  # a module's fixture comes before `one_thread`
    return planted().index(tmp_path_factory.mktemp("planted_causal") / "index")


@cache
def clean_log_probs(text: str) -> Float[torch.Tensor, " vocab"]:
    return last_log_probs(text)


def last_log_probs(
    text: str, vector: Float[torch.Tensor, " d"] | None = None
) -> Float[torch.Tensor, " vocab"]:
    subject = planted().subject
    ids = torch.tensor([[*subject.row_prefix, *subject.tokenize([text])[0]]])
    if vector is None:
        return subject.logits(ids)[0, -1].log_softmax(-1)

    def added(x: Float[torch.Tensor, "batch pos d"]) -> Float[torch.Tensor, "batch pos d"]:
        return torch.cat([x[:, :1], x[:, 1:] + vector], dim=1)

    return subject.logits(ids, site=SITE, edit=added)[0, -1].log_softmax(-1)


def token_ids(texts: tuple[str, ...]) -> list[int]:
    known = planted().subject.vocabulary.texts
    return [known.index(text) for text in texts]


def kl(name: str, units: float) -> float:
    """Mean next-token KL over the openers with so many units of the feature's direction added."""
    vector = units * planted().dictionary.directions()[planted().features[name]]
    values: list[float] = []
    for opener in OPENERS:
        clean, steered = clean_log_probs(opener), last_log_probs(opener, vector)
        values.append(float((clean.exp() * (clean - steered)).sum()))
    return float(np.mean(values))


def rise(ids: list[int], vector: Float[torch.Tensor, " d"]) -> float:
    """Mean change of the log-probability that the next token is one of `ids`."""
    changes = [
        last_log_probs(t, vector)[ids].logsumexp(0) - clean_log_probs(t)[ids].logsumexp(0) for t in OPENERS
    ]
    return float(torch.stack(changes).mean())


def test_the_same_seed_gives_the_same_subject_and_another_seed_another():
    again, other = planted_causal(0), planted_causal(1)
    assert again.subject.fingerprint() == planted().subject.fingerprint()
    assert again.dictionary.fingerprint() == planted().dictionary.fingerprint()
    assert again.texts == planted().texts
    assert other.subject.fingerprint() != planted().subject.fingerprint()


def test_text_is_tokenised_by_words_and_reads_back():
    subject = planted().subject
    (ids,) = subject.tokenize(["The coffee was cold, and they liked the tea."])
    texts = [subject.vocabulary.texts[i] for i in ids]
    assert texts[:4] == [" The", " coffee", " was", " cold"]
    assert "".join(texts) == " The coffee was cold, and they liked the tea."
    assert len(subject.row_prefix) == 1


def test_every_feature_fires_often_enough_in_explore_and_sealed(index: ActivationIndex):
    sealed = open_sealed(index)
    for name in FEATURES:
        k = planted().features[name]
        assert len(index.explore.firings(k).position) >= 100, name
        assert len(sealed.firings(k).position) >= 30, name


def test_predictable_features_fire_on_their_words_and_nowhere_else(index: ActivationIndex):
    text, vocabulary = index.explore.text, planted().subject.vocabulary.texts
    for name, words in planted().fires_on.items():
        if words:
            fired = text.ids[index.explore.firings(planted().features[name]).position]
            inside = np.mean([vocabulary[int(i)] in words for i in fired])
            assert inside > 0.98, name


@pytest.mark.parametrize("name", ["output", "neither"])
def test_no_token_says_where_the_unpredictable_features_fire(index: ActivationIndex, name: str):
    def ids_and_firing(view: AnyView) -> tuple[Int[np.ndarray, " tokens"], Bool[np.ndarray, " tokens"]]:
        fires = np.zeros(len(view.text), dtype=bool)
        fires[view.firings(planted().features[name]).position] = True
        return np.asarray(view.text.ids)[view.text.eligible], fires[view.text.eligible]

    ids, fires = ids_and_firing(index.explore)
    n = len(planted().subject.vocabulary)
    rate = np.bincount(ids[fires], minlength=n) / np.maximum(np.bincount(ids, minlength=n), 1)
    ids, fires = ids_and_firing(index.validate)
    found: list[float] = []
    for quantile in (0.5, 0.8, 0.9, 0.95):  # the tokens after which it fires most, learnt on explore
        held = (rate > np.quantile(rate, quantile))[ids]
        found.append((held[fires].mean() + 1 - held[~fires].mean()) / 2)
    assert max(found) < 0.67


def test_labels_of_clean_and_input_hold_where_they_fire_and_that_of_output_does_not(index: ActivationIndex):
    labels = planted().explanations()
    assert set(labels) == set(FEATURES)
    text = index.explore.text
    for name, low, high in (("clean", 0.95, 1.0), ("input", 0.95, 1.0), ("output", 0.0, 0.2)):
        predicate = labels[name].predicate
        assert predicate is not None
        held = evaluate(predicate, text)
        fired = index.explore.firings(planted().features[name]).position
        assert low <= held[fired].mean() <= high, name


@pytest.mark.parametrize("name", ["clean", "lexical", "output"])
def test_features_that_write_raise_their_own_words_above_all_others(name: str):
    own = token_ids(planted().concepts[name])
    direction = planted().dictionary.directions()[planted().features[name]]
    clean, steered = last_log_probs("I think that"), last_log_probs("I think that", 2 * direction)
    top = (steered - clean).topk(len(own)).indices.tolist()
    assert sorted(top) == sorted(own)


def test_a_random_direction_of_the_same_norm_moves_no_concept_as_far():
    ids = token_ids(planted().concepts["clean"])
    planted_rise = rise(ids, 2 * planted().dictionary.directions()[planted().features["clean"]])
    generator = torch.Generator().manual_seed(0)
    for _ in range(8):
        vector = torch.randn(planted().subject.d_model, generator=generator)
        assert abs(rise(ids, 2 * vector / vector.norm())) < planted_rise / 3


def test_kl_levels_lie_within_a_feature_s_own_range_and_nothing_reads_the_unread():
    largest = 4.0  # activations reach about 4.5
    assert kl("clean", 0.1 * largest) < 0.1
    assert kl("clean", largest) > 3.0
    assert kl("input", largest) < 0.02
    assert kl("neither", largest) < 0.02


def test_siblings_lie_near_clean_and_others_do_not():
    unit = planted().dictionary.directions()
    near = unit @ unit[planted().features["clean"]]
    for name in FEATURES:
        cosine = float(near[planted().features[name]])
        if name in SIBLINGS:
            assert cosine == pytest.approx(0.6, abs=1e-3)
        elif name != "clean":
            assert abs(cosine) < 0.4, name
    assert set(KINDS) <= set(planted().features)
