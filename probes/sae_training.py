"""Training an SAE with sae-lens (extra `saelens`) on harvested activations.

Top-k with an auxiliary loss for dead latents (https://arxiv.org/abs/2406.04093) or batch top-k
(https://arxiv.org/abs/2412.06410), which sae-lens saves as JumpReLU. The input is scaled to an average
norm of sqrt(d) while training, and the scale folded into the weights at the end. What is saved is
sae-lens' own folder format, decoder rows of length 1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from safetensors.torch import load_file, save_file

from glossator.errors import MissingExtraError, SettingsError
from glossator.probes.activation_harvest import Harvest, shuffled_batches
from glossator.probes.dictionary_formats.sae_lens import CONFIG, WEIGHTS
from glossator.records import Record, SiteKind, SiteRef

if TYPE_CHECKING:
    from sae_lens.saes.sae import TrainingSAE

Architecture = Literal["topk", "batchtopk"]

_LENS_HOOKS = {
    SiteKind.RESID: "hook_resid_post",
    SiteKind.MLP_OUT: "hook_mlp_out",
    SiteKind.MLP_HIDDEN: "mlp.hook_post",
    SiteKind.ATTN_Z: "attn.hook_z",
}


class SaeTraining(Record):
    """How to train."""

    architecture: Architecture = "topk"
    """`topk` fires exactly k features a token, `batchtopk` k on average."""
    width: int = Field(ge=2)
    """Features."""
    k: int = Field(ge=1)
    """Features per token."""
    steps: int = Field(ge=1)
    """Optimiser steps."""
    batch: int = Field(default=4096, ge=2)
    """Tokens per step."""
    lr: float = Field(default=8e-4, gt=0)
    """Peak learning rate of Adam; warms up over 5 % of the steps, falls to 0 over the last 30 %."""
    seed: int = Field(default=0, ge=0)
    """Seed of initial weights and of the order of tokens."""
    half: bool = True
    """Store float16 weights; they are read as float32."""


def train_sae(
    harvested: Harvest,
    training: SaeTraining,
    site: SiteRef,
    subject_name: str,
    out: Path,
    *,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Train on a harvest and write `cfg.json` and `sae_weights.safetensors` into `out`, which must exist.

    Raises:
        MissingExtraError: sae-lens is not installed.
        SettingsError: `k` is larger than `width`.
    """
    if training.k > training.width:
        raise SettingsError(f"k={training.k} is more than the width of {training.width}")
    with _own_randomness(training.seed):
        sae = _initial(training, harvested, site, subject_name, device)
        provider = _counted(
            shuffled_batches(harvested, training.batch, training.seed, device), training, progress
        )
        _fit(sae, training, provider, device)
        sae.save_inference_model(out)
    _finish(out, training)


@contextmanager
def _own_randomness(seed: int) -> Generator[None]:
    """sae-lens draws from torch's global generator: seed a fork of it, and leave the caller's as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _initial(
    training: SaeTraining, harvested: Harvest, site: SiteRef, subject_name: str, device: str
) -> TrainingSAE[Any]:
    try:
        import sae_lens
    except ImportError as exc:
        raise MissingExtraError.for_extra("saelens", "training an SAE") from exc
    shared: dict[str, Any] = {
        "d_in": harvested.d, "d_sae": training.width, "dtype": "float32", "device": device,
        "normalize_activations": "expected_average_only_in", "apply_b_dec_to_input": True,
        "rescale_acts_by_decoder_norm": True,
    }  # fmt: skip
    if training.architecture == "topk":
        config = sae_lens.TopKTrainingSAEConfig(k=training.k, **shared)
    else:
        # The threshold is a running mean that starts at 0: at its default rate, short runs would save
        # one far too low, and fire several times k features.
        rate = min(0.2, max(0.01, 20 / training.steps))
        config = sae_lens.BatchTopKTrainingSAEConfig(k=float(training.k), topk_threshold_lr=rate, **shared)
    config.metadata.hook_name = f"blocks.{site.layer}.{_LENS_HOOKS[site.kind]}"
    config.metadata.model_name = subject_name
    sae = sae_lens.TrainingSAE.from_dict(config.to_dict())
    sae.b_dec.data = _scaled_mean(harvested).to(device)
    return sae


def _scaled_mean(harvested: Harvest) -> Float[torch.Tensor, " d"]:
    """The mean activation, in the units of training: a good start for the decoder bias."""
    step = max(1, harvested.tokens // 20_000)
    sample = torch.from_numpy(harvested.open()[::step].astype("float32"))
    return sample.mean(0) * (harvested.d**0.5 / sample.norm(dim=1).mean())


def _counted(
    batches: Iterator[Float[torch.Tensor, "batch d"]],
    training: SaeTraining,
    progress: Callable[[int, int], None] | None,
) -> Iterator[Float[torch.Tensor, "batch d"]]:
    for step, batch in enumerate(batches):
        if progress is not None and step >= _SCALE_BATCHES:
            progress(min(step - _SCALE_BATCHES, training.steps), training.steps)
        yield batch


_SCALE_BATCHES = 20
"""Batches that sae-lens estimates the input scale on before it trains."""


def _fit(
    sae: TrainingSAE[Any],
    training: SaeTraining,
    provider: Iterator[Float[torch.Tensor, "batch d"]],
    device: str,
) -> None:
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    config = SAETrainerConfig(
        total_training_samples=training.steps * training.batch,
        train_batch_size_samples=training.batch,
        lr=training.lr,
        lr_end=training.lr / 10,  # asserted by sae-lens, though its "constant" schedule never reads it
        lr_warm_up_steps=max(1, training.steps // 20),
        lr_decay_steps=training.steps * 3 // 10,
        dead_feature_window=max(20, training.steps // 20),
        n_batches_for_norm_estimate=_SCALE_BATCHES,
        device=device,
    )
    SAETrainer(config, sae, provider).fit()


def _finish(out: Path, training: SaeTraining) -> None:
    """Store half precision if asked, and how it was trained in the configuration's metadata."""
    tensors = load_file(out / WEIGHTS)
    if training.half:
        tensors = {name: tensor.half() for name, tensor in tensors.items()}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, out / WEIGHTS)
    config = json.loads((out / CONFIG).read_text())
    config["metadata"]["training"] = training.model_dump(mode="json")
    (out / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
