"""A small Llama with hand-set weights, whose residual stream is laid out by purpose.

The stream has a basis of its own, turned by a random rotation so that nothing lies along an axis:

    constant    the same in every token; carries how common each token is as output
    detect      one per feature: tokens that the feature reads have a component here
    write       one per concept: the unembedding rows of its words have a component here
    unread      nothing reads these, neither a block nor the unembedding
    hashed      pseudo-random functions of the context, which no simple predicate expresses
    scratch     where the first block leaves what the hash is made from
    generic     random token vectors and unembedding rows

Attention and MLP are random and weak: the context changes the next token a little.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import tokenizers
import torch
from jaxtyping import Float
from tokenizers import Regex, decoders, models, pre_tokenizers, processors
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase, PreTrainedTokenizerFast
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from glossator.probes.subject import Subject

D = 128
LAYERS = 4
HIDDEN = 192
UNKNOWN, BEGIN = "<unk>", "<s>"
_HEADS = 4
_HASHING = 64
"""Hidden units of block 1 that make the hash."""
_PUNCTUATION = "\n.,!?;:'\"()[]{}<>=+-*/#_&|0123456789"
_SCRATCH = 12


@dataclass(frozen=True)
class Layout:
    """Which coordinates serve what, before the rotation."""

    detect: tuple[str, ...]
    write: tuple[str, ...]
    unread: tuple[str, ...]
    hashed: tuple[str, ...]

    def at(self, part: str, name: str) -> int:
        """The coordinate of `name` in `part`."""
        parts = ("detect", "write", "unread", "hashed")
        before = sum(len(getattr(self, p)) for p in parts[: parts.index(part)])
        return 1 + before + int(getattr(self, part).index(name))

    @property
    def n_named(self) -> int:
        """Coordinates with a name, the constant included."""
        return 1 + len(self.detect) + len(self.write) + len(self.unread) + len(self.hashed)

    def span(self, part: str) -> slice:
        """All coordinates of `part`."""
        names = getattr(self, part)
        return slice(self.at(part, names[0]), self.at(part, names[0]) + len(names))

    @property
    def scratch(self) -> slice:
        """What the hash is made from."""
        return slice(self.n_named, self.n_named + _SCRATCH)

    @property
    def generic(self) -> slice:
        """The rest."""
        return slice(self.n_named + _SCRATCH, D)


class TokenPlan(NamedTuple):
    """What one word is to the subject."""

    detect: Mapping[str, float]
    """Strength with which features read it."""
    write: Mapping[str, float]
    """How much concepts raise it."""
    commonness: float
    """Added to its logit everywhere."""


def planted_model(
    words: Sequence[str], plans: Mapping[str, TokenPlan], layout: Layout,
    rotation: Float[torch.Tensor, "d d"], seed: int,
) -> Subject:  # fmt: skip
    """The subject; `rotation` takes layout coordinates to the stream (columns are the coordinates)."""
    tokenizer = word_tokenizer(words)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=D, intermediate_size=HIDDEN, num_hidden_layers=LAYERS,
        num_attention_heads=_HEADS, num_key_value_heads=_HEADS, max_position_embeddings=256,
        tie_word_embeddings=False, bos_token_id=1, eos_token_id=1, pad_token_id=0, rms_norm_eps=1e-6,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        model = LlamaForCausalLM(config).eval()
    embedding, unembedding = _token_vectors(tokenizer, plans, layout, generator)
    with torch.no_grad():
        _set(model.get_input_embeddings(), embedding @ rotation.T)
        _set(model.get_output_embeddings(), unembedding @ rotation.T)
        for number, block in enumerate(model.model.layers):
            assert isinstance(block, LlamaDecoderLayer)
            _fill_block(block, number, layout, rotation, generator)
    model.requires_grad_(False)
    return Subject(model, tokenizer, "planted-causal")


def word_tokenizer(words: Sequence[str]) -> PreTrainedTokenizerBase:
    """One token per word, with the space before it; punctuation marks and digits by themselves."""
    pieces = [UNKNOWN, BEGIN, "▁", *_PUNCTUATION, *("▁" + mark for mark in _PUNCTUATION.strip())]
    pieces = list(dict.fromkeys([*pieces, *("▁" + word for word in words)]))
    backend = tokenizers.Tokenizer(models.WordLevel({piece: i for i, piece in enumerate(pieces)}, UNKNOWN))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first"),
            pre_tokenizers.Split(Regex(r"▁?[^\w\s▁]|▁?[0-9_]|\s"), "isolated"),
        ]
    )
    backend.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="first")
    backend.post_processor = processors.TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[(BEGIN, 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token=UNKNOWN, bos_token=BEGIN, eos_token=BEGIN, pad_token=UNKNOWN
    )


CONSTANT = 3.0
GENERIC = 8.0
"""Length of a token's generic part."""
READ = 1.4
"""Scale of an unembedding row's generic part: logits vary by about one nat."""
UNWANTED = -8.0
PICKING = 2.0
"""How sharply the head of the hash picks."""


