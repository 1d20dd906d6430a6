"""SAEs and transcoders of every common kind behind one interface.

A coder reads a site's activations, decides which features fire (see `Activation`), and writes a
reconstruction of its output site. Formulas follow sae-lens, which the tests use as oracle; readers
for the folder formats in use are in `dictionary_formats`.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float

from glossator.errors import ProbeError, ShapeMismatchError
from glossator.probes.coder_weights import Activation, CoderOptions, CoderWeights, InputNorm
from glossator.probes.dictionary import OneFeature, SparsePairs
from glossator.probes.exact_encoding import (
    batch_top_k,
    feature_chunks,
    joined,
    ordered,
    shifted,
    token_blocks,
    top_k,
    where_firing,
)
from glossator.probes.fast_topk import LinearEncoder, fast_top_k, worthwhile
from glossator.records import SiteRef


class _Normalised(NamedTuple):
    """Activations as the encoder wants them, with what undoes it."""

    x: Float[torch.Tensor, "tokens d_in"]
    scale: Float[torch.Tensor, "tokens 1"] | None
    mean: Float[torch.Tensor, "tokens 1"] | None


class SparseCoder:
    """One SAE or transcoder; satisfies `probes.dictionary.Dictionary`."""

    def __init__(
        self,
        weights: CoderWeights,
        options: CoderOptions,
        *,
        name: str,
        site: SiteRef,
        output_site: SiteRef | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        """A coder over `site`; `output_site` defaults to the same.

        Raises:
            CorruptFileError: a tensor is missing or not finite.
            ShapeMismatchError: two tensors do not fit each other.
            SettingsError: `k` is missing or too large.
        """
        weights.check(options, name)
        self.name, self.site, self.output_site = name, site, output_site or site
        self.options = options
        self.weights = weights.float32(torch.device(device))
        scale = self._decoder_norms if options.rescale_acts_by_decoder_norm else None
        rows = self.weights.W_enc.T.contiguous()
        self._rows = rows if scale is None else rows * scale[:, None]
        self._bias = self._encoder_bias(scale)
        self._directions = self.weights.W_dec if scale is None else self.weights.W_dec / scale[:, None]

    @property
    def n_features(self) -> int:
        """How many features it has."""
        return self.weights.W_dec.shape[0]

    @property
    def d_in(self) -> int:
        """Width of the input site."""
        return self.weights.W_enc.shape[0]

    @property
    def d_out(self) -> int:
        """Width of the output site."""
        return self.weights.W_dec.shape[1]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.weights.W_dec.device

    @property
    def _decoder_norms(self) -> Float[torch.Tensor, " features"]:
        norms = self.weights.W_dec.norm(dim=-1)
        return torch.where(norms > 0, norms, torch.ones_like(norms))

    def _encoder_bias(
        self, scale: Float[torch.Tensor, " features"] | None
    ) -> Float[torch.Tensor, " features"]:
        bias = self.weights.b_enc
        if bias is None:
            bias = torch.zeros(self.n_features, device=self.device)
        return bias if scale is None else bias * scale

    @cached_property
    def _encoder(self) -> LinearEncoder:
        return LinearEncoder.of(self._rows, self._bias)

    def encode(self, activations: Float[torch.Tensor, "tokens d_in"]) -> SparsePairs:
        """The features that fire on each token, exactly, in float32; by token, then feature.

        Raises:
            ShapeMismatchError: the activations are not as wide as the coder's input.
            ProbeError: the activations hold NaN or infinities.
        """
        return self._encode(self._prepared(activations).x)

    @torch.no_grad()
    def _encode(self, x: Float[torch.Tensor, "tokens d_in"]) -> SparsePairs:
        if self._pools_over_batch and x.shape[0] > 0:
            shape = (x.shape[0], self.n_features)
            return batch_top_k(lambda block, chunk: self._preactivation(x[block], chunk), shape, self._k)
        parts = [
            shifted(self._encode_block(x[block]), block.start)
            for block in token_blocks(x.shape[0], self.n_features)
        ]
        return joined(parts, self.device)

    def _encode_block(self, x: Float[torch.Tensor, "tokens d_in"]) -> SparsePairs:
        if self.options.activation is Activation.TOPK:
            return top_k(lambda chunk: self._preactivation(x, chunk), self.n_features, self._k)
        parts = [self._encode_chunk(x, chunk) for chunk in feature_chunks(self.n_features)]
        return parts[0] if len(parts) == 1 else ordered(joined(parts, self.device))

    def _encode_chunk(self, x: Float[torch.Tensor, "tokens d_in"], chunk: slice) -> SparsePairs:
        weights, pre = self.weights, self._preactivation(x, chunk)
        if self.options.activation is Activation.GATED:
            gate, value = self._gate_and_magnitude(pre, chunk)
            return where_firing(value, (gate > 0) & (value > 0), chunk.start)
        if weights.threshold is not None and self.options.activation is not Activation.RELU:
            return where_firing(pre, (pre > weights.threshold[chunk]) & (pre > 0), chunk.start)
        return where_firing(pre, pre > 0, chunk.start)

    def _gate_and_magnitude(
        self, pre: Float[torch.Tensor, "tokens chunk"], chunk: slice
    ) -> tuple[Float[torch.Tensor, "tokens chunk"], Float[torch.Tensor, "tokens chunk"]]:
        weights = self.weights
        assert weights.r_mag is not None, "checked when the weights were"
        assert weights.b_gate is not None, "checked when the weights were"
        assert weights.b_mag is not None, "checked when the weights were"
        return pre + weights.b_gate[chunk], pre * weights.r_mag[chunk].exp() + weights.b_mag[chunk]

    def _preactivation(
        self, x: Float[torch.Tensor, "tokens d_in"], chunk: slice
    ) -> Float[torch.Tensor, "tokens chunk"]:
        return torch.addmm(self._bias[chunk], x, self._rows[chunk].T)

    @property
    def _pools_over_batch(self) -> bool:
        return self.options.activation is Activation.BATCHTOPK and self.weights.threshold is None

    @property
    def _k(self) -> int:
        assert self.options.k is not None, "checked when the weights were"
        return self.options.k

    @torch.no_grad()
    def encode_fast(self, activations: Float[torch.Tensor, "tokens d_in"]) -> SparsePairs:
        """As `encode`; `topk` coders preselect candidates in bfloat16 and compute those exactly.

        The other kinds compare each pre-activation with a threshold, which low precision would cross,
        so they take the exact path. Raises what `encode` raises.
        """
        x = self._prepared(activations).x
        if self.options.activation is Activation.TOPK and worthwhile(self.n_features, self._k):
            return fast_top_k(x, self._encoder, self._k)
        return self._encode(x)

    @torch.no_grad()
    def encode_one(self, activations: Float[torch.Tensor, "tokens d_in"], feature: int) -> OneFeature:
        """One feature as `encode` has it, without computing the others wherever they do not matter.

        They matter in `topk` coders where its pre-activation is above 0, and in `batchtopk` coders that
        have no threshold. Raises what `encode` raises.
        """
        prepared = self._prepared(activations)
        own = slice(feature, feature + 1)
        if self.options.activation is Activation.TOPK:
            pre = self._preactivation(prepared.x, own)[:, 0]
            token = pre.gt(0).nonzero()[:, 0]
            token = token[self._among_best(prepared.x[token], pre[token], feature)]
            values = torch.zeros_like(pre).index_copy(0, token, pre[token])
        else:
            pools = self._pools_over_batch
            pairs = self._encode(prepared.x) if pools else self._encode_chunk(prepared.x, own)
            mine = pairs.feature == feature
            values = torch.zeros(prepared.x.shape[0], device=self.device)
            values = values.index_copy(0, pairs.token[mine], pairs.value[mine])
        scale = None if self.options.transcoder else prepared.scale
        return OneFeature(values, None if scale is None else scale[:, 0])

    def _among_best(
        self, x: Float[torch.Tensor, "tokens d_in"], own: Float[torch.Tensor, " tokens"], feature: int
    ) -> Bool[torch.Tensor, " tokens"]:
        """Where fewer than `k` other features have a larger pre-activation than `own`."""
        larger = torch.zeros_like(own, dtype=torch.int64)
        for block in token_blocks(x.shape[0], self.n_features):
            for chunk in feature_chunks(self.n_features):
                above = self._preactivation(x[block], chunk) > own[block, None]
                if chunk.start <= feature < chunk.stop:
                    above[:, feature - chunk.start] = False
                larger[block] += above.sum(1)
        return larger < self._k

    @torch.no_grad()
    def reconstruct(
        self, activations: Float[torch.Tensor, "tokens d_in"]
    ) -> Float[torch.Tensor, "tokens d_out"]:
        """What the features say the output site holds, the skip connection included; float32."""
        prepared = self._prepared(activations)
        out = self.decode(self._encode(prepared.x), activations.shape[0])
        if not self.options.transcoder:
            out = out if prepared.scale is None else out * prepared.scale
            out = out if prepared.mean is None else out + prepared.mean
        if self.weights.W_skip is not None:
            out = out + activations.to(self.device, torch.float32) @ self.weights.W_skip.T
        return out

    def decode(self, pairs: SparsePairs, tokens: int) -> Float[torch.Tensor, "tokens d_out"]:
        """The sum of firing directions plus the decoder bias, for `tokens` tokens.

        Per-token normalisation and the skip connection need the input: see `reconstruct`.
        """
        first = torch.searchsorted(pairs.token, torch.arange(tokens, device=self.device))
        summed = torch.nn.functional.embedding_bag(
            pairs.feature, self._directions, first, mode="sum", per_sample_weights=pairs.value
        )
        return summed + self.weights.b_dec

    def directions(self) -> Float[torch.Tensor, "features d_out"]:
        """What one unit of each feature writes."""
        return self._directions

    def fingerprint(self) -> str:
        """SHA-256 over options and weights, in float32; not over name and sites."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return self.weights.fingerprint(self.options)

    @torch.no_grad()
    def _prepared(self, activations: Float[torch.Tensor, "tokens d_in"]) -> _Normalised:
        if activations.shape[1] != self.d_in:
            raise ShapeMismatchError(
                f"activations are {activations.shape[1]} wide, but {self.name!r} reads {self.d_in} values at "
                f"{self.site}: was it trained on another subject or site?"
            )
        raw = activations.to(self.device, torch.float32)
        if not bool(torch.isfinite(raw.sum())):
            raise ProbeError(f"activations for {self.name!r} at {self.site} hold NaN or infinities")
        found = _normalised(raw, self.options.input_norm)
        return found._replace(x=found.x - self.weights.b_dec) if self.options.apply_b_dec_to_input else found


def _normalised(x: Float[torch.Tensor, "tokens d_in"], norm: InputNorm) -> _Normalised:
    """As sae-lens computes it: the standard deviation is the unbiased one, and 1e-5 is added to it."""
    if norm is InputNorm.LAYER_NORM:
        mean = x.mean(dim=-1, keepdim=True)
        centred = x - mean
        deviation = centred.std(dim=-1, keepdim=True)
        return _Normalised(centred / (deviation + 1e-5), deviation, mean)
    if norm is InputNorm.CONSTANT_NORM:
        length = x.norm(dim=-1, keepdim=True) / x.shape[1] ** 0.5
        length = torch.where(length > 0, length, torch.ones_like(length))
        return _Normalised(x / length, length, None)
    return _Normalised(x, None, None)
