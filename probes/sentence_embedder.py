"""Sentence embeddings: a BERT-shaped model with mean pooling, and a hashing stand-in without one.

The starter embedder is all-MiniLM-L6-v2 (https://arxiv.org/abs/1908.10084): mean over tokens, then
length 1, at most 256 tokens. Vectors of both embedders have length 1, so dot products are cosines.
"""

from __future__ import annotations

import hashlib
import re
import threading
import zlib
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from glossator.errors import CorruptFileError, UnknownNameError
from glossator.probes.subject_tokenizer import without_lone_surrogates
from glossator.probes.verified_folder import file_sha256

MAX_TOKENS = 256


@runtime_checkable
class Embedder(Protocol):
    """Anything that turns texts into vectors of length 1."""

    @property
    def name(self) -> str: ...
    @property
    def dimension(self) -> int: ...

    def embed(self, texts: Sequence[str], batch_size: int = 64) -> Float[np.ndarray, "n d"]:
        """One float32 vector per text."""
        ...

    def fingerprint(self) -> str:
        """SHA-256 over what decides the vectors."""
        ...


class _Loaded(NamedTuple):
    model: Any
    tokenizer: Any


class SentenceEmbedder:
    """A BERT-shaped encoder from a folder, loaded on first use."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        """Embedder over `folder`; raises `UnknownNameError` if there is no model in it."""
        if not (folder / "config.json").is_file():
            raise UnknownNameError(f"no embedding model in {str(folder)!r}: give a folder with config.json")
        self._folder, self._device = folder, device
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The folder's name."""
        return self._folder.resolve().name

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return int(self._loaded.model.config.hidden_size)

    def embed(self, texts: Sequence[str], batch_size: int = 64) -> Float[np.ndarray, "n d"]:
        """One float32 vector of length 1 per text; texts are cut at 256 tokens."""
        out = np.empty((len(texts), self.dimension), dtype=np.float32)
        with self._lock:
            tokenizer = self._loaded.tokenizer
            rows = [e.ids for e in tokenizer.encode_batch_fast([without_lone_surrogates(t) for t in texts])]
            order = sorted(
                range(len(rows)), key=lambda i: len(rows[i])
            )  # like lengths together: little padding
            for start in range(0, len(order), batch_size):
                chosen = order[start : start + batch_size]
                out[chosen] = self._embed_rows([rows[i] for i in chosen])
        return out

    def fingerprint(self) -> str:
        """SHA-256 over the files that decide the vectors."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256(str(MAX_TOKENS).encode())
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            path = self._folder / name
            digest.update(f"{name}:{file_sha256(path) if path.is_file() else ''}".encode())
        return digest.hexdigest()

    @cached_property
    def _loaded(self) -> _Loaded:
        import tokenizers
        from safetensors import SafetensorError
        from transformers import AutoModel

        from glossator.probes.checkpoint import quietly

        try:
            with quietly():
                model = AutoModel.from_pretrained(str(self._folder), local_files_only=True)
            tokenizer = tokenizers.Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        except Exception as exc:
            # tokenizers raises bare Exception; anything else unforeseen is a mistake of ours.
            if type(exc) is not Exception and not isinstance(exc, OSError | ValueError | SafetensorError):
                raise
            raise CorruptFileError(f"the embedder in {str(self._folder)!r} cannot be read: {exc}") from exc
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True  # a text is never more than text
        return _Loaded(model.eval().float().to(self._device), tokenizer)

    def _embed_rows(self, rows: list[list[int]]) -> Float[np.ndarray, "n d"]:
        import torch

        width = max(map(len, rows))
        ids = torch.zeros((len(rows), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = 1
        with torch.no_grad():
            hidden = self._loaded.model(
                input_ids=ids.to(self._device), attention_mask=mask.to(self._device)
            ).last_hidden_state.cpu()
        weights = mask[:, :, None].float()
        mean = (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        return torch.nn.functional.normalize(mean, dim=1).numpy()


class HashingEmbedder:
    """Words and their letter trigrams, hashed with signs: needs no model, knows no meaning.

    Texts that share words or stems are near. The empty text is the zero vector.
    """

    name = "hashing-384"
    dimension = 384

    def embed(self, texts: Sequence[str], batch_size: int = 64) -> Float[np.ndarray, "n d"]:
        """One float32 vector of length 1 per text (`batch_size` changes nothing)."""
        out = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(out, texts, strict=True):
            for word in re.findall(r"\w+|[^\w\s]", text.casefold()):
                slots, weights = _word_slots(word, self.dimension)
                np.add.at(row, slots, weights)
        norms = np.linalg.norm(out, axis=1, keepdims=True)
        return out / np.maximum(norms, np.float32(1e-12))

    def fingerprint(self) -> str:
        """SHA-256 of the recipe's name."""
        return hashlib.sha256(b"glossator hashing embedder 1").hexdigest()


class _Slots(NamedTuple):
    slots: np.ndarray
    weights: np.ndarray


@lru_cache(maxsize=100_000)
def _word_slots(word: str, dimension: int) -> _Slots:
    framed = f"<{word}>"
    pieces = [framed] + [framed[i : i + 3] for i in range(len(framed) - 2)]
    codes = np.array([zlib.crc32(piece.encode("utf-8", "surrogatepass")) for piece in pieces], dtype=np.int64)
    weights = np.where(codes >> 31, 1.0, -1.0).astype(np.float32)
    weights[1:] *= 0.5  # the word itself counts for more than any of its trigrams
    return _Slots(codes % dimension, weights)
