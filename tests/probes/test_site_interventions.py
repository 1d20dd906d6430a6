"""Vectors and patches: to the bit where they must do nothing, else against direct computation."""

from __future__ import annotations

import pytest
import torch

from glossator.errors import ProbeError, ShapeMismatchError, UnknownNameError, UserError
from glossator.probes.coder_weights import Activation
from glossator.probes.interventions.intervention import (
    LAST_ONWARD,
    AblateLatent,
    Ablation,
    AddVectors,
    ClampLatent,
    Intervention,
    PatchSite,
    SetLatent,
    Several,
)
from glossator.probes.interventions.runs import InterventionRuns
from glossator.probes.tiny_subject import SHAPES, Shape, tiny_subject
from glossator.probes.token_effects import token_effects
from glossator.records import SiteKind, SiteRef
from tests.probes.intervention_fixtures import (
    KINDS,
    coder,
    in_bfloat16,
    prompts_of,
    random_vectors,
    scaled_subject,
    unchanged,
)

RESID, MLP_OUT = SiteRef.parse("1.resid"), SiteRef.parse("1.mlp_out")
NAN = torch.tensor([torch.nan])


@pytest.mark.parametrize("kind", KINDS)
def test_changes_that_cancel_restore_every_bit(kind: SiteKind) -> None:
    for subject in (tiny_subject("qwen2"), in_bfloat16("gpt2"), scaled_subject()):
        runs, prompts = InterventionRuns(subject), prompts_of(subject)
        there = random_vectors(subject, SiteRef(layer=1, kind=kind), rows=len(prompts), size=7.0)
        back = AddVectors(there.site, -there.vectors)
        assert not unchanged(runs, prompts, there)
        assert unchanged(runs, prompts, Several((there, back)))


def test_adding_at_one_site_and_taking_away_at_the_next_where_blocks_do_nothing_between() -> None:
    """With the last block's parts silenced, what it returns is what entered it."""
    subject = tiny_subject()
    with torch.no_grad():
        for projection in (subject.decoder.blocks[2].mlp_down, subject.decoder.blocks[2].attention_out):
            assert projection is not None
            for parameter in projection.parameters():
                parameter.zero_()
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    there = random_vectors(subject, RESID)
    back = AddVectors(SiteRef.parse("2.resid"), -there.vectors)
    found = runs.next_log_probs(prompts, Several((there, back)))
    torch.testing.assert_close(found, runs.next_log_probs(prompts), atol=1e-4, rtol=0)
    assert (runs.next_log_probs(prompts, there) - found).abs().max() > 0.01


def test_a_planted_direction_moves_the_logits_it_should() -> None:
    """At the last residual site, as norm and unembedding say; and, where it leaves the norm's scale as it
    is and is small, as the logit lens says."""
    for shape in ("llama", "gpt2", "qwen2"):
        subject = tiny_subject(shape)
        runs, prompts = InterventionRuns(subject), prompts_of(subject)
        site, target, small = SiteRef.parse("2.resid"), 100, 1e-2
        norm, unembedding = subject.decoder.final_norm, subject.decoder.unembedding.weight
        assert norm is not None
        assert isinstance(unembedding, torch.Tensor)
        before = runs.site_activations(prompts, site)
        ends = torch.stack([before[row, len(p) - 1] for row, p in enumerate(prompts)])
        centred = ends - ends.mean(1, keepdim=True) if shape == "gpt2" else ends
        wanted = unembedding[target].detach()
        along = (centred @ wanted) / centred.square().sum(1)
        directions = wanted - along[:, None] * centred
        found = runs.next_log_probs(prompts, AddVectors(site, small * directions))
        with torch.no_grad():
            clean, steered = (norm(x) @ unembedding.T for x in (ends, ends + small * directions))
        torch.testing.assert_close(found, steered.log_softmax(-1), atol=1e-4, rtol=0)
        moved = (steered - clean) / small * centred.square().mean(1, keepdim=True).sqrt()
        lens = token_effects(subject, directions)
        torch.testing.assert_close(moved - moved.mean(1, keepdim=True), lens, atol=0.05, rtol=0.02)
        assert (found - runs.next_log_probs(prompts))[:, target].min() > 0


