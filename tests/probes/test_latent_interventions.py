"""Changes of one latent: to the bit where they must do nothing, else against direct computation."""

from __future__ import annotations

import pytest
import torch

from glossator.probes.coder_weights import InputNorm
from glossator.probes.dictionary import Dictionary, SparsePairs
from glossator.probes.interventions.intervention import (
    AblateLatent,
    Ablation,
    ClampLatent,
    Intervention,
    PatchLatent,
    SetLatent,
    Several,
)
from glossator.probes.interventions.runs import InterventionRuns
from glossator.probes.tiny_subject import SHAPES, Shape, tiny_subject
from glossator.records import SiteKind, SiteRef
from tests.probes.intervention_fixtures import (
    KINDS,
    coder,
    dictionaries,
    in_bfloat16,
    live_feature,
    neurons,
    prompts_of,
    random_vectors,
    scaled_subject,
    unchanged,
)

RESID, MLP_OUT = SiteRef.parse("1.resid"), SiteRef.parse("1.mlp_out")
NAN = torch.tensor([torch.nan])


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_changes_where_nothing_is_asked(shape: Shape) -> None:
    for subject in (tiny_subject(shape), in_bfloat16(shape)):
        runs, prompts = InterventionRuns(subject), prompts_of(subject)[:3]
        for dictionary in dictionaries(subject)[:5]:
            assert unchanged(runs, prompts, SetLatent(dictionary, 0, NAN))
            assert unchanged(runs, prompts, ClampLatent(dictionary, 0))


@pytest.mark.parametrize("number", range(11))
def test_silent_latents_cannot_be_ablated(number: int) -> None:
    for subject in (tiny_subject("gemma2"), in_bfloat16("llama"), scaled_subject()):
        runs, prompts = InterventionRuns(subject), prompts_of(subject)[1:3]
        dictionary = dictionaries(subject)[number]
        # The planted dead one; of neurons, one that is never among the best.
        dead = dictionary.n_features - 1
        if number == 10:
            dictionary = neurons(subject, k=1)
            continued = runs.continuations(prompts, tokens=3).ids.tolist()
            full = [(*p, *own) for p, own in zip(prompts, continued, strict=True)]
            fired = dictionary.encode(runs.site_activations(full, dictionary.site).flatten(0, 1)).feature
            dead = next(i for i in range(dictionary.n_features) if i not in fired.tolist())
        reference = torch.tensor([0.0, 3.0, 5.0])
        for kind in Ablation:
            assert unchanged(runs, prompts, AblateLatent(dictionary, dead, kind, reference))


@pytest.mark.parametrize("number", range(11))
def test_a_latent_set_to_what_it_is_changes_nothing(number: int) -> None:
    subject = tiny_subject("qwen3")
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    dictionary = dictionaries(subject)[number]
    feature = live_feature(runs, dictionary, prompts)
    own = runs.latent_activations(prompts, dictionary, feature)
    clean = runs.next_log_probs(prompts)
    same = runs.next_log_probs(prompts, PatchLatent(dictionary, feature, own))
    torch.testing.assert_close(same, clean, atol=1e-5, rtol=0)
    other = runs.next_log_probs(prompts, PatchLatent(dictionary, feature, own + 1))
    assert (other - clean).abs().max() > 1e-3


