"""Loading a causal language model and its tokenizer from a folder, a hub id or a GGUF file.

Nothing is loaded half: weights that are missing, of another shape or unreadable are an error, where
transformers would fill in random ones and warn.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from contextlib import contextmanager, nullcontext, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import torch
import transformers
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from glossator.errors import CorruptFileError, GlossatorError, SettingsError, UnknownNameError, UserError

DtypeName = Literal["auto", "bf16", "fp16", "fp32"]

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
_CAUSAL = ("CausalLM", "LMHead", "ConditionalGeneration")


@dataclass(frozen=True)
class Source:
    """Where a subject comes from."""

    location: str
    """A folder, or a hub id."""
    gguf_file: str | None = None
    """The GGUF file's name inside the folder."""

    @property
    def path(self) -> Path:
        """The file or folder on disk."""
        return Path(self.location) / self.gguf_file if self.gguf_file else Path(self.location)

    def __str__(self) -> str:
        return str(self.path) if self.gguf_file else self.location


class Checkpoint(NamedTuple):
    """What a source holds."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def parse_source(source: str | Path, gguf_file: str | None = None) -> Source:
    """Tell folders, GGUF files and hub ids apart; raises `UnknownNameError` for a path that is not there."""
    path = Path(source).expanduser()
    if gguf_file is None and path.suffix.lower() == ".gguf":
        path, gguf_file = path.parent, path.name
    if gguf_file is not None:
        if not (path / gguf_file).is_file():
            raise UnknownNameError(
                f"no GGUF file {str(path / gguf_file)!r}: give the path of an existing .gguf file"
            )
        return Source(str(path), gguf_file)
    if path.is_dir():
        if (path / "config.json").is_file():
            return Source(str(path))
        found = sorted(p.name for p in path.glob("*.gguf"))
        hint = (
            f"name one of its GGUF files: {', '.join(found)}" if found else "give a folder with config.json"
        )
        raise UnknownNameError(f"{str(path)!r} holds no model (no config.json): {hint}")
    text = str(source)
    if isinstance(source, Path) or path.exists() or text.startswith((".", "~", "/")) or text.count("/") > 1:
        raise UnknownNameError(f"no such folder {text!r}: give a model's folder, a .gguf file or a hub id")
    return Source(text)


def pick_device(device: str) -> torch.device:
    """The device called `device`; `auto` is CUDA where there is one. Raises `SettingsError`."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        picked = torch.device(device)
    except RuntimeError as exc:
        raise SettingsError(f"unknown device {device!r}: use auto, cpu, cuda or cuda:N") from exc
    if picked.type == "cuda" and (picked.index or 0) >= torch.cuda.device_count():
        raise SettingsError(
            f"no device {device!r}: this machine has {torch.cuda.device_count()} CUDA devices; use cpu"
        )
    return picked


def load_checkpoint(source: Source, dtype: DtypeName, device: torch.device) -> Checkpoint:
    """Load model and tokenizer, in evaluation mode, on `device`.

    Raises:
        UnknownNameError: there is no such model.
        UserError: the model is not decoder-only.
        CorruptFileError: weights or tokenizer are damaged or incomplete.
    """
    gguf = {"gguf_file": source.gguf_file} if source.gguf_file else {}
    with _translated(source), quietly(all_output=source.gguf_file is not None):
        config = AutoConfig.from_pretrained(source.location, **gguf)
        _require_decoder(config, source)
        tokenizer = AutoTokenizer.from_pretrained(source.location, **gguf)
        loaded = AutoModelForCausalLM.from_pretrained(
            source.location,
            config=config,
            dtype=_load_dtype(dtype, source),
            output_loading_info=True,
            **gguf,
            **(_dense_gguf() if source.gguf_file else {}),
        )
    model, report = cast("tuple[PreTrainedModel, dict[str, Any]]", loaded)
    _require_complete(report, source)
    if dtype == "auto" and device.type == "cpu" and model.dtype == torch.float16:
        model = model.float()  # half precision on a CPU is slow and overflows
    cast("torch.nn.Module", model).to(device)
    return Checkpoint(model.eval(), cast("PreTrainedTokenizerBase", tokenizer))


def _load_dtype(dtype: DtypeName, source: Source) -> torch.dtype | Literal["auto"]:
    if dtype == "auto":
        # What GGUF holds is quantised: bf16 keeps all that is left of it.
        return torch.bfloat16 if source.gguf_file else "auto"
    if dtype not in _DTYPES:
        raise SettingsError(f"unknown dtype {dtype!r}: use one of auto, {', '.join(_DTYPES)}")
    return _DTYPES[dtype]


def _require_decoder(config: Any, source: Source) -> None:
    architectures: list[str] = getattr(config, "architectures", None) or []
    what = ", ".join(architectures) or config.model_type
    causal = not architectures or any(word in name for name in architectures for word in _CAUSAL)
    if config.is_encoder_decoder or not causal:
        raise UserError(
            f"{str(source)!r} is not a decoder-only language model ({what}): "
            "choose a causal one, such as a Llama, GPT-2, GPT-NeoX, Gemma or Qwen"
        )


def _require_complete(report: dict[str, Any], source: Source) -> None:
    missing = sorted(report.get("missing_keys", ()))
    mismatched = sorted(str(entry) for entry in report.get("mismatched_keys", ()))
    if missing or mismatched:
        raise CorruptFileError(
            f"the weights of {str(source)!r} are incomplete: {len(missing)} tensors missing, "
            f"{len(mismatched)} of another shape, such as {(missing + mismatched)[0]!r}. Fetch it again."
        )


@contextmanager
def _translated(source: Source) -> Generator[None, None, None]:
    try:
        yield
    except GlossatorError:
        raise
    except SafetensorError as exc:
        raise CorruptFileError(
            f"the weights of {str(source)!r} are damaged: {exc}. Fetch the model again."
        ) from exc
    except OSError as exc:
        raise _missing_or_damaged(source, exc) from exc
    except (ValueError, KeyError) as exc:
        raise UserError(
            f"transformers cannot load {str(source)!r} as a causal language model: {exc}"
        ) from exc
    except Exception as exc:
        # tokenizers raises bare Exception, torch RuntimeError; anything else is a mistake of ours.
        if type(exc) is not Exception and not isinstance(exc, RuntimeError | IndexError | struct.error):
            raise
        raise CorruptFileError(f"{str(source)!r} cannot be read: {exc}. Fetch the model again.") from exc


def _missing_or_damaged(source: Source, exc: OSError) -> GlossatorError:
    reason = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
    if source.path.exists():
        return CorruptFileError(
            f"the model in {str(source)!r} is incomplete or damaged: {reason}. Fetch it again."
        )
    return UnknownNameError(
        f"no model {str(source)!r}: there is no such folder, and the hub gave none either ({reason}). Give a "
        "model's folder, a .gguf file, or the id of a hub model that this machine can reach."
    )


def _dense_gguf() -> dict[str, Any]:
    # transformers from 5.2x on may keep GGUF weights packed, in modules without a weight to read.
    settings = getattr(transformers, "GgufConfig", None)
    return {} if settings is None else {"quantization_config": settings(dequantize=True)}


@contextmanager
def quietly(all_output: bool = False) -> Generator[None, None, None]:
    """Keep transformers from drawing progress bars; with `all_output`, discard all of stderr."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        # The GGUF converter has a bar of its own that no setting turns off.
        with redirect_stderr(StringIO()) if all_output else nullcontext():
            yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
