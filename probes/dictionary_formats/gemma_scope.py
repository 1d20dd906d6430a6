"""Gemma Scope folders: one `params.npz` of a JumpReLU coder.

https://huggingface.co/google/gemma-scope. There is no configuration: the layer and the kind of site
stand in the path (`gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71`). The decoder bias is not
subtracted from the input.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch

from glossator.errors import CorruptFileError
from glossator.probes.coder_weights import Activation, CoderOptions, CoderWeights
from glossator.probes.dictionary_formats.stored_coder import FolderFormat, StoredCoder, required
from glossator.records import SiteKind, SiteRef

WEIGHTS = "params.npz"
_KINDS = {"res": SiteKind.RESID, "mlp": SiteKind.MLP_OUT, "att": SiteKind.ATTN_Z}


def read(path: Path) -> StoredCoder:
    """Read a Gemma Scope folder; raises `CorruptFileError` if it is damaged or lacks something."""
    source = path / WEIGHTS
    tensors = _read_npz(source)
    weights = CoderWeights(
        **{
            name: required(tensors, name, source)
            for name in ("W_enc", "W_dec", "b_enc", "b_dec", "threshold")
        }
    )
    where = path.resolve().as_posix()
    transcoder = "transcoder" in where
    site = _site(where)
    options = CoderOptions(activation=Activation.JUMPRELU, transcoder=transcoder)
    if transcoder:
        out = None if site is None else SiteRef(layer=site.layer, kind=SiteKind.MLP_OUT)
        return StoredCoder(weights, options, "the normalised input of the MLP", None, out)
    return StoredCoder(
        weights, options, f"what the path {'/'.join(path.resolve().parts[-4:])} says", site, None
    )


def _read_npz(path: Path) -> dict[str, torch.Tensor]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {_sae_lens_name(name): torch.from_numpy(np.asarray(arrays[name])) for name in arrays.files}
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, TypeError) as exc:
        raise CorruptFileError(f"{path} is truncated or damaged ({exc}): fetch it again") from exc


def _sae_lens_name(name: str) -> str:
    return "W_" + name[2:] if name.startswith("w_") else name


def _site(where: str) -> SiteRef | None:
    layer = re.search(r"layer_(\d+)", where)
    kind = re.search(r"gemma-scope[^/]*-(res|mlp|att|transcoders)\b", where)
    if layer is None or kind is None:
        return None
    return SiteRef(layer=int(layer[1]), kind=_KINDS.get(kind[1], SiteKind.MLP_OUT))


FORMAT = FolderFormat(
    name="Gemma Scope",
    files=WEIGHTS,
    recognises=lambda path: (path / WEIGHTS).is_file(),
    read=read,
)
