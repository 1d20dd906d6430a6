"""Rows, metrics and cards, on tiny random subjects, against the same numbers computed the plain way."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from glossator.errors import CorpusError, CorruptFileError, ProbeError, ShapeMismatchError
from glossator.probes.activation_harvest import Harvest, harvest, shuffled_batches
from glossator.probes.coder_weights import Activation, CoderOptions, CoderWeights
from glossator.probes.corpus_document import Document
from glossator.probes.sae_card import SaeCard, read_card, stored_training, write_card
from glossator.probes.sae_metrics import SaeMetrics, measure
from glossator.probes.sparse_coder import SparseCoder
from glossator.probes.split_assignment import split_of
from glossator.probes.subject import Subject
from glossator.probes.tiny_subject import tiny_subject
from glossator.probes.token_rows import draw_rows, eligible_activations, row_batches
from glossator.records import SiteRef, Split

SITE = SiteRef.parse("1.resid")
DOCUMENTS = [
    Document(str(i), "", "", f"text {i} of {i * 37 % 101} kinds: " + "abc " * (i % 9 + 2), source="here")
    for i in range(60)
]


@pytest.fixture(scope="module")
def subject() -> Subject:
    return tiny_subject()


def random_sae(seed: int = 0, width: int = 40, k: int = 5) -> SparseCoder:
    gen = torch.Generator().manual_seed(seed)
    dec = torch.nn.functional.normalize(torch.randn(width, 16, generator=gen), dim=1)
    weights = CoderWeights(W_enc=dec.T.clone(), W_dec=dec, b_dec=torch.zeros(16), b_enc=torch.zeros(width))
    return SparseCoder(weights, CoderOptions(activation=Activation.TOPK, k=k), name="random", site=SITE)


def identity() -> SparseCoder:
    """Plus and minus every coordinate: loses nothing."""
    eye = torch.eye(16)
    both = torch.cat([eye, -eye])
    weights = CoderWeights(W_enc=both.T, W_dec=both, b_dec=torch.zeros(16), b_enc=torch.zeros(32))
    return SparseCoder(weights, CoderOptions(activation=Activation.RELU), name="identity", site=SITE)


def test_rows_come_from_the_asked_splits_only(subject: Subject) -> None:
    rows = draw_rows(subject, DOCUMENTS, (Split.SEALED,), tokens=10_000, context=32, seed=0)
    texts = [d.text for d in DOCUMENTS if split_of(d.text) is Split.SEALED]
    assert texts
    # Near duplicates fall with the first of their group, so rows may come from fewer or other texts;
    # every row is a piece of some document, and none is of a text that only explore has.
    whole = [subject.tokenize([d.text])[0] for d in DOCUMENTS]
    prefix = list(subject.row_prefix)
    for row in rows:
        piece = row[len(prefix) :].tolist()
        assert row[: len(prefix)].tolist() == prefix
        assert 8 <= len(piece) <= 32 - len(prefix)
        assert any(piece == ids[i : i + len(piece)] for ids in whole for i in range(len(ids)))


def test_rows_are_drawn_evenly_and_by_seed(subject: Subject) -> None:
    splits = tuple(Split)
    few = draw_rows(subject, DOCUMENTS, splits, tokens=5 * 32, context=32, seed=1)
    again = draw_rows(subject, DOCUMENTS, splits, tokens=5 * 32, context=32, seed=1)
    other = draw_rows(subject, DOCUMENTS, splits, tokens=5 * 32, context=32, seed=2)
    assert len(few) == len(other) == 5
    assert all(np.array_equal(a, b) for a, b in zip(few, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(few, other, strict=True))


def test_a_split_without_text_is_an_error(subject: Subject) -> None:
    explore = [d for d in DOCUMENTS if split_of(d.text) is Split.EXPLORE][:1]
    with pytest.raises(CorpusError, match="sealed part of the corpus has no row"):
        draw_rows(subject, explore, (Split.SEALED,), tokens=100, context=32, seed=0)


def rows_of(*texts: str, subject: Subject) -> list[np.ndarray]:
    return [np.asarray(ids, dtype=np.int64) for ids in subject.tokenize(texts)]


def test_padding_first_positions_and_special_tokens_are_not_eligible(subject: Subject) -> None:
    rows = [np.array([5, 6, 1, 7]), np.array([8, 9])]  # 1 is special in the tiny tokenizer
    (batch,) = row_batches(subject, rows, 100)
    assert batch.eligible.tolist() == [[False, True, False, True], [False, True, False, False]]
    assert batch.mask.tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]


def test_padding_does_not_change_activations(subject: Subject) -> None:
    rows = rows_of("some words of a row", "few", subject=subject)
    (batch,) = row_batches(subject, rows, 1000)
    together = eligible_activations(subject, SITE, batch)
    alone = torch.cat([subject.activations(SITE, torch.from_numpy(r)[None])[0, 1:] for r in rows])
    torch.testing.assert_close(together, alone.float(), atol=1e-4, rtol=1e-4)


def test_a_lossless_dictionary_measures_as_lossless(subject: Subject) -> None:
    rows = rows_of("the quick brown fox", "jumps over a lazy dog again", subject=subject)
    found = measure(subject, identity(), rows)
    assert found.explained_variance == pytest.approx(1, abs=1e-9)
    assert found.ce_recovered == pytest.approx(1, abs=1e-4)
    assert found.ce_ablated != pytest.approx(found.ce_clean, abs=1e-3)
    assert found.l0 == pytest.approx(16, abs=0.01)  # one of each pair of signs
    assert found.tokens == sum(len(r) - 1 for r in rows)
    assert found.ce_tokens == sum(len(r) - 2 for r in rows)


def test_metrics_against_the_plain_computation(subject: Subject) -> None:
    rows = rows_of("one row of words to read", "and one more of them", subject=subject)
    sae = random_sae()
    found = measure(subject, sae, rows, batch_tokens=1)  # one row a batch
    x = torch.cat([subject.activations(SITE, torch.from_numpy(r)[None])[0, 1:].float() for r in rows])
    pre = x @ sae.weights.W_enc
    top = pre.topk(5)
    acts = torch.zeros_like(pre).scatter_(1, top.indices, top.values.relu())
    rest = x - acts @ sae.weights.W_dec
    expected = 1 - float((rest.double() ** 2).sum() / ((x - x.mean(0)).double() ** 2).sum())
    assert found.explained_variance == pytest.approx(expected, abs=1e-6)
    assert found.l0 == pytest.approx(float((acts > 0).sum(1).float().mean()))
    assert found.alive == int((acts > 0).any(0).sum())
    assert found.dead_share == pytest.approx(1 - found.alive / 40)
    assert 0 < found.alive < 41


def test_cross_entropy_is_of_the_spliced_subject(subject: Subject) -> None:
    rows = rows_of("one row of words to read", subject=subject)
    ids = torch.from_numpy(rows[0])[None]
    sae = random_sae()

    def spliced(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x[:, :1], sae.reconstruct(x[0, 1:].float())[None].to(x.dtype)], 1)

    def loss(logits: torch.Tensor) -> float:
        # The first position predicts nothing that counts: it is not eligible.
        return float(torch.nn.functional.cross_entropy(logits[0, 1:-1].float(), ids[0, 2:]))

    found = measure(subject, sae, rows)
    assert found.ce_clean == pytest.approx(loss(subject.logits(ids)), abs=1e-5)
    edited = subject.logits(ids, site=SITE, edit=spliced)
    assert found.ce_reconstructed == pytest.approx(loss(edited), abs=1e-4)
    expected = (found.ce_ablated - found.ce_reconstructed) / (found.ce_ablated - found.ce_clean)
    assert found.ce_recovered == pytest.approx(expected)


def test_cross_entropies_stop_at_their_limit(subject: Subject) -> None:
    rows = rows_of(*("words and more words here" for _ in range(6)), subject=subject)
    found = measure(subject, identity(), rows, ce_tokens=10, batch_tokens=1)
    assert 10 <= found.ce_tokens < 10 + len(rows[0])
    assert found.tokens == sum(len(r) - 1 for r in rows)


def test_what_cannot_be_measured_is_named(subject: Subject) -> None:
    with pytest.raises(ProbeError, match="no token of the rows is eligible"):
        measure(subject, identity(), [np.array([5])])
    eye = torch.eye(16)
    transcoder = SparseCoder(
        CoderWeights(W_enc=eye, W_dec=eye[:, :8].clone(), b_dec=torch.zeros(8), b_enc=torch.zeros(16)),
        CoderOptions(activation=Activation.RELU, transcoder=True),
        name="narrow",
        site=SITE,
        output_site=SiteRef.parse("2.resid"),
    )
    with pytest.raises(
        ShapeMismatchError, match=r"'narrow' writes 8 values, but 2\.resid of tiny-llama has 16"
    ):
        measure(subject, transcoder, rows_of("a row of words", subject=subject))


def test_harvest_and_its_shuffled_batches(subject: Subject, tmp_path: Path) -> None:
    rows = rows_of("the quick brown fox", "jumps over a lazy dog again", subject=subject)
    done = harvest(subject, SITE, rows, tmp_path / "x.npy")
    expected = torch.cat([eligible_activations(subject, SITE, b) for b in row_batches(subject, rows, 2048)])
    assert (done.tokens, done.d, done.cut) == (expected.shape[0], 16, 0)
    torch.testing.assert_close(
        torch.from_numpy(np.array(done.open())).float(), expected, atol=1e-2, rtol=1e-2
    )
    batches = shuffled_batches(done, 4, seed=0)
    per_pass = done.tokens // 4
    first = torch.cat([next(batches) for _ in range(per_pass)])
    second = torch.cat([next(batches) for _ in range(per_pass)])
    assert len(first.unique(dim=0)) == per_pass * 4  # no token twice in a pass
    assert not torch.equal(first, second)
    again = shuffled_batches(Harvest(done.path, done.tokens, done.d, 0), 4, seed=0)
    assert torch.equal(next(again), first[:4])


def card(metrics: SaeMetrics) -> SaeCard:
    return SaeCard(
        name="1-resid-40", subject="tiny", subject_fingerprint="s", site=SITE, fingerprint="f",
        training={"steps": 3}, corpus="starter", split=Split.SEALED, metrics=metrics,
    )  # fmt: skip


def test_a_card_is_written_and_read(tmp_path: Path) -> None:
    metrics = SaeMetrics(
        tokens=1000, features=40, l0=4.5, explained_variance=0.71, alive=30, dead_share=0.25,
        explained_variance_ordinary=0.7, outliers=1,
        ce_tokens=90, ce_clean=3.0, ce_reconstructed=3.5, ce_ablated=8.0, ce_recovered=0.9,
    )  # fmt: skip
    assert read_card(tmp_path) is None
    assert stored_training(tmp_path) == {}
    write_card(tmp_path, card(metrics))
    assert read_card(tmp_path) == card(metrics)
    assert stored_training(tmp_path) == {"steps": 3}
    text = (tmp_path / "CARD.md").read_text()
    for expected in ("| 0.7100 |", "25.0% (10 of 40)", "| 0.9000 |", "- steps: 3", "`1.resid`"):
        assert expected in text
    (tmp_path / "card.json").write_text('{"name": "cut')
    with pytest.raises(CorruptFileError, match=r"card\.json' is not a card"):
        read_card(tmp_path)
    assert math.isfinite(metrics.ce_recovered)


def test_outliers_do_not_carry_the_ordinary_explained_variance() -> None:
    from glossator.probes.sae_metrics import _Sums

    generator = torch.Generator().manual_seed(0)
    ordinary = torch.randn(200, 8, generator=generator)
    massive = torch.full((2, 8), 500.0)
    found = torch.cat([torch.zeros_like(ordinary), massive])
    everything, usual = _Sums(), _Sums()
    everything.add(torch.cat([ordinary, massive]), found)
    usual.add(ordinary, torch.zeros_like(ordinary))
    assert everything.explained_variance > 0.99
    assert usual.explained_variance < 0.02
