"""Token effects against what the whole model's logits do when the residual stream is pushed."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from glossator.errors import ShapeMismatchError
from glossator.probes.subject import Subject
from glossator.probes.tiny_subject import SHAPES, Shape, tiny_subject
from glossator.probes.token_effects import (
    iter_top_token_effects,
    norm_gain,
    to_residual,
    token_effects,
    top_token_effects,
)
from glossator.records import SiteKind, SiteRef

LAST = SiteRef.parse("2.resid")
UNCAPPED = {"gemma2": {"final_logit_softcapping": None}}


def _double(shape: Shape, **changes: Any) -> Subject:
    subject = tiny_subject(shape, **UNCAPPED.get(shape, {}), **changes)
    subject.model.double()
    return subject


def _slope(subject: Subject, ids: torch.Tensor, site: SiteRef, direction: torch.Tensor) -> torch.Tensor:
    """Central finite difference of the last position's logits along `direction`, mean removed."""
    step = (
        1e-2  # the norms of Gemma compute in float32 whatever the model does: smaller steps drown in rounding
    )

    def pushed(sign: int) -> torch.Tensor:
        def edit(t: torch.Tensor) -> torch.Tensor:
            moved = t.clone()
            moved[:, -1] += sign * step * direction
            return moved

        return subject.logits(ids, site=site, edit=edit)[0, -1].double()

    slope = (pushed(1) - pushed(-1)) / (2 * step)
    return slope - slope.mean()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tied", [True, False])
def test_effects_are_the_slope_of_the_logits_with_the_norms_scale_frozen(shape: Shape, tied: bool) -> None:
    subject = _double(shape, tie_word_embeddings=tied)
    ids = torch.tensor([[5, 60, 100, 200]])
    x = subject.activations(LAST, ids)[0, -1]
    if shape in ("gpt2", "gpt_neox"):
        x = x - x.mean()
    scale = x.square().mean().sqrt()
    direction = torch.randn(16, generator=torch.Generator().manual_seed(2)).double()
    # Orthogonal to what the norm divides by, so that its scale stays as it is to first order.
    direction -= (direction @ x) / (x @ x) * x
    expected = _slope(subject, ids, LAST, direction) * scale
    found = token_effects(subject, direction[None].float())[0].double()
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-3)
    assert abs(float(found.mean())) < 1e-5
    assert float(found.abs().max()) > 0.1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", [SiteKind.MLP_HIDDEN, SiteKind.ATTN_Z])
def test_directions_before_a_projection_are_mapped_to_what_they_write(shape: Shape, kind: SiteKind) -> None:
    subject = tiny_subject(shape)
    site, ids = SiteRef(layer=2, kind=kind), torch.tensor([[5, 60, 100]])
    width = subject.site_width(site)
    direction = torch.randn(width, generator=torch.Generator().manual_seed(3))
    mapped = to_residual(subject, site, direction[None])[0]
    block = subject.decoder.blocks[2]
    projection = block.mlp_down if kind is SiteKind.MLP_HIDDEN else block.attention_out
    assert projection is not None
    with torch.no_grad():
        written = projection(direction[None]) - projection(torch.zeros(1, width))
    norm = block.mlp_norm if kind is SiteKind.MLP_HIDDEN else block.attention_norm
    assert (norm is not None) == shape.startswith("gemma")
    if norm is not None:  # γ of Gemma is 1 + weight
        written = written * (1 + norm.state_dict()["weight"])
    torch.testing.assert_close(mapped, written[0], rtol=1e-3, atol=1e-4)
    assert subject.activations(site, ids).shape[-1] == width


def test_residual_directions_stay_as_they_are() -> None:
    subject = tiny_subject()
    directions = torch.randn(3, 16)
    for site in ("1.resid", "0.mlp_out"):
        torch.testing.assert_close(to_residual(subject, SiteRef.parse(site), directions), directions)


@pytest.mark.parametrize("width", [15, 16])
def test_norm_gain_is_measured_for_layer_and_root_mean_square_norms(width: int) -> None:
    weight, bias = torch.rand(width) + 0.5, torch.randn(width)
    layer = torch.nn.LayerNorm(width)
    layer.weight.data, layer.bias.data = weight.clone(), bias
    found = norm_gain(layer, width)
    assert found.centres
    torch.testing.assert_close(found.gain, weight, rtol=1e-3, atol=1e-3)
    root = torch.nn.RMSNorm(width)
    root.weight.data = weight.clone()
    found = norm_gain(root, width)
    assert not found.centres
    torch.testing.assert_close(found.gain, weight, rtol=1e-3, atol=1e-3)


def test_top_effects_are_named_and_ordered() -> None:
    subject = tiny_subject("gemma3", vocab_size=400)  # 37 rows of the unembedding have no token
    directions = torch.randn(5, 16, generator=torch.Generator().manual_seed(4))
    effects = token_effects(subject, directions)
    assert effects.shape == (5, 363)
    many = list(iter_top_token_effects(subject, directions, k=7))
    alone = top_token_effects(subject, directions[3], k=7)
    assert [e.token for e in many[3].promoted] == [e.token for e in alone.promoted]
    assert [e.effect for e in many[3].promoted] == pytest.approx([e.effect for e in alone.promoted], rel=1e-5)
    order = effects[3].argsort(descending=True).tolist()
    texts = subject.vocabulary.texts
    assert [e.token for e in many[3].promoted] == [texts[i] for i in order[:7]]
    assert [e.token for e in many[3].suppressed] == [texts[i] for i in order[::-1][:7]]
    assert many[3].promoted[0].effect == pytest.approx(float(effects[3].max()))
    assert many[3].suppressed[0].effect == pytest.approx(float(effects[3].min()))


def test_directions_of_another_width_are_refused() -> None:
    subject = tiny_subject()
    with pytest.raises(ShapeMismatchError, match=r"12 wide.*16 wide"):
        token_effects(subject, torch.zeros(1, 12))
    with pytest.raises(ShapeMismatchError, match=r"16 wide.*1.mlp_hidden.*40 wide"):
        to_residual(subject, SiteRef.parse("1.mlp_hidden"), torch.zeros(1, 16))
