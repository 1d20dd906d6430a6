"""Which output tokens a direction raises and lowers: the logit lens of a feature.

The logits are W_U · norm(x). With the norm's scale σ(x) held fixed, moving x by one unit of σ along
d changes them by W_U · (γ ⊙ d), where γ is the final norm's gain and a LayerNorm first takes the
mean out of d (https://arxiv.org/abs/2312.16691, appendix A). The mean over tokens is removed, as it
changes no probability. What comes after W_U (Gemma 2's soft cap, a logit scale) is left out: it is
monotone and changes neither order nor sign.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import nn

from glossator.errors import ProbeError, ShapeMismatchError
from glossator.probes.architecture import projection_matrix
from glossator.probes.site_hooks import projection_of
from glossator.probes.subject import Subject
from glossator.records import SiteKind, SiteRef, TokenEffect

_CELLS = 1 << 25  # logits held at once: 128 MiB


class TokenEffects(NamedTuple):
    """The output tokens that a direction moves most."""

    promoted: tuple[TokenEffect, ...]
    """Raised, most first."""
    suppressed: tuple[TokenEffect, ...]
    """Lowered, most first."""


class NormGain(NamedTuple):
    """What a norm does to a direction while its scale is held fixed."""

    gain: Float[torch.Tensor, " d"]
    centres: bool
    """It takes the mean out first: LayerNorm rather than RMSNorm."""

    def __call__(self, directions: Float[torch.Tensor, "features d"]) -> Float[torch.Tensor, "features d"]:
        """`directions` after the norm."""
        if self.centres:
            directions = directions - directions.mean(dim=1, keepdim=True)
        return directions * self.gain


def token_effects(
    subject: Subject, directions: Float[torch.Tensor, "features d"]
) -> Float[torch.Tensor, "features vocab"]:
    """Effect of each residual-stream direction on each output token, in float32 on the subject's device.

    The result is dense: for many features use `top_token_effects_of`. Columns are the tokens that have
    a name, without the padding of the unembedding.

    Raises:
        ShapeMismatchError: the directions do not live in the residual stream.
    """
    _check_width(subject, directions, subject.d_model, "the residual stream")
    folded = directions.detach().to(subject.device, torch.float32)
    if subject.decoder.final_norm is not None:
        folded = norm_gain(subject.decoder.final_norm, subject.d_model)(folded)
    unembedding = _unembedding(subject)
    out = torch.empty((folded.shape[0], unembedding.shape[0]), device=folded.device)
    for start in range(0, unembedding.shape[0], 16384):  # never the whole unembedding in float32
        out[:, start : start + 16384] = folded @ unembedding[start : start + 16384].float().T
    return out - out.mean(dim=1, keepdim=True)


def top_token_effects(subject: Subject, direction: Float[torch.Tensor, " d"], k: int = 10) -> TokenEffects:
    """The `k` output tokens that one residual-stream direction raises and lowers most."""
    return next(iter_top_token_effects(subject, direction[None], k))


def iter_top_token_effects(
    subject: Subject, directions: Float[torch.Tensor, "features d"], k: int = 10
) -> Iterator[TokenEffects]:
    """As `top_token_effects`, for many directions in order, in bounded memory."""
    batch = max(1, _CELLS // subject.n_named_tokens)
    texts = subject.vocabulary.texts
    for start in range(0, directions.shape[0], batch):
        effects = token_effects(subject, directions[start : start + batch])
        high = effects.topk(min(k, effects.shape[1]))
        low = effects.topk(min(k, effects.shape[1]), largest=False)
        for values, ids, low_values, low_ids in zip(
            high.values.tolist(),
            high.indices.tolist(),
            low.values.tolist(),
            low.indices.tolist(),
            strict=True,
        ):
            yield TokenEffects(_named(texts, ids, values), _named(texts, low_ids, low_values))


def to_residual(
    subject: Subject, site: SiteRef, directions: Float[torch.Tensor, "features width"]
) -> Float[torch.Tensor, "features d"]:
    """What directions at `site` write into the residual stream, in float32.

    Directions at `mlp_hidden` and `attn_z` go through their projection, and through the norm after it
    where the model has one (Gemma 2/3, OLMo 2; its scale held fixed).

    Raises:
        UnknownNameError: the subject has no such site.
        ShapeMismatchError: the directions are not as wide as the site.
    """
    _check_width(subject, directions, subject.site_width(site), f"site {site}")
    out = directions.detach().to(subject.device, torch.float32)
    projection = projection_of(subject.decoder, site)
    if projection is None:
        return out
    block = subject.decoder.blocks[site.layer]
    out = out @ projection_matrix(projection).float()
    norm = block.mlp_norm if site.kind is SiteKind.MLP_HIDDEN else block.attention_norm
    if norm is not None:
        out = norm_gain(norm, subject.d_model)(out)
    return out * block.residual_scale


def norm_gain(norm: nn.Module, width: int) -> NormGain:
    """Gain of a norm, measured rather than read: Gemma stores γ - 1, others γ, some have no weight."""
    fresh = copy.deepcopy(norm).float()
    device = next((p.device for p in fresh.parameters()), torch.device("cpu"))
    probe = torch.ones(width, device=device)
    probe[1::2] = -1.0
    if width % 2:
        probe[0], probe[2] = 2.0, -1.0  # sums to 0 with an odd width too: 2 - 1 - 1, then pairs
    probe *= 1e4  # far above any epsilon
    with torch.no_grad():
        shift = fresh(torch.zeros_like(probe)[None])[0]
        gain = (fresh(probe[None])[0] - shift) * probe.square().mean().sqrt() / probe
        constant = fresh(torch.full_like(probe, 1e4)[None])[0] - shift
    return NormGain(gain, centres=bool(constant.abs().max() < 1e-3 * gain.abs().max()))


def _unembedding(subject: Subject) -> Float[torch.Tensor, "vocab d"]:
    weight = subject.decoder.unembedding.weight
    if not isinstance(weight, torch.Tensor) or weight.shape[-1] != subject.d_model:
        raise ProbeError(f"the unembedding of {subject.name} does not read the residual stream directly")
    return weight.detach()[: subject.n_named_tokens]


def _check_width(
    subject: Subject, directions: Float[torch.Tensor, "features d"], width: int, what: str
) -> None:
    if directions.shape[1] != width:
        raise ShapeMismatchError(
            f"directions are {directions.shape[1]} wide, but {what} of {subject.name} is {width} wide: "
            "choose the dictionary's own site, or map them with to_residual"
        )


def _named(texts: tuple[str, ...], ids: list[int], values: list[float]) -> tuple[TokenEffect, ...]:
    return tuple(TokenEffect(token=texts[i], effect=value) for i, value in zip(ids, values, strict=True))
