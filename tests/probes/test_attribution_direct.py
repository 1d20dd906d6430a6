"""Direct effects against edited forward passes, and against the logits that they must add up to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from glossator.errors import UnknownNameError, UserError
from glossator.probes.attribution.direct_effects import direct_effects, next_token_effects, norm_scale
from glossator.probes.coder_weights import Activation, CoderOptions, CoderWeights
from glossator.probes.sparse_coder import SparseCoder
from glossator.probes.subject import Subject
from glossator.probes.tiny_subject import SHAPES, Shape, tiny_subject
from glossator.records import SiteKind, SiteRef

FEATURES = 12
IDS = (5, 60, 100, 200, 31, 77)
TARGETS = (4, 50, 99, 250)


def _subject(shape: Shape) -> Subject:
    uncapped: dict[str, Any] = {"final_logit_softcapping": None} if shape == "gemma2" else {}
    return tiny_subject(shape, **uncapped)


def _coder(subject: Subject, site: str) -> SparseCoder:
    width = subject.site_width(SiteRef.parse(site))
    generator = torch.Generator().manual_seed(11)
    weights = CoderWeights(
        W_enc=torch.randn(width, FEATURES, generator=generator),
        W_dec=torch.randn(FEATURES, width, generator=generator),
        b_dec=torch.zeros(width),
        b_enc=torch.randn(FEATURES, generator=generator),
    )
    return SparseCoder(weights, CoderOptions(activation=Activation.RELU), name="c", site=SiteRef.parse(site))


def _activations(coder: SparseCoder, x: torch.Tensor) -> torch.Tensor:
    assert coder.weights.b_enc is not None
    return torch.relu(x @ coder.weights.W_enc + coder.weights.b_enc)


class _FrozenNorm(torch.nn.Module):
    """A norm whose scale at each position is what it was on a given input."""

    def __init__(self, norm: torch.nn.Module, x: torch.Tensor) -> None:
        super().__init__()
        self.scale = norm_scale(norm, x[0])[None, :, None]
        self.shift = norm(torch.zeros_like(x[:, :1])).detach().double()
        # gain * (x - mean): the norm's own output, scaled back; linear in x once the scale is fixed.
        basis = torch.eye(x.shape[-1]) * 1e3
        self.matrix = (norm(basis).detach().double() - self.shift[0]) * norm_scale(norm, basis)[:, None] / 1e3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return ((x.double() @ self.matrix) / self.scale + self.shift).to(x.dtype)


def _freeze(subject: Subject, site: SiteRef) -> None:
    """Hold the scales of the final norm and of those behind `site` fixed, by replacing the modules."""
    row = torch.tensor([IDS])
    block = subject.decoder.blocks[site.layer]
    behind = {SiteKind.MLP_HIDDEN: block.mlp_norm, SiteKind.ATTN_Z: block.attention_norm}.get(site.kind)
    norms = [n for n in (subject.decoder.final_norm, behind) if n is not None]
    seen: dict[int, torch.Tensor] = {}
    handles = [n.register_forward_hook(lambda m, a, _o: seen.update({id(m): a[0]})) for n in norms]
    subject.logits(row)
    for handle in handles:
        handle.remove()
    for parent in list(subject.model.modules()):
        for name, child in list(parent.named_children()):
            if id(child) in seen:
                setattr(parent, name, _FrozenNorm(child, seen[id(child)]))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["resid", "mlp_out", "mlp_hidden"])
def test_direct_effects_are_what_taking_the_latent_away_costs(shape: Shape, kind: str) -> None:
    """At the last layer nothing comes between but norms: with their scales held, the sum is exact."""
    subject = _subject(shape)
    site = SiteRef.parse(f"2.{kind}")
    coder = _coder(subject, str(site))
    x = subject.activations(site, torch.tensor([IDS]))[0]
    acts = _activations(coder, x)
    feature = int(acts.mean(dim=0).argmax())
    found = direct_effects(subject, coder, feature, IDS, TARGETS, centred=False)
    np.testing.assert_allclose(found.activations, acts[:, feature].numpy(), rtol=1e-4, atol=1e-4)
    _freeze(subject, site)
    write = acts[:, feature][None, :, None] * coder.directions()[feature]
    row = torch.tensor([IDS])
    there = subject.logits(row)
    for share, tolerance in ((1e-2, 3e-2), (1.0, 2e-3)):  # a small change drowns in float32 rounding first
        gone = subject.logits(row, site=site, edit=lambda t, s=share: t - s * write)
        expected = ((there - gone)[0] / share)[:, list(TARGETS)].numpy()
        np.testing.assert_allclose(found.effects, expected, atol=tolerance * np.abs(expected).max())
        assert float(np.abs(expected).max()) > 0.05


@pytest.mark.parametrize("shape", SHAPES)
def test_effects_of_all_latents_the_error_and_the_bias_make_up_the_logits(shape: Shape) -> None:
    subject = _subject(shape)
    coder = _coder(subject, "2.resid")
    x = subject.activations(coder.site, torch.tensor([IDS]))[0]
    acts = _activations(coder, x)
    every = [direct_effects(subject, coder, i, IDS, TARGETS, centred=False) for i in range(FEATURES)]
    total = np.sum([e.effects for e in every], axis=0)
    norm = subject.decoder.final_norm
    assert norm is not None
    weight: Any = subject.decoder.unembedding.weight
    with torch.no_grad():
        rest = x - acts @ coder.directions()  # the reconstruction error
        shift = norm(torch.zeros(1, x.shape[1]))
        basis = torch.eye(x.shape[1]) * 1e3
        linear = (norm(basis) - shift) * norm_scale(norm, basis)[:, None].float() / 1e3
        error = (rest @ linear / torch.tensor(every[0].scales)[:, None] + shift) @ weight.T
        logits = subject.logits(torch.tensor([IDS]))[0]
    made = total + error[:, list(TARGETS)].numpy()
    np.testing.assert_allclose(made, logits[:, list(TARGETS)].numpy(), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("shape", ["llama", "gpt2", "gemma2", "qwen2"])
def test_the_norms_scale_is_measured_at_each_position(shape: Shape) -> None:
    subject = _subject(shape)
    norm = subject.decoder.final_norm
    assert norm is not None
    x = subject.activations(SiteRef.parse("2.resid"), torch.tensor([IDS]))[0]
    centred = x - x.mean(dim=1, keepdim=True) if shape == "gpt2" else x
    expected = (centred.square().mean(dim=1) + 1e-6).sqrt()
    torch.testing.assert_close(norm_scale(norm, x).float(), expected, rtol=1e-3, atol=1e-3)
    assert float(expected.max() / expected.min()) > 1.01


def test_centred_effects_have_the_vocabularys_mean_removed() -> None:
    subject = _subject("llama")
    coder = _coder(subject, "1.resid")
    everything = tuple(range(subject.n_named_tokens))
    raw = direct_effects(subject, coder, 0, IDS, everything, centred=False).effects
    centred = direct_effects(subject, coder, 0, IDS, everything).effects
    np.testing.assert_allclose(centred, raw - raw.mean(axis=1, keepdims=True), atol=1e-4)
    assert np.abs(centred).max() > 0.01


def test_silent_positions_have_no_effect_and_next_tokens_are_their_own() -> None:
    subject = _subject("llama")
    coder = _coder(subject, "1.resid")
    for feature in range(FEATURES):
        found = direct_effects(subject, coder, feature, IDS, IDS)
        assert not found.effects[found.activations == 0].any()
        following = next_token_effects(subject, coder, feature, IDS)
        assert np.isnan(following[-1])
        for p in range(len(IDS) - 1):
            assert abs(following[p] - found.effects[p, p + 1]) < 1e-5


def test_bad_input_is_refused() -> None:
    subject = _subject("llama")
    coder = _coder(subject, "1.resid")
    with pytest.raises(UnknownNameError, match="no feature 12"):
        direct_effects(subject, coder, 12, IDS, TARGETS)
    with pytest.raises(UnknownNameError, match="no output token 100000"):
        direct_effects(subject, coder, 0, IDS, (100_000,))
    with pytest.raises(UserError, match="need a prompt and at least one output token"):
        direct_effects(subject, coder, 0, (), TARGETS)
