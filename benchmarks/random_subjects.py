"""Random subjects, dictionaries and documents of any size, made in place: for measuring speed alone.

The subjects have the shape of a Llama and the tokenizer reads words such as `w17`, so texts of random
words go the whole way from documents to an index without any download.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import tokenizers
import torch
from tokenizers import models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from glossator.probes.coder_weights import Activation, CoderOptions, CoderWeights
from glossator.probes.corpus_document import Document
from glossator.probes.sparse_coder import SparseCoder
from glossator.probes.subject import Subject
from glossator.records import SiteRef

WORDS = 49_152
DOCUMENT_TOKENS = 1024


class SubjectSize(NamedTuple):
    """A Llama-shaped subject."""

    name: str
    layers: int
    width: int
    hidden: int
    heads: int
    kv_heads: int
    head: int
    exit_layer: int
    """The site read is the residual stream after this block."""


SMALL = SubjectSize("135m", 30, 576, 1536, 9, 3, 64, 12)
"""As SmolLM2 135M."""
LARGE = SubjectSize("2b", 26, 2304, 9216, 8, 4, 256, 12)
"""About as Gemma 2 2B, with a vocabulary of 49,152 in place of 256,000."""
TINY = SubjectSize("tiny", 3, 64, 160, 4, 2, 16, 1)


def random_subject(size: SubjectSize, device: str, dtype: torch.dtype) -> Subject:
    """A subject of `size` with random weights."""
    settings: dict[str, Any] = {
        "vocab_size": WORDS, "hidden_size": size.width, "intermediate_size": size.hidden,
        "num_hidden_layers": size.layers, "num_attention_heads": size.heads,
        "num_key_value_heads": size.kv_heads, "head_dim": size.head, "max_position_embeddings": 2048,
        "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2,
    }  # fmt: skip
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **settings), dtype=dtype)
    return Subject(model.eval().to(device), _word_tokenizer(), f"random-{size.name}")


def _word_tokenizer() -> PreTrainedTokenizerFast:
    words = ["<unk>", "<s>", "</s>", *(f"w{i}" for i in range(3, WORDS))]
    backend = tokenizers.Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
    )
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )


class RandomCoder(SparseCoder):
    """A top-k coder whose fingerprint does not read its weights, which takes long where they are large."""

    def fingerprint(self) -> str:
        """SHA-256 of its name."""
        return hashlib.sha256(self.name.encode()).hexdigest()

    def weights_fingerprint(self) -> str:
        """The fingerprint that any other coder has."""
        return super().fingerprint()


def random_coder(size: SubjectSize, features: int, k: int, device: str) -> RandomCoder:
    """Random directions at the subject's exit, read as they are written (one matrix for both)."""
    draw = torch.Generator(device=device).manual_seed(features)
    rows = torch.randn(features, size.width, generator=draw, device=device)
    rows /= size.width**0.5
    weights = CoderWeights(
        W_enc=rows.T, W_dec=rows, b_enc=torch.zeros(features, device=device),
        b_dec=torch.zeros(size.width, device=device),
    )  # fmt: skip
    options = CoderOptions(activation=Activation.TOPK, k=k)
    site = SiteRef.parse(f"{size.exit_layer}.resid")
    return RandomCoder(weights, options, name=f"random-{features}-{k}", site=site, device=device)


class RandomDocuments:
    """Documents of random words, made as they are read."""

    def __init__(self, tokens: int) -> None:
        """As many documents of 1,024 tokens as `tokens` needs."""
        self._count = max(32, -(-tokens // DOCUMENT_TOKENS))

    def __iter__(self) -> Iterator[Document]:
        rng = np.random.default_rng(0)
        for number in range(self._count):
            words = rng.integers(3, WORDS, DOCUMENT_TOKENS).tolist()
            yield Document(str(number), "", "", " ".join(f"w{i}" for i in words), "random")
