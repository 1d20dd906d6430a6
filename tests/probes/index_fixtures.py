"""A subject of words and a dictionary of a few features, small enough to compute everything densely."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int

from glossator.probes.corpus import Document
from glossator.probes.dictionary import SparsePairs
from glossator.probes.vocabulary import Vocabulary
from glossator.records import SiteRef

WORDS = 300


class WordSubject:
    """Tokens are words `w0` … `w299`; an activation is the word's vector plus half the previous one's."""

    name = "words"
    context_length = 512

    def __init__(self, d: int = 8, prefix: bool = False, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.table = torch.from_numpy(rng.standard_normal((WORDS + 2, d)).astype(np.float32))
        self.row_prefix = (WORDS,) if prefix else ()
        texts = tuple(f" w{i}" for i in range(WORDS))
        self.vocabulary = Vocabulary((*texts, "<s>", "<pad>"), frozenset({WORDS, WORDS + 1}))
        self.calls = 0

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        return [[int(m) % WORDS for m in re.findall(r"w(\d+)", text)] for text in texts]

    def activations(
        self,
        site: SiteRef,
        ids: Int[torch.Tensor, "batch pos"],
        mask: Int[torch.Tensor, "batch pos"] | None = None,
    ) -> Float[torch.Tensor, "batch pos d"]:
        self.calls += 1
        own = self.table[ids]
        before = torch.zeros_like(own)
        before[:, 1:] = own[:, :-1]
        out = own + 0.5 * before
        if mask is not None:
            out = torch.where(mask[..., None] > 0, out, torch.full_like(out, float("nan")))
        return out

    def fingerprint(self) -> str:
        return hashlib.sha256(self.table.numpy().tobytes() + repr(self.row_prefix).encode()).hexdigest()


class ReluDictionary:
    """Feature f fires by max(0, w_f · x − 1); the last feature is dead, and all is scaled."""

    name = "relu"
    site = SiteRef.parse("3.resid")
    output_site = site

    def __init__(self, d: int = 8, n_features: int = 20, seed: int = 1, scale: float = 1.0) -> None:
        rng = np.random.default_rng(seed)
        self.weight = torch.from_numpy(rng.standard_normal((n_features, d)).astype(np.float32)) * scale
        self.weight[-1] = 0
        self.n_features, self.d_in, self.scale = n_features, d, scale

    def dense(self, activations: Float[torch.Tensor, "tokens d"]) -> Float[torch.Tensor, "tokens f"]:
        return torch.relu(activations.float() @ self.weight.T - self.scale)

    def encode(self, activations: Float[torch.Tensor, "tokens d"]) -> SparsePairs:
        dense = self.dense(activations)
        token, feature = dense.nonzero(as_tuple=True)
        return SparsePairs(token, feature, dense[token, feature])

    def encode_fast(self, activations: Float[torch.Tensor, "tokens d"]) -> SparsePairs:
        return self.encode(activations)

    def reconstruct(self, activations: Float[torch.Tensor, "tokens d"]) -> Float[torch.Tensor, "tokens d"]:
        return activations

    def directions(self) -> Float[torch.Tensor, "features d"]:
        return self.weight

    def fingerprint(self) -> str:
        return hashlib.sha256(self.weight.numpy().tobytes()).hexdigest()


def word_documents(count: int = 60, longest: int = 400, seed: int = 2) -> list[Document]:
    """Documents of 20 to `longest` random words."""
    rng = np.random.default_rng(seed)
    texts = [
        " ".join(f"w{w}" for w in rng.integers(0, WORDS, rng.integers(20, longest))) for _ in range(count)
    ]
    return [
        Document(f"d{i}", f"title {i}", "words" if i % 2 else "noise", text, "test")
        for i, text in enumerate(texts)
    ]
