"""The tensors and settings of one sparse coder, under the names that sae-lens uses.

Nothing is computed here beyond checking that the parts fit and hashing them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from enum import StrEnum

import torch
from jaxtyping import Float
from pydantic import Field

from glossator.errors import CorruptFileError, SettingsError, ShapeMismatchError
from glossator.records import Record


class Activation(StrEnum):
    """What decides which features of a token fire, given their pre-activations."""

    RELU = "relu"
    """All above 0."""
    TOPK = "topk"
    """The `k` largest of each token, where above 0."""
    BATCHTOPK = "batchtopk"
    """All above a learned threshold; without one, the `k` times tokens largest of the whole batch, so
    that a token's features then depend on the other tokens of its batch."""
    JUMPRELU = "jumprelu"
    """All strictly above their own threshold (https://arxiv.org/abs/2407.14435)."""
    GATED = "gated"
    """A gate decides, a second reading of the same directions gives the value (https://arxiv.org/abs/2404.16014)."""


class InputNorm(StrEnum):
    """What is done to each token's activation vector before encoding, and undone after decoding.

    Scaling by one constant (`expected_average_only_in`) is folded into the weights when they are
    read, so it is `none` here.
    """

    NONE = "none"
    CONSTANT_NORM = "constant_norm_rescale"
    """Scaled to length sqrt(d_in)."""
    LAYER_NORM = "layer_norm"
    """Mean removed, divided by standard deviation."""


class CoderOptions(Record):
    """How the tensors are to be used."""

    activation: Activation
    """What decides which features fire."""
    k: int | None = Field(default=None, ge=1)
    """Features per token, for `topk` and `batchtopk`."""
    apply_b_dec_to_input: bool = False
    """Subtract the decoder bias from the input before encoding."""
    rescale_acts_by_decoder_norm: bool = False
    """Activations are in units of a unit-length decoder row."""
    input_norm: InputNorm = InputNorm.NONE
    """Per-token normalisation of the input."""
    transcoder: bool = False
    """The output is another site than the input: input normalisation is not undone."""


@dataclass(frozen=True)
class CoderWeights:
    """Tensors by their sae-lens names; the comments give shapes that `check` enforces."""

    W_enc: Float[torch.Tensor, " ..."]  # d_in, features
    W_dec: Float[torch.Tensor, " ..."]  # features, d_out
    b_dec: Float[torch.Tensor, " ..."]  # d_out
    b_enc: Float[torch.Tensor, " ..."] | None = None  # features; not for gated
    threshold: Float[torch.Tensor, " ..."] | None = None  # features; jumprelu, batchtopk
    r_mag: Float[torch.Tensor, " ..."] | None = None  # features; gated
    b_gate: Float[torch.Tensor, " ..."] | None = None  # features; gated
    b_mag: Float[torch.Tensor, " ..."] | None = None  # features; gated
    W_skip: Float[torch.Tensor, " ..."] | None = None  # d_out, d_in; transcoders

    def named(self) -> dict[str, torch.Tensor]:
        """The tensors that there are."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: tensor for name, tensor in found.items() if tensor is not None}

    def float32(self, device: torch.device) -> CoderWeights:
        """The same in float32 on `device`."""
        return CoderWeights(**{n: t.detach().to(device, torch.float32) for n, t in self.named().items()})

    def check(self, options: CoderOptions, name: str) -> None:
        """Refuse tensors that are missing, do not fit each other or are not finite.

        Raises:
            CorruptFileError: a tensor is missing or not finite.
            ShapeMismatchError: two tensors do not fit, both named.
            SettingsError: `k` is missing or larger than the number of features.
        """
        self._check_present(options.activation, name)
        self._check_shapes(options, name)
        for label, tensor in self.named().items():
            if not bool(torch.isfinite(tensor).all()):
                bad = int((~torch.isfinite(tensor)).sum())
                raise CorruptFileError(
                    f"{label} of {name!r} holds {bad} values that are NaN or infinite: fetch it again"
                )
        _check_k(options, self.W_dec.shape[0], name)

    def _check_present(self, activation: Activation, name: str) -> None:
        needed = {
            Activation.GATED: ("r_mag", "b_gate", "b_mag"),
            Activation.JUMPRELU: ("b_enc", "threshold"),
        }.get(activation, ("b_enc",))
        missing = [n for n in needed if n not in self.named()]
        if missing:
            raise CorruptFileError(
                f"{name!r} has no tensor {', '.join(missing)}, which {activation} coders need"
            )

    def _check_shapes(self, options: CoderOptions, name: str) -> None:
        if self.W_enc.ndim != 2 or self.W_dec.ndim != 2:
            shapes = f"W_enc {list(self.W_enc.shape)} and W_dec {list(self.W_dec.shape)}"
            raise ShapeMismatchError(
                f"{name!r} has {shapes}; both need two axes: [d_in, features] and [features, d_out]"
            )
        d_in, features = self.W_enc.shape
        d_out = self.W_dec.shape[1]
        expected = {name: (features,) for name in ("b_enc", "threshold", "r_mag", "b_gate", "b_mag")}
        expected |= {"W_dec": (features, d_out), "b_dec": (d_out,), "W_skip": (d_out, d_in)}
        for label, tensor in self.named().items():
            if label in expected and tuple(tensor.shape) != expected[label]:
                raise ShapeMismatchError(
                    f"{label} of {name!r} has shape {list(tensor.shape)}, but {list(expected[label])} fits "
                    f"W_enc {[d_in, features]} and W_dec {list(self.W_dec.shape)}"
                )
        if d_in != d_out and (options.apply_b_dec_to_input or not options.transcoder):
            raise ShapeMismatchError(
                f"{name!r} reads {d_in} values and writes {d_out}: only a transcoder that does not subtract "
                "its decoder bias from the input may do that"
            )

    def fingerprint(self, options: CoderOptions) -> str:
        """SHA-256 over options, names, shapes and float32 values."""
        digest = hashlib.sha256(options.model_dump_json().encode())
        for label, tensor in sorted(self.named().items()):
            digest.update(f"{label}{list(tensor.shape)}".encode())
            digest.update(tensor.detach().float().cpu().contiguous().numpy().data)
        return digest.hexdigest()


def _check_k(options: CoderOptions, features: int, name: str) -> None:
    if options.activation not in (Activation.TOPK, Activation.BATCHTOPK):
        return
    if options.k is None and options.activation is Activation.TOPK:
        raise SettingsError(f"{name!r} is a topk coder without k: its configuration must give k >= 1")
    if options.k is not None and options.k > features:
        raise SettingsError(f"{name!r} has k={options.k} but only {features} features")
