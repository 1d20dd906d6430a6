"""Folders written by EleutherAI's sparsify: `cfg.json` and `sae.safetensors`.

https://github.com/EleutherAI/sparsify. The folder is named after the module that it was trained on,
such as `layers.12.mlp`. Encoders are top-k after a ReLU, which keeps the same features as top-k before
it; the decoder bias is subtracted from the input unless the coder transcodes. A transcoder reads the
module's input and predicts its output.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from glossator.errors import SettingsError
from glossator.probes.coder_weights import Activation, CoderOptions, CoderWeights
from glossator.probes.dictionary_formats.hook_names import site_of_hook
from glossator.probes.dictionary_formats.stored_coder import (
    FolderFormat,
    StoredCoder,
    read_config,
    read_safetensors,
    required,
)

CONFIG, WEIGHTS = "cfg.json", "sae.safetensors"


class _Config(BaseModel):
    k: int
    activation: str = "topk"
    transcode: bool = False


def read(path: Path) -> StoredCoder:
    """Read a folder of sparsify.

    Raises:
        CorruptFileError: a file is damaged or lacks something.
        SettingsError: the coder uses `groupmax`, which is not supported.
    """
    config, source = read_config(path / CONFIG, _Config), path / WEIGHTS
    if config.activation != "topk":
        raise SettingsError(
            f"{source} uses activation {config.activation!r}; only 'topk' is supported for sparsify"
        )
    tensors = read_safetensors(source)
    weights = CoderWeights(
        W_enc=required(tensors, "encoder.weight", source).T,
        b_enc=required(tensors, "encoder.bias", source),
        W_dec=required(tensors, "W_dec", source),
        b_dec=required(tensors, "b_dec", source),
        W_skip=tensors.get("W_skip"),
    )
    options = CoderOptions(
        activation=Activation.TOPK,
        k=config.k,
        apply_b_dec_to_input=not config.transcode,
        transcoder=config.transcode,
    )
    hook = path.resolve().name
    named = site_of_hook(hook)
    if config.transcode:
        return StoredCoder(weights, options, f"the input of {hook}", None, named)
    return StoredCoder(weights, options, hook, named, None)


FORMAT = FolderFormat(
    name="sparsify",
    files=f"{CONFIG} and {WEIGHTS}",
    recognises=lambda path: (path / CONFIG).is_file() and (path / WEIGHTS).is_file(),
    read=read,
)
