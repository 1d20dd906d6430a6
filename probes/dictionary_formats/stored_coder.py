"""What a reader hands back, and reading of files that may be damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file

from glossator.errors import CorruptFileError, StorageError
from glossator.probes.coder_weights import CoderOptions, CoderWeights
from glossator.records import SiteRef

Config = TypeVar("Config", bound=BaseModel)


class StoredCoder(NamedTuple):
    """A coder as some folder holds it."""

    weights: CoderWeights
    options: CoderOptions
    hook: str
    """Where its input is read, in the words of the folder; for messages."""
    site: SiteRef | None
    """The same as a site; None if the folder does not say, or says something that is no site."""
    output_site: SiteRef | None
    """Where it writes, if that is another site."""


class FolderFormat(NamedTuple):
    """One way in which tools lay out a coder on disk."""

    name: str
    files: str
    """The files that it is known by, for messages."""
    recognises: Callable[[Path], bool]
    read: Callable[[Path], StoredCoder]


def read_config(path: Path, model: type[Config]) -> Config:
    """A JSON configuration as `model`; raises `CorruptFileError` if it is damaged or lacks a field."""
    try:
        return model.model_validate(json.loads(_read_bytes(path)))
    except (ValueError, ValidationError) as exc:
        raise CorruptFileError(f"{path} is not the configuration that was expected: {exc}") from exc


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a file; raises `CorruptFileError` if it is truncated or damaged."""
    try:
        return load_file(path)
    except SafetensorError as exc:
        raise CorruptFileError(f"{path} is truncated or damaged ({exc}): fetch it again") from exc
    except OSError as exc:
        raise StorageError(f"cannot read {path}: {exc}") from exc


def required(tensors: dict[str, torch.Tensor], name: str, path: Path) -> torch.Tensor:
    """A tensor by name; raises `CorruptFileError` if the file does not have it."""
    if name not in tensors:
        raise CorruptFileError(f"{path} has no tensor {name!r}, only {', '.join(sorted(tensors)) or 'none'}")
    return tensors[name]


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise StorageError(f"cannot read {path}: {exc}") from exc