def test_a_direction_moves_one_logit_where_norm_and_unembedding_are_the_identity() -> None:
    """Hand-made: 16 tokens are the 16 axes; every token's norm is kept by a compensating axis."""
    subject = tiny_subject("llama", tie_word_embeddings=False)
    norm, unembedding = subject.decoder.final_norm, subject.decoder.unembedding
    assert norm is not None
    assert isinstance(unembedding.weight, torch.Tensor)

    def passed_on(_module: object, args: tuple[torch.Tensor, ...], _output: torch.Tensor) -> torch.Tensor:
        return args[0]

    handle = norm.register_forward_hook(passed_on)
    with torch.no_grad():
        unembedding.weight.zero_()
        unembedding.weight[20:36] = torch.eye(16)
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    direction = torch.zeros(1, 16)
    direction[0, 3] = 2.0
    clean, found = (
        runs.next_log_probs(prompts),
        runs.next_log_probs(prompts, AddVectors(SiteRef.parse("2.resid"), direction)),
    )
    handle.remove()
    # log-odds against any token that stays: only token 23 moves, by exactly the strength.
    moved = (found - found[:, :1]) - (clean - clean[:, :1])
    expected = torch.zeros_like(moved)
    expected[:, 23] = 2.0
    torch.testing.assert_close(moved, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_patching_a_prompt_into_itself_changes_nothing(shape: Shape, kind: SiteKind) -> None:
    for subject in (tiny_subject(shape), in_bfloat16(shape), scaled_subject()):
        runs, prompts = InterventionRuns(subject), prompts_of(subject)
        site = SiteRef(layer=1, kind=kind)
        assert unchanged(runs, prompts, PatchSite(site, runs.site_activations(prompts, site)))


def test_patching_the_last_site_gives_the_other_prompts_next_token() -> None:
    subject = tiny_subject("gemma2")
    runs = InterventionRuns(subject)
    prompts = runs.prompts(["a cat sat", "zebra", "one two three, four"])
    site, length = SiteRef.parse("2.resid"), min(map(len, prompts))
    ends = tuple(prompt[-length:] for prompt in prompts)
    source = runs.site_activations(ends, site)
    turned = source.roll(1, 0)
    found = runs.next_log_probs(ends, PatchSite(site, turned))
    torch.testing.assert_close(found, runs.next_log_probs(ends).roll(1, 0), atol=1e-5, rtol=0)
    last = runs.next_log_probs(ends, PatchSite(site, turned, positions=LAST_ONWARD))
    assert torch.equal(last, found), "what stands before the last token does not matter after the last block"


def test_shorter_sources_leave_the_rest() -> None:
    subject = tiny_subject()
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    source = torch.zeros(1, 2, 16)
    source[0, 1] = torch.arange(16)
    before = runs.site_activations(prompts, RESID)
    after = runs.site_activations(prompts, RESID, PatchSite(RESID, source))
    changed = (before != after).any(-1) & ~before.isnan().any(-1)
    assert changed.nonzero()[:, 1].tolist() == [1] * len(prompts)
    assert torch.equal(after[:, 1], torch.arange(16.0).expand(len(prompts), 16))


def test_what_does_not_belong_together_is_refused() -> None:
    subject, wide = tiny_subject(), tiny_subject(hidden_size=32)
    runs, prompts = InterventionRuns(subject), [(5, 6, 7)]

    def error_of(kind: type[UserError], intervention: Intervention) -> str:
        with pytest.raises(kind) as caught:
            runs.next_log_probs(prompts, intervention)
        return str(caught.value)

    other = coder(wide, RESID)
    message = error_of(ShapeMismatchError, SetLatent(other, 0, NAN))
    assert "reads: 32 wide" in message
    assert "1.resid of tiny-llama is 16 wide" in message
    assert "layers 0 to 2" in error_of(UnknownNameError, random_vectors_at("7.resid"))
    own = coder(subject, RESID)
    assert "numbered 0 to 23" in error_of(UnknownNameError, AblateLatent(own, 24))
    assert "no feature -1" in error_of(UnknownNameError, AblateLatent(own, -1))
    assert "17 wide" in error_of(ShapeMismatchError, AddVectors(RESID, torch.zeros(1, 17)))
    assert "2 vectors for 1 prompts" in error_of(ShapeMismatchError, AddVectors(RESID, torch.zeros(2, 16)))
    assert "2 values for 1 prompts" in error_of(ShapeMismatchError, SetLatent(own, 0, torch.zeros(2)))
    assert "must not be larger" in error_of(UserError, ClampLatent(own, 0, 2.0, 1.0))
    assert "needs its activations" in error_of(UserError, AblateLatent(own, 0, Ablation.MEAN))
    backwards = coder(subject, RESID, SiteRef.parse("0.resid"))
    assert "comes before it" in error_of(ShapeMismatchError, AblateLatent(backwards, 0))


def random_vectors_at(site: str) -> AddVectors:
    return AddVectors(SiteRef.parse(site), torch.zeros(1, 16))


def test_breaking_down_under_a_latent_is_told_in_the_same_way() -> None:
    subject = tiny_subject()
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    for activation, k in ((Activation.RELU, None), (Activation.TOPK, 4)):
        later = coder(subject, SiteRef.parse("2.resid"), activation=activation, k=k)
        both = Several(
            (AddVectors(RESID, torch.full((1, 16), torch.inf)), SetLatent(later, 0, torch.ones(1)))
        )
        assert bool(runs.next_log_probs(prompts, both).isnan().all())
        with pytest.raises(ProbeError, match="5 of 5 prompts"):
            runs.continuations(prompts, both)
