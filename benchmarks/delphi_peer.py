"""delphi 0.1.3 (`eai-delphi`) as a library on a CPU, in this process: its cache and its loader.

Its command line wants a GPU and its client module imports vLLM; nothing measured here uses either, so
modules that are missing are stood in for by empty ones.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import sys
import time
import types
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int

HOOKPOINT = "layers.{layer}"
MIN_EXAMPLES = 50


class PeerCache(NamedTuple):
    """One run of the peer's cache."""

    seconds: float
    """Of `run` and `save_splits`."""
    tokens: int
    pairs: int
    """Stored activations."""
    bytes: int
    """Of all files."""


def _stub(name: str, **attributes: object) -> None:
    """An empty module in place of `name`, unless the real package is installed."""
    package = name.split(".")[0]
    if package in _STUBBED or importlib.util.find_spec(package) is None:
        _STUBBED.add(package)
        module = types.ModuleType(name)
        module.__dict__.update(attributes)
        sys.modules[name] = module


_STUBBED: set[str] = set()


def load_peer() -> Any | None:
    """The peer's module of latents, or None where it is not installed."""
    if importlib.util.find_spec("delphi") is None:
        return None
    _stub("vllm", LLM=object, SamplingParams=object)
    _stub("vllm.distributed")
    nothing = {"destroy_distributed_environment": lambda: 0, "destroy_model_parallel": lambda: 0}
    _stub("vllm.distributed.parallel_state", **nothing)
    _stub("vllm.inputs", TokensPrompt=dict)
    _stub("faiss")
    _stub("sentence_transformers", SentenceTransformer=object)
    return importlib.import_module("delphi.latents")


class TopK:
    """The peer's encoding, `sae_dense_latents`: a dense tensor that holds k values a token."""

    def __init__(self, w_enc: torch.Tensor, b_dec: torch.Tensor, k: int, dtype: torch.dtype) -> None:
        self._rows = w_enc.T.contiguous().to(dtype)
        self._b_dec, self._k = b_dec.to(dtype), k

    def __call__(self, x: Float[torch.Tensor, "batch pos d"]) -> Float[torch.Tensor, "batch pos features"]:
        """Activations of all features, zero but for the k largest of each token."""
        pre = torch.relu(torch.nn.functional.linear(x.to(self._rows.dtype) - self._b_dec, self._rows))
        value, index = pre.topk(self._k, dim=-1, sorted=False)
        return torch.zeros_like(pre).scatter_(-1, index, value)


def run_cache(
    latents: Any,
    model: torch.nn.Module,
    layer: int,
    encode: TopK,
    tokens: Int[torch.Tensor, "rows context"],
    folder: Path,
    tokenizer_name: str,
) -> PeerCache:
    """Let the peer cache `tokens`, eight rows at a time, and save to `folder`."""
    config = importlib.import_module("delphi.config")
    hookpoint = HOOKPOINT.format(layer=layer)
    cache = latents.LatentCache(model, {hookpoint: encode}, batch_size=8)
    with contextlib.redirect_stderr(io.StringIO()):
        began = time.perf_counter()
        cache.run(tokens.numel(), tokens)
        cache.save_splits(n_splits=5, save_dir=folder)
        seconds = time.perf_counter() - began
    cache.save_config(folder, config.CacheConfig(cache_ctx_len=tokens.shape[1]), tokenizer_name)
    pairs = len(cache.cache.latent_activations[hookpoint])
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return PeerCache(seconds, tokens.numel(), pairs, size)


def seconds_to_windows(
    latents: Any, folder: Path, layer: int, features: list[int], tokenizer: object
) -> float:
    """Seconds from nothing loaded until the peer has its windows of each of `features`.

    Raises:
        RuntimeError: the peer's loader gave records for fewer features than were asked for.
    """
    config = importlib.import_module("delphi.config")
    hookpoint = HOOKPOINT.format(layer=layer)
    began = time.perf_counter()
    data = latents.LatentDataset(
        folder,
        config.SamplerConfig(n_examples_train=40, n_examples_test=10),
        config.ConstructorConfig(min_examples=MIN_EXAMPLES, n_non_activating=0),
        tokenizer,
        modules=[hookpoint],
        latents={hookpoint: torch.tensor(features)},
    )
    records = list(data)
    seconds = time.perf_counter() - began
    if len(records) < len(features):
        raise RuntimeError(f"the peer gave windows for {len(records)} of {len(features)} features")
    return seconds
