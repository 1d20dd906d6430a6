"""Each site of each shape against activations recomputed by hand from the model's own weights."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from glossator.errors import ShapeMismatchError, UnknownNameError
from glossator.probes.subject import Subject
from glossator.probes.tiny_subject import SHAPES, Shape, tiny_subject
from glossator.records import SiteKind, SiteRef

VARIANTS: list[tuple[Shape, dict[str, Any]]] = [
    *((shape, {}) for shape in SHAPES),
    ("gpt_neox", {"use_parallel_residual": False}),
]


def _ids(subject: Subject, rows: int = 2, length: int = 12) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(3, len(subject.vocabulary), (rows, length), generator=generator)


def _block_inputs_and_attention(
    subject: Subject, ids: torch.Tensor, layer: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """What enters block `layer`, by output_hidden_states, and what its attention module returns."""
    block: Any = subject.decoder.blocks[layer].module
    attention = next(
        getattr(block, name) for name in ("self_attn", "attn", "attention") if hasattr(block, name)
    )
    seen: list[torch.Tensor] = []
    handle = attention.register_forward_hook(lambda _m, _a, out: seen.append(out[0]))
    with torch.no_grad():
        hidden = subject.model(ids, output_hidden_states=True).hidden_states
    handle.remove()
    return hidden[layer], seen[0]


def _by_hand(subject: Subject, ids: torch.Tensor, layer: int) -> dict[SiteKind, torch.Tensor]:
    block: Any = subject.decoder.blocks[layer].module
    x, attention = _block_inputs_and_attention(subject, ids, layer)
    kind = str(subject.model.config.model_type)
    with torch.no_grad():
        if kind == "gpt2":
            middle = x + attention
            inner = block.ln_2(middle) @ block.mlp.c_fc.weight + block.mlp.c_fc.bias
            hidden = F.gelu(inner, approximate="tanh")
            out = hidden @ block.mlp.c_proj.weight + block.mlp.c_proj.bias
        elif kind == "gpt_neox":
            middle = x + attention
            mlp_in = x if subject.model.config.use_parallel_residual else middle
            up = block.mlp.dense_h_to_4h
            hidden = F.gelu(block.post_attention_layernorm(mlp_in) @ up.weight.T + up.bias)
            out = hidden @ block.mlp.dense_4h_to_h.weight.T + block.mlp.dense_4h_to_h.bias
        elif kind.startswith("gemma"):
            middle = x + block.post_attention_layernorm(attention)
            h = block.pre_feedforward_layernorm(middle)
            hidden = F.gelu(h @ block.mlp.gate_proj.weight.T, approximate="tanh") * (
                h @ block.mlp.up_proj.weight.T
            )
            out = block.post_feedforward_layernorm(hidden @ block.mlp.down_proj.weight.T)
        else:
            middle = x + attention
            h = block.post_attention_layernorm(middle)
            hidden = F.silu(h @ block.mlp.gate_proj.weight.T) * (h @ block.mlp.up_proj.weight.T)
            out = hidden @ block.mlp.down_proj.weight.T
    return {SiteKind.MLP_HIDDEN: hidden, SiteKind.MLP_OUT: out, SiteKind.RESID: middle + out}


@pytest.mark.parametrize(("shape", "changes"), VARIANTS)
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_mlp_and_residual_sites_match_hand_computation(
    shape: Shape, changes: dict[str, Any], layer: int
) -> None:
    subject = tiny_subject(shape, **changes)
    ids = _ids(subject)
    for kind, expected in _by_hand(subject, ids, layer).items():
        site = SiteRef(layer=layer, kind=kind)
        found = subject.activations(site, ids)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        assert subject.site_width(site) == expected.shape[-1]


@pytest.mark.parametrize(("shape", "changes"), VARIANTS)
def test_residual_matches_hidden_states_and_final_norm(shape: Shape, changes: dict[str, Any]) -> None:
    subject = tiny_subject(shape, **changes)
    ids = _ids(subject)
    with torch.no_grad():
        hidden = subject.model(ids, output_hidden_states=True).hidden_states
        last = subject.activations(SiteRef.parse("2.resid"), ids)
        assert subject.decoder.final_norm is not None
        torch.testing.assert_close(subject.decoder.final_norm(last), hidden[-1])
    torch.testing.assert_close(subject.activations(SiteRef.parse("0.resid"), ids), hidden[1])


@pytest.mark.parametrize("shape", SHAPES)
def test_attention_output_is_the_projection_of_z(shape: Shape) -> None:
    subject = tiny_subject(shape)
    ids = _ids(subject)
    _, attention = _block_inputs_and_attention(subject, ids, 1)
    site = SiteRef.parse("1.attn_z")
    z = subject.activations(site, ids)
    block: Any = subject.decoder.blocks[1].module
    if shape == "gpt2":
        projected = z @ block.attn.c_proj.weight + block.attn.c_proj.bias
    else:
        projection = block.attention.dense if shape == "gpt_neox" else block.self_attn.o_proj
        projected = F.linear(z, projection.weight, projection.bias)
    torch.testing.assert_close(projected, attention, rtol=1e-4, atol=1e-4)
    assert (
        subject.site_width(site)
        == z.shape[-1]
        == (24 if shape in ("llama", "gemma2", "gemma3", "qwen3") else 16)
    )


def test_attention_z_of_llama_by_hand() -> None:
    subject = tiny_subject("llama")
    ids = _ids(subject)
    x, _ = _block_inputs_and_attention(subject, ids, 1)
    block: Any = subject.decoder.blocks[1].module
    heads, key_heads, size, length = 4, 2, 6, ids.shape[1]
    with torch.no_grad():
        h = block.input_layernorm(x)
        q = (h @ block.self_attn.q_proj.weight.T).view(2, length, heads, size)
        k = (h @ block.self_attn.k_proj.weight.T).view(2, length, key_heads, size)
        v = (h @ block.self_attn.v_proj.weight.T).view(2, length, key_heads, size)
        frequency = 10000.0 ** (-torch.arange(0, size, 2) / size)
        angle = torch.outer(torch.arange(length).float(), frequency)

        def rotated(t: torch.Tensor) -> torch.Tensor:
            first, second = t[..., : size // 2], t[..., size // 2 :]
            cos, sin = angle.cos()[:, None], angle.sin()[:, None]
            return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)

        q, k = rotated(q), rotated(k).repeat_interleave(2, dim=2)
        v = v.repeat_interleave(2, dim=2)
        scores = torch.einsum("bihd,bjhd->bhij", q, k) / size**0.5
        scores = scores.masked_fill(torch.ones(length, length).triu(1).bool(), float("-inf"))
        z = torch.einsum("bhij,bjhd->bihd", scores.softmax(dim=-1), v).reshape(2, length, heads * size)
    torch.testing.assert_close(subject.activations(SiteRef.parse("1.attn_z"), ids), z, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", list(SiteKind))
def test_nothing_behind_the_site_runs(shape: Shape, kind: SiteKind) -> None:
    subject = tiny_subject(shape)
    ran: list[int] = []

    def record(number: int, _module: torch.nn.Module, _args: Any) -> None:
        ran.append(number)

    for number, block in enumerate(subject.decoder.blocks):
        block.module.register_forward_pre_hook(partial(record, number))
    subject.decoder.unembedding.register_forward_pre_hook(partial(record, -1))
    subject.activations(SiteRef(layer=1, kind=kind), _ids(subject))
    assert ran == [0, 1]


def test_reading_leaves_no_hook_behind() -> None:
    subject = tiny_subject()
    ids = _ids(subject)
    before = subject.logits(ids)
    for kind in SiteKind:
        subject.activations(SiteRef(layer=1, kind=kind), ids)
    with pytest.raises(IndexError):
        subject.logits(ids, site=SiteRef.parse("1.resid"), edit=lambda t: t[100])
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in subject.model.modules())
    torch.testing.assert_close(subject.logits(ids), before, rtol=0, atol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_padding_on_the_right_changes_nothing(shape: Shape) -> None:
    subject = tiny_subject(shape)
    ids = _ids(subject)
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    site = SiteRef.parse("2.resid")
    together = subject.activations(site, torch.where(mask == 1, ids, 2), mask)
    torch.testing.assert_close(together[0], subject.activations(site, ids[:1])[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        together[1, :7], subject.activations(site, ids[1:, :7])[0], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_editing_a_site_changes_what_follows(shape: Shape) -> None:
    subject = tiny_subject(shape)
    ids = _ids(subject)
    plain = subject.logits(ids)
    for kind in SiteKind:
        site = SiteRef(layer=2, kind=kind)
        same = subject.logits(ids, site=site, edit=lambda t: t)
        torch.testing.assert_close(same, plain)
        assert not torch.allclose(subject.logits(ids, site=site, edit=torch.zeros_like), plain, atol=1e-3)
    resid, out = (subject.activations(SiteRef.parse(s), ids) for s in ("2.resid", "2.mlp_out"))
    without = subject.logits(ids, site=SiteRef.parse("2.resid"), edit=lambda t: t - out)
    ablated = subject.logits(ids, site=SiteRef.parse("2.mlp_out"), edit=torch.zeros_like)
    assert not torch.allclose(resid, resid - out)
    torch.testing.assert_close(without, ablated, rtol=1e-3, atol=1e-3)


def test_threads_do_not_read_each_others_sites() -> None:
    subject = tiny_subject()
    ids = _ids(subject)
    sites = [SiteRef(layer=layer, kind=kind) for layer in range(3) for kind in SiteKind]
    alone = {str(site): subject.activations(site, ids) for site in sites}
    wrong: list[str] = []

    def read(site: SiteRef) -> None:
        for _ in range(10):
            found = subject.activations(site, ids)
            if found.shape != alone[str(site)].shape or not torch.equal(found, alone[str(site)]):
                wrong.append(str(site))

    threads = [threading.Thread(target=read, args=(site,)) for site in sites]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_unknown_sites_and_rows_that_do_not_fit_name_what_is_allowed() -> None:
    subject = tiny_subject()
    ids = _ids(subject)
    with pytest.raises(UnknownNameError, match="layers 0 to 2"):
        subject.activations(SiteRef.parse("3.resid"), ids)
    with pytest.raises(ShapeMismatchError, match="takes 64"):
        subject.activations(SiteRef.parse("1.resid"), torch.ones((1, 65), dtype=torch.long))
    with pytest.raises(ShapeMismatchError, match="from 0 to 362"):
        subject.activations(SiteRef.parse("1.resid"), torch.tensor([[363]]))


def test_a_site_that_the_architecture_lacks_lists_those_it_has() -> None:
    from transformers import AutoModelForCausalLM, MixtralConfig

    from glossator.probes.tiny_subject import tiny_tokenizer

    config = MixtralConfig(
        vocab_size=363, hidden_size=16, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, num_local_experts=2, max_position_embeddings=32,
    )  # fmt: skip
    subject = Subject(AutoModelForCausalLM.from_config(config).eval(), tiny_tokenizer(), "mixture")
    ids = torch.tensor([[3, 4, 5]])
    assert subject.activations(SiteRef.parse("0.mlp_out"), ids).shape == (1, 3, 16)
    with pytest.raises(UnknownNameError, match="has resid, mlp_out, attn_z"):
        subject.activations(SiteRef.parse("0.mlp_hidden"), ids)