@pytest.mark.parametrize("number", range(11))
def test_one_latent_is_read_as_all_are(number: int) -> None:
    subject = tiny_subject()
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    dictionary = dictionaries(subject)[number]
    activations = runs.site_activations(prompts, dictionary.site)
    real = ~activations.isnan().any(-1)
    pairs = dictionary.encode(activations[real])
    dense = torch.zeros(int(real.sum()), dictionary.n_features)
    dense[pairs.token, pairs.feature] = pairs.value
    for feature in range(0, dictionary.n_features, 5):
        found = runs.latent_activations(prompts, dictionary, feature)
        assert torch.equal(found.isnan(), ~real)
        torch.testing.assert_close(found[real], dense[:, feature], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", ["llama", "gemma3"])
def test_a_latent_that_was_set_is_found_at_its_value(shape: Shape, kind: SiteKind) -> None:
    subject = tiny_subject(shape)
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    dictionary = coder(subject, SiteRef(layer=1, kind=kind), orthonormal=True)
    feature = live_feature(runs, dictionary, prompts)
    before = runs.latent_activations(prompts, dictionary, feature)
    after = runs.latent_activations(
        prompts, dictionary, feature, SetLatent(dictionary, feature, torch.tensor([2.5]))
    )
    fired = before[:, 1:] > 0
    assert after[:, 1:][fired].tolist() == pytest.approx([2.5] * int(fired.sum()), abs=1e-4)
    assert torch.equal(after[:, 0], before[:, 0]), "the first position is never touched"
    other = (feature + 1) % (dictionary.n_features - 1)
    changed = runs.latent_activations(
        prompts, dictionary, other, SetLatent(dictionary, feature, torch.tensor([2.5]))
    )
    torch.testing.assert_close(
        changed, runs.latent_activations(prompts, dictionary, other), atol=1e-4, rtol=0, equal_nan=True
    )


def test_neurons_are_set_clamped_and_ablated() -> None:
    subject = tiny_subject("gpt2")
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    dictionary = neurons(subject, k=40)
    feature = live_feature(runs, dictionary, prompts)
    own = runs.site_activations(prompts, dictionary.site)[:, 1:, feature]

    def under(intervention: Intervention) -> torch.Tensor:
        return runs.site_activations(prompts, dictionary.site, intervention)[:, 1:, feature]

    fires = own > 0
    torch.testing.assert_close(
        under(SetLatent(dictionary, feature, torch.tensor([3.0]))),
        torch.where(fires, 3.0, 3.0 + own), equal_nan=True,
    )  # fmt: skip
    torch.testing.assert_close(
        under(AblateLatent(dictionary, feature)), torch.where(fires, 0.0, own), equal_nan=True
    )
    low, high = float(own[fires].min()), float(own[fires].median())
    torch.testing.assert_close(
        under(ClampLatent(dictionary, feature, high=high)), torch.where(fires, own.clamp(max=high), own),
        equal_nan=True,
    )  # fmt: skip
    assert low < high


def test_latents_of_coders_that_normalise_write_in_the_units_of_the_token() -> None:
    """Taking a latent away takes away what the reconstruction loses with it."""
    subject = tiny_subject()
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    dictionary = coder(subject, RESID, norm=InputNorm.LAYER_NORM)
    feature = live_feature(runs, dictionary, prompts)
    before = runs.site_activations(prompts, RESID)
    after = runs.site_activations(prompts, RESID, AblateLatent(dictionary, feature))
    tokens = before[:, 1:][~before[:, 1:].isnan().any(-1)]
    whole = dictionary.reconstruct(tokens)
    kept = dictionary.weights.W_dec[feature].clone()
    dictionary.weights.W_dec[feature] = 0
    without = dictionary.reconstruct(tokens)
    dictionary.weights.W_dec[feature] = kept
    changed = after[:, 1:][~before[:, 1:].isnan().any(-1)]
    torch.testing.assert_close(changed - tokens, without - whole, atol=1e-4, rtol=0)
    assert (without - whole).abs().max() > 0.01


@pytest.mark.parametrize(
    "where", [("0.resid", "1.mlp_out"), ("1.mlp_hidden", "1.mlp_out"), ("1.attn_z", "1.resid")]
)
def test_transcoders_read_one_site_and_write_another(where: tuple[str, str]) -> None:
    for subject in (tiny_subject("gemma2"), tiny_subject("gpt2"), scaled_subject()):
        runs, prompts = InterventionRuns(subject), prompts_of(subject)
        dictionary = coder(subject, SiteRef.parse(where[0]), SiteRef.parse(where[1]))
        feature = live_feature(runs, dictionary, prompts)
        own = runs.latent_activations(prompts, dictionary, feature)
        before = runs.site_activations(prompts, dictionary.output_site)
        setting = SetLatent(dictionary, feature, torch.tensor([4.0]))
        after = runs.site_activations(prompts, dictionary.output_site, setting)
        amount = 4.0 - own
        amount[:, 0] = torch.where(own[:, 0].isnan(), own[:, 0], 0.0)
        expected = before + amount[..., None] * dictionary.directions()[feature]
        torch.testing.assert_close(after, expected, atol=1e-4, rtol=1e-4, equal_nan=True)
        greedy = runs.continuations(prompts, setting, tokens=5, temperature=0.0)
        full = [(*p, *ids) for p, ids in zip(prompts, greedy.ids.tolist(), strict=True)]
        whole = torch.stack([row[-5:] for row in runs.losses(full, setting)])
        torch.testing.assert_close(greedy.losses, whole, atol=1e-4, rtol=0)


@pytest.mark.parametrize("number", range(11))
def test_latents_are_changed_on_every_generated_token(number: int) -> None:
    subject = tiny_subject("gemma3")
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    dictionary = dictionaries(subject)[number]
    feature = live_feature(runs, dictionary, prompts)
    for change in (SetLatent(dictionary, feature, torch.tensor([6.0])), AblateLatent(dictionary, feature)):
        cached = runs.continuations(prompts, change, tokens=8)
        full = [(*p, *ids) for p, ids in zip(prompts, cached.ids.tolist(), strict=True)]
        whole = torch.stack([row[-8:] for row in runs.losses(full, change)])
        torch.testing.assert_close(cached.losses, whole, atol=1e-4, rtol=0)


def test_ablations_take_their_values_from_the_reference() -> None:
    subject = tiny_subject()
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    dictionary = coder(subject, RESID, orthonormal=True)
    feature = live_feature(runs, dictionary, prompts)
    before = runs.latent_activations(prompts, dictionary, feature)[:, 1:]

    def under(kind: Ablation, reference: torch.Tensor, seed: int = 0) -> torch.Tensor:
        change = AblateLatent(dictionary, feature, kind, reference, seed)
        return runs.latent_activations(prompts, dictionary, feature, change)[:, 1:]

    fired, reference = before > 0, torch.tensor([0.0, 0.0, 1.0, 5.0])
    assert under(Ablation.MEAN, reference)[fired].tolist() == pytest.approx(
        [1.5] * int(fired.sum()), abs=1e-4
    )
    drawn = under(Ablation.RESAMPLE, torch.arange(1.0, 200.0))
    assert bool(((drawn[fired] - drawn[fired].round()).abs() < 1e-3).all())
    assert len(set(drawn[fired].round().tolist())) > 3
    torch.testing.assert_close(drawn, under(Ablation.RESAMPLE, torch.arange(1.0, 200.0)), equal_nan=True)
    assert not torch.allclose(drawn[fired], under(Ablation.RESAMPLE, torch.arange(1.0, 200.0), 1)[fired])
    alone = InterventionRuns(subject, batch_rows=1)
    change = AblateLatent(dictionary, feature, Ablation.RESAMPLE, torch.arange(1.0, 200.0))
    torch.testing.assert_close(
        alone.latent_activations(prompts, dictionary, feature, change)[:, 1:], drawn, equal_nan=True,
        atol=1e-4, rtol=1e-4,
    )  # fmt: skip
    assert torch.equal(under(Ablation.ZERO, reference)[~fired], before[~fired].nan_to_num(0)) or bool(
        before[~fired].isnan().any()
    )


def test_changes_of_several_sites_and_latents_act_together() -> None:
    subject = tiny_subject()
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    dictionary = coder(subject, RESID, orthonormal=True)
    feature = live_feature(runs, dictionary, prompts)
    added = random_vectors(subject, RESID)
    both = Several(
        (SetLatent(dictionary, feature, torch.tensor([4.0])), added, random_vectors(subject, MLP_OUT))
    )
    mlp = runs.site_activations(prompts, RESID, random_vectors(subject, MLP_OUT))
    value = runs.latent_activations(prompts, dictionary, feature, random_vectors(subject, MLP_OUT))
    found = runs.site_activations(prompts, RESID, both)
    expected = mlp + added.vectors[0] + (4.0 - value)[..., None] * dictionary.directions()[feature]
    torch.testing.assert_close(found[:, 1:], expected[:, 1:], atol=1e-4, rtol=1e-4, equal_nan=True)


def test_values_per_row_stay_with_their_rows() -> None:
    subject = tiny_subject()
    runs, prompts = InterventionRuns(subject, batch_rows=2), prompts_of(subject)
    dictionary = coder(subject, RESID)
    values = torch.tensor([1.0, torch.nan, 3.0, 4.0, 5.0])
    found = runs.next_log_probs(prompts, SetLatent(dictionary, 0, values))
    for row, prompt in enumerate(prompts):
        alone = runs.next_log_probs([prompt], SetLatent(dictionary, 0, values[row : row + 1]))
        torch.testing.assert_close(found[row], alone[0], atol=1e-4, rtol=0)
    assert torch.equal(found[1], runs.next_log_probs(prompts)[1])


class ForeignDictionary:
    """Any dictionary will do, not only our own classes."""

    name, site, output_site = "foreign", RESID, RESID

    def __init__(self, inner: Dictionary) -> None:
        self._inner = inner
        self.n_features, self.d_in = inner.n_features, inner.d_in

    def encode(self, activations: torch.Tensor) -> SparsePairs:
        return self._inner.encode(activations)

    def encode_fast(self, activations: torch.Tensor) -> SparsePairs:
        return self._inner.encode_fast(activations)

    def reconstruct(self, activations: torch.Tensor) -> torch.Tensor:
        return self._inner.reconstruct(activations)

    def directions(self) -> torch.Tensor:
        return self._inner.directions()

    def fingerprint(self) -> str:
        return self._inner.fingerprint()


def test_any_dictionary_can_be_used() -> None:
    subject = tiny_subject()
    runs, prompts = InterventionRuns(subject), prompts_of(subject)
    inner = coder(subject, RESID)
    feature = live_feature(runs, inner, prompts)
    ours, foreign = (
        runs.next_log_probs(prompts, SetLatent(dictionary, feature, torch.tensor([3.0])))
        for dictionary in (inner, ForeignDictionary(inner))
    )
    torch.testing.assert_close(foreign, ours, atol=1e-5, rtol=0)
