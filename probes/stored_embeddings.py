"""A sentence embedder that keeps the vectors of long lists of texts on disk.

The words of a subject's vocabulary are the same in every process, and embedding them takes a minute on a
slow machine. What cannot be read is embedded again; what cannot be written costs the next process its time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from glossator.probes.atomic_file import written_atomically
from glossator.probes.sentence_embedder import Embedder

LEAST_TEXTS = 2_000
"""Shorter lists are embedded anew."""


class StoredEmbeddings:
    """An `Embedder` over another one, with a folder for long lists."""

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        self._embedder, self._folder = embedder, folder

    @property
    def name(self) -> str:
        """The embedder's name."""
        return self._embedder.name

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self._embedder.dimension

    def fingerprint(self) -> str:
        """The embedder's own: where vectors come from does not change them."""
        return self._embedder.fingerprint()

    def embed(self, texts: Sequence[str], batch_size: int = 64) -> Float[np.ndarray, "n d"]:
        """One float32 vector of length 1 per text."""
        if len(texts) < LEAST_TEXTS:
            return self._embedder.embed(texts, batch_size)
        file = self._folder / f"{self._key(texts)}.npy"
        kept = _read(file)
        if kept is not None and len(kept) == len(texts):
            return kept
        vectors = self._embedder.embed(texts, batch_size)
        self._write(file, vectors)
        return vectors

    def _key(self, texts: Sequence[str]) -> str:
        digest = hashlib.sha256(self._embedder.fingerprint().encode())
        for text in texts:
            digest.update(f"{len(text)}:{text}".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:32]

    def _write(self, file: Path, vectors: Float[np.ndarray, "n d"]) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with written_atomically(file) as out:
                np.save(out, vectors, allow_pickle=False)
        except OSError:
            return


def _read(file: Path) -> Float[np.ndarray, "n d"] | None:
    try:
        return np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
