"""Subjects, dictionaries and prompts for tests of interventions."""

from __future__ import annotations

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from glossator.probes.coder_weights import Activation, CoderOptions, CoderWeights, InputNorm
from glossator.probes.dictionary import Dictionary
from glossator.probes.interventions.intervention import AddVectors, Intervention, Positions
from glossator.probes.interventions.runs import InterventionRuns, Prompt
from glossator.probes.raw_neurons import RawNeurons
from glossator.probes.sparse_coder import SparseCoder
from glossator.probes.subject import Subject
from glossator.probes.tiny_subject import Shape, tiny_subject, tiny_tokenizer
from glossator.records import SiteKind, SiteRef

TEXTS = ("hello there my friend", "a bc", "I think", "now this is rather a long thing, a", "then he")
KINDS = tuple(SiteKind)


def prompts_of(subject: Subject) -> tuple[Prompt, ...]:
    return InterventionRuns(subject).prompts(TEXTS)


def in_bfloat16(shape: Shape) -> Subject:
    subject = tiny_subject(shape)
    subject.model.bfloat16()
    return subject


def scaled_subject() -> Subject:
    """Granite-shaped: what MLP and attention add is multiplied by 0.3, logits are divided by 2."""
    tokenizer = tiny_tokenizer()
    config = AutoConfig.for_model(
        "granite", vocab_size=len(tokenizer), hidden_size=16, intermediate_size=40, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, residual_multiplier=0.3,
        logits_scaling=2.0, bos_token_id=1, eos_token_id=2, pad_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return Subject(model, tokenizer, "tiny-granite")


def coder(
    subject: Subject,
    site: SiteRef,
    output_site: SiteRef | None = None,
    *,
    activation: Activation = Activation.RELU,
    features: int = 24,
    k: int | None = None,
    norm: InputNorm = InputNorm.NONE,
    orthonormal: bool = False,
    seed: int = 0,
) -> SparseCoder:
    """Random, or with orthonormal directions that are read as they are written; the last feature is dead."""
    draw = torch.Generator().manual_seed(seed)
    d_in, d_out = subject.site_width(site), subject.site_width(output_site or site)
    if orthonormal:
        basis = torch.linalg.qr(torch.randn(d_in, d_in, generator=draw)).Q
        encoder, decoder = basis, basis.T.contiguous()
    else:
        encoder = torch.randn(d_in, features, generator=draw)
        decoder = torch.randn(features, d_out, generator=draw) / d_out**0.5
    n = decoder.shape[0]
    bias = torch.zeros(n)
    bias[-1] = -1e6
    tensors = {"W_enc": encoder, "W_dec": decoder, "b_enc": bias, "b_dec": torch.zeros(d_out)}
    if activation is Activation.JUMPRELU:
        tensors["threshold"] = torch.full((n,), 0.2)
    if activation is Activation.GATED:
        tensors |= {"r_mag": torch.zeros(n), "b_gate": bias, "b_mag": torch.full((n,), 0.1)}
        del tensors["b_enc"]
    options = CoderOptions(
        activation=activation, k=k, input_norm=norm, transcoder=output_site not in (None, site)
    )
    return SparseCoder(CoderWeights(**tensors), options, name="tiny", site=site, output_site=output_site)


def neurons(subject: Subject, layer: int = 1, k: int = 8) -> RawNeurons:
    site = SiteRef(layer=layer, kind=SiteKind.MLP_HIDDEN)
    return RawNeurons(layer=layer, width=subject.site_width(site), k=k)


def live_feature(runs: InterventionRuns, dictionary: Dictionary, prompts: tuple[Prompt, ...]) -> int:
    """A feature that fires on some prompt tokens and is silent on others."""
    for feature in range(dictionary.n_features):
        found = runs.latent_activations(prompts, dictionary, feature)[:, 1:]
        if bool((found > 0).any()) and bool((found == 0).any()):
            return feature
    raise AssertionError("no feature both fires and is silent")


def random_vectors(
    subject: Subject, site: SiteRef, rows: int = 1, size: float = 1.0, seed: int = 5, **where: Positions
) -> AddVectors:
    draw = torch.Generator().manual_seed(seed)
    return AddVectors(site, size * torch.randn(rows, subject.site_width(site), generator=draw), **where)


def unchanged(runs: InterventionRuns, prompts: tuple[Prompt, ...], intervention: Intervention) -> bool:
    """No bit differs, on the prompts and while generating."""
    clean, same = runs.continuations(prompts, tokens=3), runs.continuations(prompts, intervention, tokens=3)
    return (
        torch.equal(runs.next_log_probs(prompts), runs.next_log_probs(prompts, intervention))
        and torch.equal(clean.ids, same.ids)
        and torch.equal(clean.losses, same.losses)
    )


def dictionaries(subject: Subject) -> list[Dictionary]:
    """Every kind of coder, at every kind of site, transcoders and neurons."""
    return [
        *(coder(subject, SiteRef.parse(f"1.{kind}")) for kind in KINDS),
        coder(subject, SiteRef.parse("1.resid"), activation=Activation.TOPK, k=4),
        coder(subject, SiteRef.parse("1.resid"), activation=Activation.JUMPRELU),
        coder(subject, SiteRef.parse("1.resid"), activation=Activation.GATED),
        coder(subject, SiteRef.parse("1.resid"), norm=InputNorm.LAYER_NORM),
        coder(subject, SiteRef.parse("0.resid"), SiteRef.parse("1.mlp_out")),
        coder(subject, SiteRef.parse("1.mlp_hidden"), SiteRef.parse("1.mlp_out")),
        neurons(subject),
    ]
