"""Embedders: mean pooling by hand, batching that changes nothing, and the hashing stand-in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch
from tokenizers import models, pre_tokenizers, processors
from transformers import BertConfig, BertModel

from glossator.errors import CorruptFileError, UnknownNameError
from glossator.probes.sentence_embedder import Embedder, HashingEmbedder, SentenceEmbedder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "sat", "dog", "law"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=256,
    )  # fmt: skip
    BertModel(config).save_pretrained(tmp_path / "tiny-bert")
    backend = tokenizers.Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)]
    )
    backend.save(str(tmp_path / "tiny-bert" / "tokenizer.json"))
    return tmp_path / "tiny-bert"


def test_vectors_are_the_mean_over_tokens_at_length_one(folder: Path) -> None:
    embedder: Embedder = SentenceEmbedder(folder)
    model = BertModel.from_pretrained(folder).eval()
    with torch.no_grad():
        hidden = model(torch.tensor([[2, 4, 5, 6, 3]])).last_hidden_state[0].mean(dim=0)
    expected = (hidden / hidden.norm()).numpy()
    np.testing.assert_allclose(embedder.embed(["the cat sat"])[0], expected, atol=1e-6)
    assert embedder.dimension == 16
    assert embedder.name == "tiny-bert"


def test_order_batches_and_padding_change_nothing(folder: Path) -> None:
    embedder = SentenceEmbedder(folder)
    texts = ["the cat sat", "", "law", "the dog sat the cat sat law " * 60, "dog \ud800\0", "cat"]
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    for batch_size in (1, 4, 64):
        np.testing.assert_allclose(embedder.embed(texts, batch_size=batch_size), alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(alone, axis=1), 1, atol=1e-5)
    assert embedder.embed([]).shape == (0, 16)
    assert alone.dtype == np.float32


def test_fingerprint_follows_the_weights(folder: Path) -> None:
    before = SentenceEmbedder(folder).fingerprint()
    assert SentenceEmbedder(folder).fingerprint() == before
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert SentenceEmbedder(folder).fingerprint() != before


def test_missing_and_damaged_embedders(folder: Path) -> None:
    with pytest.raises(UnknownNameError, match="nowhere"):
        SentenceEmbedder(folder / "nowhere")
    (folder / "model.safetensors").write_bytes(b"x" * 50)
    with pytest.raises(CorruptFileError, match="tiny-bert"):
        SentenceEmbedder(folder).embed(["a"])


def test_hashing_embedder_puts_like_texts_near() -> None:
    embedder: Embedder = HashingEmbedder()
    legal, same, other, empty = embedder.embed(
        ["the court ruled", "The COURT rules", "pasta with tomato", ""]
    )
    assert legal @ same > 0.6
    assert abs(legal @ other) < 0.2
    assert not empty.any()
    assert legal.shape == (embedder.dimension,)
    np.testing.assert_array_equal(embedder.embed(["the court ruled"])[0], legal)
    assert np.linalg.norm(legal) == pytest.approx(1, abs=1e-6)


def test_hashing_embedder_by_hand() -> None:
    import zlib

    expected = np.zeros(384)
    for piece, weight in (("<ab>", 1.0), ("<ab", 0.5), ("ab>", 0.5)):
        code = zlib.crc32(piece.encode())
        expected[code % 384] += weight if code >= 1 << 31 else -weight
    found = HashingEmbedder().embed(["ab"])[0]
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-6)
