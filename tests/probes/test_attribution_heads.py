"""Heads and sources add up to what the coder reads, for every shape of attention."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from glossator.errors import ShapeMismatchError, UnknownNameError, UserError
from glossator.probes.attribution.attention_recording import record_attention
from glossator.probes.attribution.head_sources import HeadSources, decoder_shares, head_sources
from glossator.probes.coder_weights import Activation, CoderOptions, CoderWeights, InputNorm
from glossator.probes.raw_neurons import RawNeurons
from glossator.probes.sparse_coder import SparseCoder
from glossator.probes.subject import Subject
from glossator.probes.tiny_subject import SHAPES, Shape, tiny_subject
from glossator.records import SiteRef

HEADS = 4
FEATURES = 16
CODERS: list[dict[str, Any]] = [
    {"activation": Activation.RELU},
    {"activation": Activation.TOPK, "k": 12, "apply_b_dec_to_input": True},
    {"activation": Activation.JUMPRELU, "input_norm": InputNorm.LAYER_NORM, "apply_b_dec_to_input": True},
    {
        "activation": Activation.RELU,
        "input_norm": InputNorm.CONSTANT_NORM,
        "rescale_acts_by_decoder_norm": True,
    },
    {"activation": Activation.GATED, "apply_b_dec_to_input": True},
    {"activation": Activation.BATCHTOPK, "k": 12},
]


def _coder(width: int, site: str, **options: Any) -> SparseCoder:
    generator = torch.Generator().manual_seed(7)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    gated = options["activation"] is Activation.GATED
    weights = CoderWeights(
        W_enc=draw(width, FEATURES),
        W_dec=draw(FEATURES, width),
        b_dec=draw(width),
        b_enc=None if gated else draw(FEATURES),
        threshold=draw(FEATURES).abs() if options["activation"] is Activation.JUMPRELU else None,
        r_mag=0.3 * draw(FEATURES) if gated else None,
        b_gate=draw(FEATURES) if gated else None,
        b_mag=draw(FEATURES) if gated else None,
    )
    return SparseCoder(weights, CoderOptions(**options), name="made-up", site=SiteRef.parse(site))


def _ids(length: int = 20) -> tuple[int, ...]:
    return tuple(torch.randint(3, 300, (length,), generator=torch.Generator().manual_seed(3)).tolist())


def _subject_and_coder(shape: Shape, site: str = "1.attn_z", **options: Any) -> tuple[Subject, SparseCoder]:
    subject = tiny_subject(shape)
    wanted = {"activation": Activation.RELU, **options}
    return subject, _coder(subject.site_width(SiteRef.parse(site)), site, **wanted)


def _sum(found: HeadSources) -> float:
    return float(found.contributions.astype(np.float64).sum()) + found.bias


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_heads_and_sources_add_up_to_the_preactivation(shape: Shape, layer: int) -> None:
    subject, coder = _subject_and_coder(shape, f"{layer}.attn_z")
    ids = _ids()
    z = subject.activations(coder.site, torch.tensor([ids]))[0]
    assert coder.weights.b_enc is not None
    every = z @ coder.weights.W_enc + coder.weights.b_enc
    for position in (9, -1):
        for feature in range(3):
            found = head_sources(subject, coder, feature, ids, position)
            assert found.position == position % 20
            assert found.contributions.shape == (HEADS, position % 20 + 1)
            assert abs(found.preactivation - float(every[position, feature])) < 1e-4
            assert abs(_sum(found) - found.preactivation) < 1e-4
            assert abs(found.activation - max(0.0, float(every[position, feature]))) < 1e-4
            np.testing.assert_allclose(found.by_head.sum(), found.by_source.sum(), atol=1e-4)


@pytest.mark.parametrize("options", CODERS, ids=lambda o: f"{o['activation']}-{o.get('input_norm', '')}")
def test_every_option_of_a_coder_is_accounted_for(options: dict[str, Any]) -> None:
    subject, coder = _subject_and_coder("llama", **options)
    ids = _ids()
    fired = 0
    for feature in range(FEATURES):
        found = head_sources(subject, coder, feature, ids)
        assert abs(_sum(found) - found.preactivation) < 1e-4
        if found.activation > 0:
            fired += 1
            assert abs(found.activation - found.preactivation) < 1e-4
    assert fired >= FEATURES // 3


@pytest.mark.parametrize("shape", ["gemma2", "gemma3"])
def test_a_sliding_window_hides_what_lies_before_it(shape: Shape) -> None:
    subject, coder = _subject_and_coder(shape, "0.attn_z")
    found = head_sources(subject, coder, 0, _ids(), -1)
    assert found.pattern.shape == (HEADS, 20)
    assert not found.pattern[:, :12].any()
    assert (found.pattern[:, 12:] > 0).all()
    np.testing.assert_allclose(found.pattern.sum(axis=1), 1.0, atol=1e-5)
    assert not found.contributions[:, :12].any()


def test_a_token_that_is_the_only_source_gets_everything() -> None:
    subject, coder = _subject_and_coder("llama")
    found = head_sources(subject, coder, 2, _ids(), 0)
    np.testing.assert_allclose(found.pattern, np.ones((HEADS, 1)), atol=1e-6)
    assert found.tokens == (subject.vocabulary.texts[_ids()[0]],)


def test_contributions_follow_the_values_of_their_source() -> None:
    """Taking one source's values out of one head changes the pre-activation by its contribution."""
    subject, coder = _subject_and_coder("llama")
    ids, head, source = _ids(), 2, 5
    found = head_sources(subject, coder, 4, ids, -1)
    recorded = record_attention(subject, coder.site, ids)
    values = recorded.values.clone()
    values[head, source] = 0
    z = torch.einsum("hk,hkd->hd", recorded.pattern[:, -1], values).flatten()
    assert coder.weights.b_enc is not None
    without = float(z @ coder.weights.W_enc[:, 4] + coder.weights.b_enc[4])
    assert abs(found.preactivation - without - found.contributions[head, source]) < 1e-4
    assert abs(found.contributions[head, source]) > 1e-4


