"""What runs a text through the subject: the one thing an experiment needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from glossator.probes.text_activations import TextProfile


@runtime_checkable
class ReadsTexts(Protocol):
    """`probes.text_activations.TextActivations`, or what stands in for it."""

    def __call__(self, feature: int, texts: Sequence[str]) -> Float[np.ndarray, " texts"]:
        """The largest activation of `feature` on each text; 0 where it is silent."""
        ...

    def profiles(self, feature: int, texts: Sequence[str]) -> list[TextProfile]:
        """`feature` along each text, token by token."""
        ...
