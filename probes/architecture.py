"""Where things are inside a decoder-only transformers model, found by structure, not by class name.

Paths cover Llama-, GPT-2-, GPT-NeoX-, Gemma- and Qwen-shaped models, and others that use the same
names (Mistral, Phi, OLMo, GPT-J, Falcon, OPT, …). What a block lacks is None: a mixture of experts
has no single hidden layer.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import nn
from transformers import PreTrainedModel

from glossator.errors import UserError

_BLOCKS = ("layers", "h", "decoder.layers", "language_model.layers", "blocks")
_FINAL_NORM = ("norm", "ln_f", "final_layer_norm", "final_layernorm", "norm_f")
_MLP = ("mlp", "block_sparse_moe", "ffn", "feed_forward")
_MLP_DOWN = (
    "mlp.down_proj", "mlp.c_proj", "mlp.dense_4h_to_h", "mlp.fc2", "mlp.fc_out", "ffn.down_proj", "fc2",
)  # fmt: skip
_ATTENTION_OUT = (
    "self_attn.o_proj", "attn.c_proj", "attention.dense", "self_attention.dense", "self_attn.dense",
    "self_attn.out_proj", "attn.out_proj", "attn.attention.out_proj",
)  # fmt: skip
# Gemma 2/3 and OLMo 2 normalise what the MLP and the attention return before adding it. Only in blocks
# that have one of these is `post_attention_layernorm` such a norm; in Llama it belongs to the MLP's input.
_POST_MLP_NORM = ("post_feedforward_layernorm", "post_mlp_layernorm")
_POST_ATTENTION_NORM = ("post_self_attn_layernorm", "post_attention_layernorm")


@dataclass(frozen=True)
class Block:
    """One decoder block and its parts."""

    module: nn.Module
    mlp: nn.Module | None
    mlp_down: nn.Module | None
    """The projection from the MLP's hidden neurons to the residual stream."""
    mlp_adds_residual: bool
    """The MLP module returns the residual stream, not what it adds to it (Bloom, MPT)."""
    mlp_norm: nn.Module | None
    """The norm between the MLP's output and the residual stream, where there is one."""
    attention_out: nn.Module | None
    """The projection from the heads' outputs to the residual stream."""
    attention_norm: nn.Module | None
    """The norm between the attention's output and the residual stream, where there is one."""
    residual_scale: float
    """Factor on what MLP and attention add (Granite); 1 elsewhere."""


@dataclass(frozen=True)
class Decoder:
    """A decoder-only model, taken apart."""

    base: nn.Module
    """The model without its unembedding."""
    blocks: tuple[Block, ...]
    final_norm: nn.Module | None
    unembedding: nn.Module


def read_architecture(model: PreTrainedModel) -> Decoder:
    """Find the parts of `model`; raises `UserError` if it is not a decoder of a known shape."""
    base = model.base_model
    head = model.get_output_embeddings()
    n_layers = int(model.config.get_text_config().num_hidden_layers)
    for path in _BLOCKS:
        found = _descend(base, path)
        if isinstance(found, nn.ModuleList) and len(found) == n_layers and isinstance(head, nn.Module):
            parent = _descend(base, path.rpartition(".")[0])
            assert parent is not None
            blocks = tuple(_read_block(block) for block in found)
            return Decoder(base, blocks, _first(parent, _FINAL_NORM), head)
    raise UserError(
        f"{type(model).__name__} is not a decoder-only model of a known shape: looked for {n_layers} blocks "
        f"under {', '.join(_BLOCKS)} and for an unembedding. Choose a causal language model such as Llama, "
        "GPT-2, GPT-NeoX, Gemma or Qwen."
    )


def projection_matrix(projection: nn.Module) -> Float[torch.Tensor, "d_in d_out"]:
    """The matrix of a linear projection, so that output = input @ matrix (+ bias)."""
    weight = projection.weight
    assert isinstance(weight, torch.Tensor)
    # transformers' Conv1D (GPT-2) stores [in, out]; nn.Linear stores [out, in].
    return weight.detach() if hasattr(projection, "nf") else weight.detach().T


def _read_block(block: nn.Module) -> Block:
    mlp = _first(block, _MLP)
    mlp_norm = _first(block, _POST_MLP_NORM)
    return Block(
        module=block,
        mlp=mlp,
        mlp_down=_first(block, _MLP_DOWN),
        mlp_adds_residual=mlp is not None and "residual" in inspect.signature(mlp.forward).parameters,
        mlp_norm=mlp_norm,
        attention_out=_first(block, _ATTENTION_OUT),
        attention_norm=None if mlp_norm is None else _first(block, _POST_ATTENTION_NORM),
        residual_scale=float(getattr(block, "residual_multiplier", 1.0)),
    )


def _first(module: nn.Module, paths: Iterable[str]) -> nn.Module | None:
    return next((found for path in paths if (found := _descend(module, path)) is not None), None)


def _descend(module: nn.Module, path: str) -> nn.Module | None:
    for name in filter(None, path.split(".")):
        child = getattr(module, name, None)
        if not isinstance(child, nn.Module):
            return None
        module = child
    return module