@pytest.mark.parametrize("shape", SHAPES)
def test_the_subject_is_left_as_it_was(shape: Shape) -> None:
    subject, coder = _subject_and_coder(shape)
    row = torch.tensor([_ids()])
    before, used = subject.logits(row), subject.model.config._attn_implementation
    head_sources(subject, coder, 0, _ids())
    assert subject.model.config._attn_implementation == used
    assert torch.equal(subject.logits(row), before)


def test_the_subject_is_left_as_it_was_after_a_failure() -> None:
    subject, coder = _subject_and_coder("llama")
    used = subject.model.config._attn_implementation
    with pytest.raises(ShapeMismatchError):
        head_sources(subject, coder, 0, _ids(100))
    block = subject.decoder.blocks[1].module
    handle = block.register_forward_pre_hook(_fail_when_recording(subject))
    with pytest.raises(ZeroDivisionError):
        head_sources(subject, coder, 0, _ids())
    handle.remove()
    assert subject.model.config._attn_implementation == used


def _fail_when_recording(subject: Subject) -> Any:
    used = subject.model.config._attn_implementation

    def fail(_module: torch.nn.Module, _args: Any) -> None:
        if subject.model.config._attn_implementation != used:
            raise ZeroDivisionError

    return fail


@pytest.mark.parametrize("shape", SHAPES)
def test_bfloat16_subjects_are_attributed_within_their_rounding(shape: Shape) -> None:
    subject, coder = _subject_and_coder(shape, "2.attn_z")
    subject.model.bfloat16()
    found = head_sources(subject, coder, 1, _ids(), -1)
    assert abs(_sum(found) - found.preactivation) < 0.02 * float(np.abs(found.contributions).sum())


def test_it_looks_where_the_feature_fires_most() -> None:
    subject, coder = _subject_and_coder("llama")
    ids = _ids()
    z = subject.activations(coder.site, torch.tensor([ids]))[0]
    assert coder.weights.b_enc is not None
    pre = (z @ coder.weights.W_enc + coder.weights.b_enc)[:, 3]
    first = max(len(subject.row_prefix), 1)
    assert head_sources(subject, coder, 3, ids).position == first + int(pre[first:].argmax())


def test_decoder_shares_are_lengths_of_head_slices() -> None:
    subject, coder = _subject_and_coder("llama")
    found = head_sources(subject, coder, 3, _ids(), -1).decoder_share
    assert found is not None
    lengths = coder.directions()[3].reshape(HEADS, -1).norm(dim=1)
    np.testing.assert_allclose(found, (lengths / lengths.sum()).numpy(), rtol=1e-5)
    planted = coder.directions()[3].clone()
    planted[6:] = 0
    coder.weights.W_dec[3] = planted
    shares = decoder_shares(coder, 3, HEADS)
    assert shares is not None
    assert shares.tolist() == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("kind", ["resid", "mlp_out", "mlp_hidden"])
def test_a_site_without_heads_is_refused(kind: str) -> None:
    subject = tiny_subject("llama")
    site = f"1.{kind}"
    coder = _coder(subject.site_width(SiteRef.parse(site)), site, activation=Activation.RELU)
    with pytest.raises(UserError, match=r"no heads .* only sites LAYER\.attn_z, such as 1\.attn_z"):
        head_sources(subject, coder, 0, _ids())


def test_what_cannot_be_attributed_is_refused() -> None:
    subject, coder = _subject_and_coder("llama")
    with pytest.raises(UserError, match="prompt is empty"):
        head_sources(subject, coder, 0, ())
    with pytest.raises(UserError, match="position 20 is outside"):
        head_sources(subject, coder, 0, _ids(), 20)
    with pytest.raises(UnknownNameError, match="no feature 16"):
        head_sources(subject, coder, 16, _ids())
    neurons = RawNeurons(layer=1, width=24)
    neurons.site = neurons.output_site = SiteRef.parse("1.attn_z")
    with pytest.raises(UserError, match="RawNeurons, whose features are no linear reading"):
        head_sources(subject, neurons, 0, _ids())
    with pytest.raises(UnknownNameError, match="has layers 0 to 2"):
        record_attention(subject, SiteRef.parse("9.attn_z"), _ids())
    with pytest.raises(ShapeMismatchError):
        head_sources(subject, _coder(16, "1.attn_z", activation=Activation.RELU), 0, _ids())
