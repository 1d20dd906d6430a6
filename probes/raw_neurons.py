"""The hidden neurons of one MLP as a dictionary: what an SAE has to beat.

Feature i is coordinate i of the site `LAYER.mlp_hidden`. Gated MLPs have dense, signed neurons: a
neuron counts as firing where it is positive and among the `k` largest of its token. What a neuron does
where it is negative is not seen.
"""

from __future__ import annotations

import hashlib

import torch
from jaxtyping import Float

from glossator.errors import SettingsError, ShapeMismatchError
from glossator.probes.dictionary import SparsePairs
from glossator.records import SiteKind, SiteRef

DEFAULT_K = 64
"""Neurons that may fire on one token."""


class RawNeurons:
    """Neurons of one layer; satisfies `probes.dictionary.Dictionary`."""

    def __init__(self, *, layer: int, width: int, k: int = DEFAULT_K, name: str | None = None) -> None:
        """`width` neurons of block `layer`, of which at most `k` fire on a token.

        Raises:
            SettingsError: `k` is below 1.
        """
        if k < 1:
            raise SettingsError(f"raw neurons with k={k!r}: k must be at least 1")
        self.name = name or f"{layer}-neurons"
        self.site = self.output_site = SiteRef(layer=layer, kind=SiteKind.MLP_HIDDEN)
        self.n_features = self.d_in = width
        self.k = min(k, width)

    def encode(self, activations: Float[torch.Tensor, "tokens d_in"]) -> SparsePairs:
        """The positive neurons among the `k` largest of each token; by token, then neuron.

        Raises:
            ShapeMismatchError: the activations are not as wide as the layer.
        """
        if activations.shape[1] != self.d_in:
            raise ShapeMismatchError(
                f"activations are {activations.shape[1]} wide, but {self.name!r} has {self.d_in} neurons at "
                f"{self.site}: was the width taken from another subject?"
            )
        x = activations.float()
        best = x.topk(self.k, dim=1, sorted=False).indices
        chosen = torch.zeros_like(x, dtype=torch.bool).scatter_(1, best, True) & (x > 0)
        token, feature = chosen.nonzero(as_tuple=True)
        return SparsePairs(token, feature, x[token, feature])

    def encode_fast(self, activations: Float[torch.Tensor, "tokens d_in"]) -> SparsePairs:
        """As `encode`: there is nothing to preselect."""
        return self.encode(activations)

    def reconstruct(
        self, activations: Float[torch.Tensor, "tokens d_in"]
    ) -> Float[torch.Tensor, "tokens d_in"]:
        """The activations with every neuron that does not fire at 0; float32."""
        pairs = self.encode(activations)
        out = torch.zeros_like(activations, dtype=torch.float32)
        out[pairs.token, pairs.feature] = pairs.value
        return out

    def directions(self) -> Float[torch.Tensor, "features d_in"]:
        """One unit vector per neuron, in neuron space."""
        return torch.eye(self.n_features)

    def fingerprint(self) -> str:
        """SHA-256 over kind, layer, width and k; there are no weights."""
        return hashlib.sha256(f"raw_neurons {self.site} {self.n_features} {self.k}".encode()).hexdigest()
