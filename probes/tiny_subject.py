"""Tiny random subjects of each supported shape: stand-ins where any real model would do.

Random weights, a byte-level tokenizer, a few thousand parameters; built in milliseconds without any
file. Norm gains and biases are random too, so that code that forgets them is found out.
"""

from __future__ import annotations

import string
from typing import Any, Literal

import tokenizers
import torch
from tokenizers import decoders, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from glossator.probes.subject import Subject

Shape = Literal["llama", "gpt2", "gpt_neox", "gemma2", "gemma3", "qwen2", "qwen3"]
SHAPES: tuple[Shape, ...] = ("llama", "gpt2", "gpt_neox", "gemma2", "gemma3", "qwen2", "qwen3")

_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def tiny_subject(shape: Shape = "llama", seed: int = 0, **changes: Any) -> Subject:
    """A subject of `shape`, 3 layers of width 16, random from `seed`; `changes` go into its configuration."""
    tokenizer = tiny_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(_config(shape, len(tokenizer), changes)).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return Subject(model, tokenizer, f"tiny-{shape}")


def tiny_tokenizer() -> PreTrainedTokenizerBase:
    """A byte-level tokenizer: all bytes, a few pairs of letters, three special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = [(a, b) for a in "Ġaeo" for b in string.ascii_lowercase]
    pieces = [*_SPECIAL, *alphabet, *(a + b for a, b in pairs)]
    backend = tokenizers.Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, pairs))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=_SPECIAL[1], eos_token=_SPECIAL[2], unk_token=_SPECIAL[0],
        pad_token=_SPECIAL[2],
    )  # fmt: skip


def _config(shape: Shape, n_tokens: int, changes: dict[str, Any]) -> PreTrainedConfig:
    sizes: dict[str, Any] = {
        "vocab_size": n_tokens, "hidden_size": 16, "intermediate_size": 40, "num_hidden_layers": 3,
        "num_attention_heads": 4, "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2,
        "pad_token_id": 2,
    }  # fmt: skip
    if shape == "gpt2":
        own = {"n_inner": sizes.pop("intermediate_size")}
    elif shape == "gpt_neox":
        own = {}
    elif shape == "qwen2":
        own = {"num_key_value_heads": 2}
    else:
        own = {"num_key_value_heads": 2, "head_dim": 6}  # heads times head size is not the width
    if shape.startswith("gemma"):
        own["sliding_window"] = 8
    model_type = "gemma3_text" if shape == "gemma3" else shape
    return AutoConfig.for_model(model_type, **(sizes | own | changes))
