"""What turns a site's activations into features: one interface for SAEs, transcoders and neurons."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int

from glossator.records import SiteRef


class SparsePairs(NamedTuple):
    """The features that fire on a batch of tokens, as coordinates; ordered by token."""

    token: Int[torch.Tensor, " pairs"]
    """Which token of the batch; int64."""
    feature: Int[torch.Tensor, " pairs"]
    """Which feature; int64."""
    value: Float[torch.Tensor, " pairs"]
    """The activation, above 0; float32."""


class OneFeature(NamedTuple):
    """One feature on a batch of tokens."""

    values: Float[torch.Tensor, " tokens"]
    """Its activation as `encode` has it, 0 where it is silent; float32."""
    units: Float[torch.Tensor, " tokens"] | None
    """How much of its direction one unit of activation writes on each token; None is 1 everywhere. Other
    than 1 in coders that normalise each token and undo that after decoding."""


@runtime_checkable
class Dictionary(Protocol):
    """Features over one site."""

    @property
    def name(self) -> str:
        """Short name, such as `12-resid-4k`."""
        ...

    @property
    def site(self) -> SiteRef:
        """Where its input is read."""
        ...

    @property
    def output_site(self) -> SiteRef:
        """Where its directions live; the same site except for transcoders."""
        ...

    @property
    def n_features(self) -> int: ...
    @property
    def d_in(self) -> int: ...

    def encode(self, activations: Float[torch.Tensor, "tokens d_in"]) -> SparsePairs:
        """The features that fire on each token, exactly, in float32."""
        ...

    def encode_fast(self, activations: Float[torch.Tensor, "tokens d_in"]) -> SparsePairs:
        """As `encode`, allowed to preselect candidates in low precision; their values are exact.

        What may differ from `encode` is only which of nearly tied features is kept.
        """
        ...

    def reconstruct(
        self, activations: Float[torch.Tensor, "tokens d_in"]
    ) -> Float[torch.Tensor, "tokens d_out"]:
        """What the features say the output site holds."""
        ...

    def directions(self) -> Float[torch.Tensor, "features d_out"]:
        """Decoder rows: what one unit of each feature writes."""
        ...

    def fingerprint(self) -> str:
        """SHA-256 over kind, settings and weights."""
        ...
