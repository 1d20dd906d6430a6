"""Folders written by dictionary_learning: `ae.pt` and `config.json`.

https://github.com/saprmarks/dictionary_learning. Linear layers are stored the torch way round, so a
decoder weight is [d_in, features]. Gated and JumpReLU coders there report activations in units of a
unit-length decoder row, whatever the row's length; that is folded in here. Batch top-k coders use
their saved threshold, or pool over the batch where it was never set (negative).
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import cast

import torch
from pydantic import BaseModel

from glossator.errors import CorruptFileError, SettingsError
from glossator.probes.coder_weights import Activation, CoderOptions, CoderWeights
from glossator.probes.dictionary_formats.hook_names import site_of_hook
from glossator.probes.dictionary_formats.stored_coder import FolderFormat, StoredCoder, read_config, required
from glossator.records import SiteKind, SiteRef

CONFIG, WEIGHTS = "config.json", "ae.pt"

_ACTIVATIONS = {
    "AutoEncoder": Activation.RELU,
    "AutoEncoderNew": Activation.RELU,
    "AutoEncoderTopK": Activation.TOPK,
    "BatchTopKSAE": Activation.BATCHTOPK,
    "MatryoshkaBatchTopKSAE": Activation.BATCHTOPK,
    "GatedAutoEncoder": Activation.GATED,
    "JumpReluAutoEncoder": Activation.JUMPRELU,
}
_WITHOUT_INPUT_BIAS = ("AutoEncoderNew", "JumpReluAutoEncoder")
_SUBMODULES = {"resid_post": SiteKind.RESID, "mlp_out": SiteKind.MLP_OUT}


class _Trainer(BaseModel):
    dict_class: str
    k: int | None = None
    layer: int | None = None
    submodule_name: str | None = None


class _Config(BaseModel):
    trainer: _Trainer


def read(path: Path) -> StoredCoder:
    """Read a folder of dictionary_learning.

    Raises:
        CorruptFileError: a file is damaged or lacks something.
        SettingsError: the coder is of a class that is not supported.
    """
    trainer = read_config(path / CONFIG, _Config).trainer
    if trainer.dict_class not in _ACTIVATIONS:
        raise SettingsError(
            f"{path} holds a {trainer.dict_class!r}; supported classes are {', '.join(_ACTIVATIONS)}"
        )
    activation = _ACTIVATIONS[trainer.dict_class]
    weights = _weights(_read_pickle(path / WEIGHTS), activation, path / WEIGHTS)
    options = CoderOptions(
        activation=activation,
        k=trainer.k,
        apply_b_dec_to_input=trainer.dict_class not in _WITHOUT_INPUT_BIAS,
    )
    return StoredCoder(weights, options, trainer.submodule_name or "an unnamed place", _site(trainer), None)


def _read_pickle(path: Path) -> dict[str, torch.Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as exc:
        raise CorruptFileError(
            f"{path} is truncated, damaged or not a plain state of tensors ({exc})"
        ) from exc
    if not isinstance(found, dict):
        raise CorruptFileError(f"{path} holds a {type(found).__name__}, not a state of named tensors")
    state = cast("dict[str, object]", found)
    return {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}


def _weights(state: dict[str, torch.Tensor], activation: Activation, source: Path) -> CoderWeights:
    named = {_RENAMED.get(name, name): tensor for name, tensor in state.items()}
    named |= {new: named[old].T for old, new in _TRANSPOSED.items() if old in named}
    w_dec = required(named, "W_dec", source)
    kept = {name: named[name] for name in ("b_enc", "r_mag", "b_gate", "b_mag") if name in named}
    weights = CoderWeights(
        W_enc=required(named, "W_enc", source),
        W_dec=w_dec,
        b_dec=required(named, "b_dec", source),
        threshold=_threshold(named, activation, w_dec.shape[0]),
        **kept,
    )
    return _with_unit_decoder(weights) if activation in (Activation.GATED, Activation.JUMPRELU) else weights


_RENAMED = {
    "bias": "b_dec",
    "decoder.bias": "b_dec",
    "decoder_bias": "b_dec",
    "encoder.bias": "b_enc",
    "gate_bias": "b_gate",
    "mag_bias": "b_mag",
}
_TRANSPOSED = {"encoder.weight": "W_enc", "decoder.weight": "W_dec"}


def _threshold(named: dict[str, torch.Tensor], activation: Activation, features: int) -> torch.Tensor | None:
    """Per feature; top-k coders save one too, but do not use it."""
    stored = named.get("threshold")
    if stored is None or activation not in (Activation.JUMPRELU, Activation.BATCHTOPK):
        return None
    if stored.ndim == 0:
        return None if float(stored) < 0 else stored.expand(features)
    return stored


def _with_unit_decoder(weights: CoderWeights) -> CoderWeights:
    """The same function of the input, with activations in units of unit-length decoder rows."""
    norms = weights.W_dec.float().norm(dim=1)
    norms = torch.where(norms > 0, norms, torch.ones_like(norms))
    scaled = ("W_enc", "b_enc", "b_gate", "b_mag", "threshold")
    parts = {n: t.float() * norms if n in scaled else t for n, t in weights.named().items()}
    return CoderWeights(**parts | {"W_dec": weights.W_dec.float() / norms[:, None]})


def _site(trainer: _Trainer) -> SiteRef | None:
    """From names such as `resid_post_layer_12`, or a module path."""
    name = trainer.submodule_name or ""
    match = re.fullmatch(r"(resid_post|mlp_out)_layer_(\d+)", name)
    if match is not None:
        return SiteRef(layer=int(match[2]), kind=_SUBMODULES[match[1]])
    return site_of_hook(name)


FORMAT = FolderFormat(
    name="dictionary_learning",
    files=f"{CONFIG} and {WEIGHTS}",
    recognises=lambda path: (path / CONFIG).is_file() and (path / WEIGHTS).is_file(),
    read=read,
)
