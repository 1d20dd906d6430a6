"""What evidence and scores need of a sentence embedder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


@runtime_checkable
class TextEmbedder(Protocol):
    """Turns texts into unit vectors whose dot product is their similarity."""

    @property
    def name(self) -> str:
        """Short name, for scores and recipes."""
        ...

    def embed(self, texts: Sequence[str]) -> Float[np.ndarray, "texts d"]:
        """One vector of length 1 per text; float32."""
        ...
