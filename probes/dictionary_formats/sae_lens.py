"""Folders written by sae-lens: `cfg.json` and `sae_weights.safetensors`.

https://github.com/decoderesearch/SAELens. Both the present layout (6.x) and the older one, with the
hook at the top level and top-k as an activation function, are read. Constant scaling
(`expected_average_only_in`) was folded into the weights when they were saved. (Matryoshka) batch
top-k coders are saved as `jumprelu` by sae-lens itself.
"""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import BaseModel, Field

from glossator.errors import SettingsError
from glossator.probes.coder_weights import Activation, CoderOptions, CoderWeights, InputNorm
from glossator.probes.dictionary_formats.hook_names import site_of_hook
from glossator.probes.dictionary_formats.stored_coder import (
    FolderFormat,
    StoredCoder,
    read_config,
    read_safetensors,
    required,
)

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"

_ACTIVATIONS = {
    "standard": Activation.RELU,
    "gated": Activation.GATED,
    "topk": Activation.TOPK,
    "jumprelu": Activation.JUMPRELU,
    "transcoder": Activation.RELU,
    "skip_transcoder": Activation.RELU,
    "jumprelu_transcoder": Activation.JUMPRELU,
    "jumprelu_skip_transcoder": Activation.JUMPRELU,
}
_OPTIONAL = ("b_enc", "threshold", "r_mag", "b_gate", "b_mag", "W_skip")


class _Metadata(BaseModel):
    hook_name: str | None = None
    hook_name_out: str | None = None
    hook_head_index: int | None = None


class _ActivationArguments(BaseModel):
    k: int | None = None


class SaeLensConfig(BaseModel):
    """The fields of `cfg.json` that decide what is computed; others are ignored."""

    architecture: str = "standard"
    k: int | None = None
    apply_b_dec_to_input: bool = True
    rescale_acts_by_decoder_norm: bool = False
    normalize_activations: str | bool | None = "none"
    metadata: _Metadata = Field(default_factory=_Metadata)
    hook_name: str | None = None
    hook_point: str | None = None
    hook_head_index: int | None = None
    activation_fn: str | None = None
    activation_fn_str: str | None = None
    activation_fn_kwargs: _ActivationArguments | None = None

    @property
    def hook(self) -> str | None:
        """Where the input is read, by whichever of the names the layout uses."""
        return self.metadata.hook_name or self.hook_name or self.hook_point

    @property
    def head(self) -> int | None:
        """The single attention head that is read, if it is one."""
        return self.hook_head_index if self.hook_head_index is not None else self.metadata.hook_head_index

    @property
    def function(self) -> str:
        """The activation function of the older layout."""
        return self.activation_fn or self.activation_fn_str or "relu"


def read(path: Path) -> StoredCoder:
    """Read a folder of sae-lens.

    Raises:
        CorruptFileError: a file is damaged or lacks something.
        SettingsError: the coder is of a kind that is not supported.
    """
    return stored_coder(
        read_config(path / CONFIG, SaeLensConfig), read_safetensors(path / WEIGHTS), path / WEIGHTS
    )


def stored_coder(config: SaeLensConfig, tensors: dict[str, torch.Tensor], source: Path) -> StoredCoder:
    """A coder from a sae-lens configuration and state; `source` is for messages."""
    options = _options(config, source)
    if "scaling_factor" in tensors and not bool(
        torch.allclose(tensors["scaling_factor"].float(), torch.ones(()))
    ):
        raise SettingsError(
            f"{source} has a finetuning scaling factor, which is not supported: fold it into W_dec"
        )
    weights = CoderWeights(
        W_enc=required(tensors, "W_enc", source),
        W_dec=required(tensors, "W_dec", source),
        b_dec=required(tensors, "b_dec", source),
        **{name: tensors[name] for name in _OPTIONAL if name in tensors},
    )
    hook, out = config.hook, config.metadata.hook_name_out
    return StoredCoder(
        weights,
        options,
        hook or "an unnamed place",
        None if hook is None else site_of_hook(hook),
        None if out is None else site_of_hook(out),
    )


def _options(config: SaeLensConfig, source: Path) -> CoderOptions:
    activation, k = _activation(config, source)
    if config.head is not None:
        raise SettingsError(
            f"{source} reads attention head {config.head} alone; only whole sites are supported"
        )
    transcoder = config.architecture.endswith("transcoder")
    return CoderOptions(
        activation=activation,
        k=k,
        apply_b_dec_to_input=config.apply_b_dec_to_input and not transcoder,
        rescale_acts_by_decoder_norm=config.rescale_acts_by_decoder_norm,
        input_norm=_input_norm(config.normalize_activations),
        transcoder=transcoder,
    )


def _activation(config: SaeLensConfig, source: Path) -> tuple[Activation, int | None]:
    if config.function == "topk":
        arguments = config.activation_fn_kwargs
        return Activation.TOPK, config.k if arguments is None else arguments.k
    if config.architecture not in _ACTIVATIONS or config.function != "relu":
        raise SettingsError(
            f"{source} is a {config.architecture!r} coder with activation {config.function!r}; "
            f"supported are {', '.join(_ACTIVATIONS)} with relu or topk"
        )
    return _ACTIVATIONS[config.architecture], config.k


def _input_norm(setting: str | bool | None) -> InputNorm:
    """Per-token normalisation; constant scaling and whitening are in the weights already."""
    known = (InputNorm.CONSTANT_NORM, InputNorm.LAYER_NORM)
    return InputNorm(setting) if isinstance(setting, str) and setting in known else InputNorm.NONE


FORMAT = FolderFormat(
    name="sae-lens",
    files=f"{CONFIG} and {WEIGHTS}",
    recognises=lambda path: (path / CONFIG).is_file() and (path / WEIGHTS).is_file(),
    read=read,
)
