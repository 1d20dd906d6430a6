"""Features over one split. Which split is part of the type.

Explainers take an `ExploreView`; what chooses among hypotheses takes a `ValidateView`; only scorers
take a `SealedView`, and only `probes.sealed_split.open_sealed` makes one. A function that takes an
`OpenView` cannot be handed sealed text: the type checker refuses it, and a test asserts that no
module outside the scorers opens the seal.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from glossator.probes.token_text import TokenText
from glossator.records import Split


class Firings(NamedTuple):
    """Where one feature fires in one split, in order of position."""

    position: Int[np.ndarray, " firings"]
    """Positions in the split's token stream, ascending, eligible ones only; int64."""
    activation: Float[np.ndarray, " firings"]
    """Activations, all above 0; float32 (stored as float16)."""


@runtime_checkable
class FiringSource(Protocol):
    """Where a view reads from: an activation index, or arrays in a test."""

    @property
    def text(self) -> TokenText: ...
    @property
    def n_features(self) -> int: ...
    def firings(self, feature: int) -> Firings:
        """Firings of `feature`; raises `UnknownNameError` if there is no such feature."""
        ...


class ArrayFirings:
    """Firings held in memory: for tests and for planted features."""

    def __init__(self, text: TokenText, by_feature: list[Firings]) -> None:
        self._text, self._by_feature = text, by_feature

    @property
    def text(self) -> TokenText:
        return self._text

    @property
    def n_features(self) -> int:
        return len(self._by_feature)

    def firings(self, feature: int) -> Firings:
        return self._by_feature[feature]


class _View:
    split: ClassVar[Split]

    def __init__(self, source: FiringSource) -> None:
        self._source = source

    @property
    def text(self) -> TokenText:
        """The split's token stream."""
        return self._source.text

    @property
    def n_features(self) -> int:
        """Features of the dictionary."""
        return self._source.n_features

    def firings(self, feature: int) -> Firings:
        """Where `feature` fires; raises `UnknownNameError` if there is no such feature."""
        return self._source.firings(feature)

    def dense(self, feature: int) -> Float[np.ndarray, " tokens"]:
        """The feature's activation at every position of the split, 0 where silent; float32."""
        out = np.zeros(len(self.text), dtype=np.float32)
        firings = self.firings(feature)
        out[firings.position] = firings.activation
        return out


class ExploreView(_View):
    """What explainers and experiments may see."""

    split = Split.EXPLORE


class ValidateView(_View):
    """What choosing among hypotheses and tuning may see."""

    split = Split.VALIDATE


class SealedView(_View):
    """What only scorers may see. Made by `probes.sealed_split.open_sealed` alone."""

    split = Split.SEALED


OpenView = ExploreView | ValidateView
AnyView = ExploreView | ValidateView | SealedView
