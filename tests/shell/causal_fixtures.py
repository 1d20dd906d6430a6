"""Whole projects in a folder for causal commands: a planted truth, and a dictionary over attention heads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file

from glossator.probes.planted_causal import PlantedCausal, planted_causal
from tests.shell.shell_fixtures import tiny_project

ATTENTION_WIDTH, ATTENTION_FEATURES = 24, 12
"""The tiny subject's four heads of six, and latents over them."""
DEAD = 3
"""The latent over attention heads that never fires."""


class PlantedProject(NamedTuple):
    """Flags that name the files, and what is true of them."""

    flags: list[str]
    truth: PlantedCausal


def planted_project(folder: Path) -> PlantedProject:
    """The planted causal truth as a subject, a dictionary and a corpus on disk."""
    truth = planted_causal(0)
    truth.subject.model.save_pretrained(folder / truth.subject.name)
    truth.subject.tokenizer.save_pretrained(folder / truth.subject.name)
    weights = truth.dictionary.weights
    assert weights.b_enc is not None
    tensors = {
        "W_enc": weights.W_enc, "W_dec": weights.W_dec, "b_dec": weights.b_dec, "b_enc": weights.b_enc
    }  # fmt: skip
    _write_dictionary(folder / "planted-dictionary", "blocks.1.hook_resid_post", tensors)
    (folder / "corpus.txt").write_text("\n\n".join(truth.texts))
    flags = [
        "--subject", str(folder / truth.subject.name), "--dictionary", str(folder / "planted-dictionary"),
        "--corpus", str(folder / "corpus.txt"), "--context", "64", "--embedder", "hashing",
        "--home", str(folder / "home"), "--cache", str(folder / "cache"),
    ]  # fmt: skip
    return PlantedProject(flags, truth)


def attention_project(folder: Path) -> list[str]:
    """The tiny subject with a dictionary over the heads of block 1, whose latent `DEAD` never fires."""
    flags = tiny_project(folder)
    generator = torch.Generator().manual_seed(0)
    decoder = torch.randn(ATTENTION_FEATURES, ATTENTION_WIDTH, generator=generator)
    bias = torch.zeros(ATTENTION_FEATURES)
    bias[DEAD] = -1e6
    tensors = {
        "W_enc": decoder.T.contiguous(), "W_dec": decoder, "b_enc": bias,
        "b_dec": torch.zeros(ATTENTION_WIDTH),
    }  # fmt: skip
    _write_dictionary(folder / "heads", "blocks.1.attn.hook_z", tensors)
    flags[flags.index("--dictionary") + 1] = str(folder / "heads")
    return flags


def _write_dictionary(folder: Path, hook: str, tensors: dict[str, torch.Tensor]) -> None:
    """A standard sparse autoencoder in sae-lens's format."""
    folder.mkdir()
    width, features = tensors["W_enc"].shape
    save_file({n: t.contiguous().float() for n, t in tensors.items()}, folder / "sae_weights.safetensors")
    config = {
        "architecture": "standard", "d_in": width, "d_sae": features, "apply_b_dec_to_input": False,
        "metadata": {"hook_name": hook, "sae_lens_version": "6.54.12"},
    }  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(config))
