"""GGUF models converted once: dequantising takes many seconds, reading safetensors takes one.

The conversion is kept as an ordinary model folder. transformers refuses `save_pretrained` on a
dequantised model, so config, weights and tokenizer are written one by one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from safetensors.torch import save_file

from glossator.errors import StorageError
from glossator.probes.checkpoint import Checkpoint, DtypeName, Source, load_checkpoint
from glossator.probes.verified_folder import flaw_in, seal_folder, sync_file

_FORMAT = 1


def load_gguf(source: Source, dtype: DtypeName, device: torch.device, cache: Path) -> Checkpoint:
    """Load a GGUF model through the converted copy in `cache`, made now if missing or damaged.

    Raises:
        StorageError: the cache cannot be written.
    """
    folder = cache / _key(source, dtype)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if flaw_in(folder) is not None:
                _convert(source, dtype, folder)
    except OSError as exc:
        raise StorageError(
            f"cannot keep the converted model in {str(folder.parent)!r}: {exc}. Free some space or choose "
            "another cache folder."
        ) from exc
    return load_checkpoint(Source(str(folder)), dtype, device)


def _key(source: Source, dtype: DtypeName) -> str:
    status = source.path.stat()
    identity = [_FORMAT, str(source.path.resolve()), status.st_size, status.st_mtime_ns, dtype]
    return f"{source.path.stem}-{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]}"


def _convert(source: Source, dtype: DtypeName, folder: Path) -> None:
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}-", suffix=".tmp"))
    try:
        _save(load_checkpoint(source, dtype, torch.device("cpu")), made)
        seal_folder(made)
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _save(checkpoint: Checkpoint, folder: Path) -> None:
    model, tokenizer = checkpoint
    config: dict[str, Any] = model.config.to_dict()
    config.pop("quantization_config", None)
    config["architectures"] = [type(model).__name__]
    config["dtype"] = str(model.dtype).removeprefix("torch.")
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    tokenizer.save_pretrained(folder)
    # named_parameters names each tied tensor once, which is what safetensors wants.
    weights = {name: tensor.detach().contiguous() for name, tensor in model.named_parameters()}
    weights |= {name: tensor.contiguous() for name, tensor in _saved_buffers(model).items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    for path in folder.iterdir():
        sync_file(path)


def _saved_buffers(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    parameters = dict(model.named_parameters(remove_duplicate=False))
    return {name: tensor for name, tensor in model.state_dict().items() if name not in parameters}
