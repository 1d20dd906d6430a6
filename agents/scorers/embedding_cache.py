"""A sentence embedder that does not embed the same text twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from glossator.probes.text_embedder import TextEmbedder

_KEPT = 16_384


class EmbeddingCache:
    """Keeps the vectors of the last texts; is a `TextEmbedder` itself."""

    def __init__(self, embedder: TextEmbedder) -> None:
        self._embedder = embedder
        self._vectors: OrderedDict[str, np.ndarray] = OrderedDict()

    @property
    def name(self) -> str:
        """The embedder's name."""
        return self._embedder.name

    def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "texts d"]:
        """One unit vector per text; float32."""
        missing = list(dict.fromkeys(t for t in texts if t not in self._vectors))
        fresh = dict(zip(missing, self._embedder.embed(missing), strict=True)) if missing else {}
        rows = [fresh[t] if t in fresh else self._vectors[t] for t in texts]
        self._vectors.update(fresh)
        while len(self._vectors) > _KEPT:
            self._vectors.popitem(last=False)
        return np.stack(rows) if rows else np.zeros((0, 1), np.float32)
