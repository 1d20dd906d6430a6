"""What a CUDA device computes, against the CPU: interventions, activations, dictionaries, the index.

Tiny subjects in float32 on both, so that what differs is rounding alone; every intervention must move the
result by far more than the tolerance.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from glossator.probes.activation_index import ActivationIndex, build_index
from glossator.probes.coder_weights import Activation
from glossator.probes.dictionary import Dictionary, SparsePairs
from glossator.probes.interventions.intervention import (
    LAST_ONWARD,
    AblateLatent,
    Ablation,
    AddVectors,
    ClampLatent,
    Intervention,
    PatchLatent,
    PatchSite,
    SetLatent,
    Several,
)
from glossator.probes.interventions.runs import InterventionRuns
from glossator.probes.neighbours import nearest_by_direction
from glossator.probes.site_means import site_means
from glossator.probes.sparse_coder import SparseCoder
from glossator.probes.subject import Subject
from glossator.probes.tiny_subject import SHAPES, Shape, tiny_subject
from glossator.probes.token_effects import token_effects
from glossator.records import SiteRef
from tests.probes.index_fixtures import word_documents
from tests.probes.intervention_fixtures import (
    KINDS,
    TEXTS,
    coder,
    dictionaries,
    live_feature,
    prompts_of,
    random_vectors,
)

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

RESID = SiteRef.parse("1.resid")
TOLERANCE = 2e-3
"""Nats. An edit of interest moves a log-probability by more than ten times as much."""
INDEX_FEATURES = 1024
"""Just wide enough for preselection in bfloat16."""


def on_gpu(shape: Shape = "llama") -> Subject:
    subject = tiny_subject(shape)
    torch.nn.Module.to(subject.model, "cuda")
    return subject


def there(dictionary: Dictionary) -> Dictionary:
    """The same dictionary on the GPU; neurons have no weights."""
    if not isinstance(dictionary, SparseCoder):
        return dictionary
    return SparseCoder(
        dictionary.weights, dictionary.options, name=dictionary.name, site=dictionary.site,
        output_site=dictionary.output_site, device="cuda",
    )  # fmt: skip


def by_place(pairs: SparsePairs) -> dict[tuple[int, int], float]:
    """Activation by token and feature."""
    places = zip(pairs.token.tolist(), pairs.feature.tolist(), strict=True)
    return dict(zip(places, pairs.value.tolist(), strict=True))


def assert_near(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found.cpu(), expected, atol=TOLERANCE, rtol=TOLERANCE, equal_nan=True)


def compare(cpu: InterventionRuns, gpu: InterventionRuns, here: Intervention, over: Intervention) -> None:
    """Both change the next token alike, and change it at all."""
    prompts = prompts_of(cpu.subject)
    expected = cpu.next_log_probs(prompts, here)
    assert (expected - cpu.next_log_probs(prompts)).abs().max() > 10 * TOLERANCE
    assert_near(gpu.next_log_probs(prompts, over), expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_activations_at_every_site_are_those_of_the_cpu(shape: Shape) -> None:
    cpu, gpu = tiny_subject(shape), on_gpu(shape)
    ids = torch.randint(3, 300, (4, 33), generator=torch.Generator().manual_seed(1))
    for kind in KINDS:
        site = SiteRef.parse(f"1.{kind}")
        found = gpu.activations(site, ids)
        assert found.is_cuda
        assert_near(found, cpu.activations(site, ids))
    assert_near(gpu.logits(ids), cpu.logits(ids))
    assert gpu.fingerprint() == cpu.fingerprint()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_steering_is_that_of_the_cpu(shape: Shape, kind: str) -> None:
    cpu, gpu = InterventionRuns(tiny_subject(shape)), InterventionRuns(on_gpu(shape))
    vectors = random_vectors(cpu.subject, SiteRef.parse(f"1.{kind}"), rows=len(TEXTS), size=2.0)
    compare(cpu, gpu, vectors, vectors)


@pytest.mark.parametrize("shape", ["llama", "gpt2", "gemma3"])
def test_continuations_and_losses_are_those_of_the_cpu(shape: Shape) -> None:
    cpu, gpu = InterventionRuns(tiny_subject(shape)), InterventionRuns(on_gpu(shape))
    prompts = prompts_of(cpu.subject)
    vectors = random_vectors(cpu.subject, RESID, rows=len(prompts), size=3.0)
    for temperature in (0.0, 1.0):
        expected = cpu.continuations(prompts, vectors, tokens=12, temperature=temperature)
        found = gpu.continuations(prompts, vectors, tokens=12, temperature=temperature)
        assert torch.equal(found.ids, expected.ids)
        assert_near(found.losses, expected.losses)
        assert_near(
            gpu.continuation_losses(prompts, expected.ids), cpu.continuation_losses(prompts, expected.ids)
        )
    for found, expected in zip(gpu.losses(prompts, vectors), cpu.losses(prompts, vectors), strict=True):
        assert_near(found, expected)


@pytest.mark.parametrize("number", range(len(dictionaries(tiny_subject()))))
def test_latent_interventions_are_those_of_the_cpu(number: int) -> None:
    cpu, gpu = InterventionRuns(tiny_subject()), InterventionRuns(on_gpu())
    own = dictionaries(cpu.subject)[number]
    prompts = prompts_of(cpu.subject)
    feature = live_feature(cpu, own, prompts)
    here = cpu.latent_activations(prompts, own, feature)
    for dictionary in (there(own), own):  # on the GPU, and left on the CPU
        assert_near(gpu.latent_activations(prompts, dictionary, feature), here)
        values = torch.tensor([8.0, -8.0, 6.0, torch.nan, 7.0])
        source = here.roll(1, 0).nan_to_num(0.0) + 5.0
        reference = here[~here.isnan()] + 9.0
        for expected, found in (
            (SetLatent(own, feature, values), SetLatent(dictionary, feature, values)),
            (
                SetLatent(own, feature, values, LAST_ONWARD),
                SetLatent(dictionary, feature, values, LAST_ONWARD),
            ),
            (ClampLatent(own, feature, 6.0), ClampLatent(dictionary, feature, 6.0)),
            (PatchLatent(own, feature, source), PatchLatent(dictionary, feature, source)),
            (
                AblateLatent(own, feature, Ablation.MEAN, reference),
                AblateLatent(dictionary, feature, Ablation.MEAN, reference),
            ),
            (
                AblateLatent(own, feature, Ablation.RESAMPLE, reference),
                AblateLatent(dictionary, feature, Ablation.RESAMPLE, reference),
            ),
        ):
            compare(cpu, gpu, expected, found)
        zero = cpu.next_log_probs(prompts, AblateLatent(own, feature))
        assert_near(gpu.next_log_probs(prompts, AblateLatent(dictionary, feature)), zero)


def test_patches_and_several_changes_are_those_of_the_cpu() -> None:
    cpu, gpu = InterventionRuns(tiny_subject()), InterventionRuns(on_gpu())
    prompts = prompts_of(cpu.subject)
    source = cpu.site_activations(prompts, RESID)
    assert_near(gpu.site_activations(prompts, RESID), source)
    patch = PatchSite(RESID, 2.0 * source.roll(1, 0))
    vectors = AddVectors(SiteRef.parse("0.mlp_out"), random_vectors(cpu.subject, RESID, size=2.0).vectors)
    for change in (patch, Several((patch, vectors))):
        compare(cpu, gpu, change, change)


def test_means_and_token_effects_are_those_of_the_cpu() -> None:
    cpu, gpu = tiny_subject("gemma2"), on_gpu("gemma2")
    here, over = (site_means(subject, RESID, TEXTS, 32) for subject in (cpu, gpu))
    np.testing.assert_allclose(over.mean, here.mean, atol=TOLERANCE)
    np.testing.assert_allclose(over.largest, here.largest, atol=TOLERANCE)
    own = coder(cpu, RESID)
    assert_near(token_effects(gpu, own.directions()), token_effects(cpu, own.directions()))
    over_there = nearest_by_direction(own.directions().to("cuda"), 3, 5)
    assert over_there.indices.tolist() == nearest_by_direction(own.directions(), 3, 5).indices.tolist()


@pytest.mark.parametrize("activation", list(Activation))
def test_which_features_fire_is_as_on_the_cpu(activation: Activation) -> None:
    own = coder(tiny_subject(), RESID, activation=activation, features=4096, k=12)
    x = torch.randn(500, own.d_in, generator=torch.Generator().manual_seed(2))
    over = there(own)
    assert isinstance(over, SparseCoder)
    for here, found in (
        (own.encode(x), over.encode(x)),
        (own.encode(x), over.encode_fast(x)),
    ):
        expected, got = by_place(here), by_place(found)
        shared = expected.keys() & got.keys()
        assert len(shared) >= 0.999 * max(len(expected), len(got))
        assert max(abs(expected[key] - got[key]) for key in shared) < TOLERANCE
    assert_near(over.reconstruct(x[:50]), own.reconstruct(x[:50]))


def test_an_index_built_on_the_gpu_is_the_cpus(tmp_path: Path) -> None:
    """Same tokens, same identity; features fire at the same places but for near ties."""
    built = [_index(tmp_path / name, subject) for name, subject in (("c", tiny_subject()), ("g", on_gpu()))]
    here, over = built
    assert over.identity == here.identity
    same = total = 0
    for feature in range(INDEX_FEATURES):
        mine, theirs = here.explore.firings(feature), over.explore.firings(feature)
        _, left, right = np.intersect1d(mine.position, theirs.position, return_indices=True)
        np.testing.assert_allclose(theirs.activation[right], mine.activation[left], rtol=0.01, atol=TOLERANCE)
        same, total = same + len(left), total + max(len(mine.position), len(theirs.position))
    assert total > 10_000
    assert same >= 0.998 * total


def _index(folder: Path, subject: Subject) -> ActivationIndex:
    own = coder(tiny_subject(), RESID, activation=Activation.TOPK, features=INDEX_FEATURES, k=8)
    dictionary = there(own) if subject.device.type == "cuda" else own
    return build_index(folder, subject, dictionary, word_documents(), tokens=20_000, context=32)