def _token_vectors(
    tokenizer: PreTrainedTokenizerBase, plans: Mapping[str, TokenPlan], layout: Layout,
    generator: torch.Generator,
) -> tuple[Float[torch.Tensor, "vocab d"], Float[torch.Tensor, "vocab d"]]:  # fmt: skip
    n = len(tokenizer)
    generic = layout.generic
    width = D - generic.start
    embedding, unembedding = torch.zeros(n, D), torch.zeros(n, D)
    embedding[:, generic] = torch.randn(n, width, generator=generator) * (GENERIC / math.sqrt(width))
    unembedding[:, generic] = torch.randn(n, width, generator=generator) * (READ / math.sqrt(width))
    embedding[:, 0] = CONSTANT
    unembedding[:, 0] = -1.0
    unembedding[:2] = 0.0
    unembedding[:2, 0] = UNWANTED / CONSTANT
    for word, plan in plans.items():
        i = tokenizer.convert_tokens_to_ids("▁" + word)
        assert isinstance(i, int)
        unembedding[i, 0] = plan.commonness / CONSTANT
        for name, strength in plan.detect.items():
            embedding[i, layout.at("detect", name)] = strength
        for name, strength in plan.write.items():
            unembedding[i, layout.at("write", name)] = strength
            embedding[i, layout.at("write", name)] = (
                0.5  # a word of a concept makes the next a little likelier
            )
    return embedding, unembedding


def _fill_block(
    block: LlamaDecoderLayer, number: int, layout: Layout, rotation: Float[torch.Tensor, "d d"],
    generator: torch.Generator,
) -> None:  # fmt: skip
    """Random weights that write little, and only where they may; blocks 0 and 1 make the hash besides."""
    attention, mlp = block.self_attn, block.mlp
    reads, writes = _reads(layout), _writes(layout)

    def draw(rows: int, columns: int) -> Float[torch.Tensor, "rows columns"]:
        return torch.randn(rows, columns, generator=generator) / math.sqrt(columns)

    head = D // _HEADS
    query, key = draw(D, D) * reads, draw(D, D) * reads
    value, out = draw(D, D) * reads, 0.25 * draw(D, D) * writes[:, None]
    gate, up = draw(HIDDEN, D) * reads, draw(HIDDEN, D) * reads
    down = 0.4 * draw(D, HIDDEN) * writes[:, None]
    if number == 0:  # what the context holds on average is left in scratch …
        out[layout.scratch] = torch.randn(_SCRATCH, D, generator=generator) * 0.1
    if number == 1:  # … by which a head picks earlier tokens, of which the MLP makes the hash
        for matrix in (query, key):
            matrix[:head] = 0.0
            matrix[:head, layout.scratch] = torch.randn(head, _SCRATCH, generator=generator) * PICKING
        out[layout.scratch, :head] = torch.randn(_SCRATCH, head, generator=generator) * 0.2
        for matrix in (gate, up):
            matrix[:_HASHING] = 0.0
            matrix[:_HASHING, layout.scratch] = torch.randn(_HASHING, _SCRATCH, generator=generator)
        hashed = layout.span("hashed")
        down[:, :_HASHING] = 0.0
        down[hashed, :_HASHING] = torch.randn(len(layout.hashed), _HASHING, generator=generator) * 0.01
    for module, matrix in (
        (attention.q_proj, query @ rotation.T), (attention.k_proj, key @ rotation.T),
        (attention.v_proj, value @ rotation.T), (attention.o_proj, rotation @ out),
        (mlp.gate_proj, gate @ rotation.T), (mlp.up_proj, up @ rotation.T), (mlp.down_proj, rotation @ down),
    ):  # fmt: skip
        _set(module, matrix)


def _reads(layout: Layout) -> Float[torch.Tensor, " d"]:
    scale = torch.ones(D)
    scale[layout.span("write")] = 0.3
    scale[layout.span("detect")] = 0.3
    for hidden in (layout.span("unread"), layout.span("hashed"), layout.scratch):
        scale[hidden] = 0.0
    return scale


def _writes(layout: Layout) -> Float[torch.Tensor, " d"]:
    scale = torch.ones(D)
    scale[0] = 0.0
    scale[layout.span("detect")] = 0.06
    scale[layout.span("write")] = 0.5
    for hidden in (layout.span("unread"), layout.span("hashed"), layout.scratch):
        scale[hidden] = 0.0
    return scale


def _set(module: nn.Module | None, matrix: Float[torch.Tensor, "rows columns"]) -> None:
    assert module is not None
    weight = module.weight
    assert isinstance(weight, nn.Parameter)
    assert weight.shape == matrix.shape
    weight.copy_(matrix)
