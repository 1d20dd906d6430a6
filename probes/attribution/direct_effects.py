"""What a feature adds to the logits by itself, straight through the residual stream.

At position p a latent with activation a[p] writes a[p] * direction at its output site. What that puts on
the logit of token t, with every norm's scale held at what it is at p, is

    effect[p, t] = a[p] / sigma[p] * W_U[t] . (gain * centred(direction in the residual stream)),

sigma being the final norm's scale at p (and, at `mlp_hidden` and `attn_z` of models that normalise what
MLP and attention return, that norm's too). So the effects of all latents, of the reconstruction error and
of what earlier layers left add up to the logits. What later layers make of the direction is left out:
steering and ablation measure that. So is Gemma 2's soft cap of the final logits, which is monotone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from glossator.errors import ProbeError, UnknownNameError, UserError
from glossator.probes.attribution.feature_reading import check_feature
from glossator.probes.attribution.head_sources import latent_activations
from glossator.probes.dictionary import Dictionary
from glossator.probes.subject import Subject
from glossator.probes.token_effects import norm_gain, to_residual
from glossator.records import SiteKind, SiteRef


class DirectEffects(NamedTuple):
    """What one latent adds to some tokens' logits at each position of a row."""

    tokens: tuple[str, ...]
    """Texts of the row's tokens, prefix included."""
    targets: tuple[str, ...]
    """Texts of the output tokens."""
    activations: Float[np.ndarray, " pos"]
    """Of the latent; 0 where it is silent."""
    scales: Float[np.ndarray, " pos"]
    """What the norms on the way divide by at each position."""
    effects: Float[np.ndarray, "pos targets"]
    """Change of each target's next-token logit that is the latent's doing; less its mean over all tokens
    unless asked otherwise."""


def direct_effects(
    subject: Subject,
    dictionary: Dictionary,
    feature: int,
    prompt: Sequence[int],
    targets: Sequence[int],
    *,
    centred: bool = True,
) -> DirectEffects:
    """Direct effect of `feature` on the logits of `targets` at every position of a row.

    Args:
        subject: The subject.
        dictionary: Whose feature.
        feature: Its number.
        prompt: Token ids, row prefix included.
        targets: Output tokens' ids.
        centred: Take the mean over the vocabulary away, which changes no probability.

    Raises:
        UserError: the prompt or `targets` is empty.
        UnknownNameError: no such feature, target, or site in the subject.
        ShapeMismatchError: subject and dictionary do not fit, or the prompt is too long.
        ProbeError: the subject gave infinities or NaN.
    """
    ids = _checked(subject, dictionary, feature, prompt, targets)
    row = torch.tensor([ids])
    activations = latent_activations(
        dictionary, feature, subject.activations(dictionary.site, row)[0].float()
    ).cpu()
    scales = _scales(subject, dictionary.output_site, row)
    unit = _unit_effects(subject, dictionary, feature, list(targets), centred=centred)
    strength = activations.double() / scales
    texts = subject.vocabulary.texts
    return DirectEffects(
        tokens=tuple(texts[i] for i in ids),
        targets=tuple(texts[i] for i in targets),
        activations=activations.numpy(),
        scales=scales.float().numpy(),
        effects=(strength[:, None] * unit.double()).float().numpy(),
    )


def next_token_effects(
    subject: Subject, dictionary: Dictionary, feature: int, prompt: Sequence[int]
) -> Float[np.ndarray, " pos"]:
    """Direct effect of `feature` at each position on the logit of the token that follows there, mean over
    the vocabulary removed; NaN at the last position. Raises what `direct_effects` raises."""
    following = sorted(set(prompt[1:]))
    out = np.full(len(prompt), np.nan, dtype=np.float32)
    if following:
        found = direct_effects(subject, dictionary, feature, prompt, following)
        column = {token: i for i, token in enumerate(following)}
        out[:-1] = [found.effects[p, column[token]] for p, token in enumerate(prompt[1:])]
    return out


def _checked(
    subject: Subject, dictionary: Dictionary, feature: int, prompt: Sequence[int], targets: Sequence[int]
) -> tuple[int, ...]:
    check_feature(dictionary, feature)
    if not prompt or not targets:
        raise UserError("direct effects need a prompt and at least one output token")
    unknown = [t for t in targets if not 0 <= t < subject.n_named_tokens]
    if unknown:
        raise UnknownNameError(
            f"no output token {unknown[0]!r}: {subject.name} has tokens 0 to {subject.n_named_tokens - 1}"
        )
    return tuple(prompt)


def _unit_effects(
    subject: Subject, dictionary: Dictionary, feature: int, targets: list[int], *, centred: bool
) -> Float[torch.Tensor, " targets"]:
    """Logits per unit of activation over scale."""
    direction = dictionary.directions()[feature][None]
    written = to_residual(subject, dictionary.output_site, direction)
    norm = subject.decoder.final_norm
    folded = written if norm is None else norm_gain(norm, subject.d_model)(written)
    weight = subject.decoder.unembedding.weight
    assert isinstance(weight, torch.Tensor)
    named = weight.detach()[: subject.n_named_tokens]
    rows = named[torch.tensor(targets, device=named.device)].float()
    if centred:
        rows = rows - named.mean(dim=0, dtype=torch.float32)
    return (rows @ folded[0]).cpu()


def _scales(subject: Subject, site: SiteRef, row: torch.Tensor) -> Float[torch.Tensor, " pos"]:
    """Product of what the norms between `site` and the unembedding divide by, float64."""
    block = subject.decoder.blocks[site.layer]
    after = {SiteKind.MLP_HIDDEN: block.mlp_norm, SiteKind.ATTN_Z: block.attention_norm}.get(site.kind)
    scales = torch.ones(row.shape[1], dtype=torch.float64)
    norms = [norm for norm in (after, subject.decoder.final_norm) if norm is not None]
    seen: dict[int, torch.Tensor] = {}

    def keep(module: nn.Module, args: tuple[torch.Tensor, ...], _output: torch.Tensor) -> None:
        seen[id(module)] = args[0].detach().reshape(-1, subject.d_model)

    with subject.lock:
        handles = [norm.register_forward_hook(keep) for norm in norms]
        try:
            subject.logits(row)
        finally:
            for handle in handles:
                handle.remove()
    for norm in norms:
        scales = scales * norm_scale(norm, seen[id(norm)])
    if not bool(torch.isfinite(scales).all()):
        raise ProbeError(f"{subject.name} gave infinities or NaN on this prompt")
    return scales


@torch.no_grad()
def norm_scale(norm: nn.Module, x: Float[torch.Tensor, "pos d"]) -> Float[torch.Tensor, " pos"]:
    """What `norm` divides each row by, epsilon included; measured rather than read, in float64."""
    gain = norm_gain(norm, x.shape[1])
    numerator = gain(x.float()).double()
    output = norm(x).double() - norm(torch.zeros_like(x[:1])).double()
    # output = numerator / scale in every coordinate; least squares over them.
    return (numerator.square().sum(1) / (numerator * output).sum(1)).cpu()
