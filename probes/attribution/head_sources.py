"""Which heads, reading which earlier tokens, make a feature of attention outputs fire.

Direct feature attribution (Kissane et al. 2024, https://arxiv.org/abs/2406.17759): at `attn_z` the input
of the dictionary is the heads' outputs side by side, each a weighted sum of values, so the
pre-activation at position d is a sum over heads h and sources s,

    pre[d] = sum over h, s of  pattern[h, d, s] * values[h, s] . w[h]  +  bias,

where w[h] are the encoder weights over head h. The pattern is taken as given: why a head looked there is
another question.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from glossator.errors import UserError
from glossator.probes.attribution.attention_recording import RecordedAttention, record_attention
from glossator.probes.attribution.feature_reading import feature_reading
from glossator.probes.dictionary import Dictionary
from glossator.probes.subject import Subject
from glossator.records import SiteKind, SiteRef


class HeadSources(NamedTuple):
    """A feature's pre-activation at one position, by head and source."""

    position: int
    """Where it is read; counted from the start of the row, prefix included."""
    tokens: tuple[str, ...]
    """Texts of the row's tokens up to `position`: the sources."""
    contributions: Float[np.ndarray, "heads sources"]
    """What each head brings from each source; with `bias` they add up to `preactivation`."""
    pattern: Float[np.ndarray, "heads sources"]
    """How much each head attends to each source."""
    bias: float
    """What no source brings: encoder bias, minus what subtracting the decoder bias takes."""
    preactivation: float
    """What the coder computes from the site as it stands there."""
    activation: float
    """What the feature has there; 0 where it is silent."""
    decoder_share: Float[np.ndarray, " heads"] | None
    """Length of the decoder row over each head, as shares of their sum; None where the dictionary does not
    write to the heads' outputs."""

    @property
    def by_head(self) -> Float[np.ndarray, " heads"]:
        """Contributions of each head, over sources."""
        return self.contributions.sum(axis=1)

    @property
    def by_source(self) -> Float[np.ndarray, " sources"]:
        """Contributions of each source token, over heads."""
        return self.contributions.sum(axis=0)


def head_sources(
    subject: Subject,
    dictionary: Dictionary,
    feature: int,
    prompt: Sequence[int],
    position: int | None = None,
) -> HeadSources:
    """Attribute `feature` at one position of a row to heads and source tokens.

    Args:
        subject: The subject; its attention implementation is exchanged for one forward pass under its
            lock, see `attention_recording`.
        dictionary: A sparse coder over an `attn_z` site.
        feature: Its number.
        prompt: Token ids, row prefix included.
        position: Where; negative counts from the end. None is where the feature fires most, the row's
            prefix and first token left aside, or the last position where it is silent.

    Raises:
        UserError: the dictionary reads a site without heads, its encoder is not linear, the prompt is
            empty, or the subject's attention cannot be recorded.
        UnknownNameError: there is no such feature, or no such site in the subject.
        ShapeMismatchError: subject and dictionary do not fit, or the prompt or `position` is too long.
    """
    check_heads(dictionary.site, dictionary.name)
    ids = tuple(prompt)
    if not ids:
        raise UserError("the prompt is empty: give at least one token to attribute a feature on")
    recorded = record_attention(subject, dictionary.site, ids)
    activations = latent_activations(dictionary, feature, recorded.z)
    at = _position(activations, len(subject.row_prefix), len(ids), position)
    reading = feature_reading(dictionary, feature, recorded.z[at])
    by_head = reading.weights.to(recorded.z.device).reshape(recorded.pattern.shape[0], -1)
    contributions = _contributions(recorded, by_head, at)
    read = float(recorded.z[at].double() @ by_head.flatten().double()) + reading.bias
    texts = subject.vocabulary.texts
    return HeadSources(
        position=at,
        tokens=tuple(texts[i] for i in ids[: at + 1]),
        contributions=contributions.cpu().numpy(),
        pattern=recorded.pattern[:, at, : at + 1].cpu().numpy(),
        bias=reading.bias,
        preactivation=read,
        activation=float(activations[at]),
        decoder_share=decoder_shares(dictionary, feature, recorded.pattern.shape[0]),
    )


def check_heads(site: SiteRef, name: str) -> None:
    """Raises `UserError` if `site` has no heads."""
    if site.kind is not SiteKind.ATTN_Z:
        raise UserError(
            f"{name!r} reads {site}, which has no heads to attribute to: only sites LAYER.attn_z, such as "
            f"{site.layer}.attn_z, hold the heads' outputs side by side"
        )


def decoder_shares(dictionary: Dictionary, feature: int, heads: int) -> Float[np.ndarray, " heads"] | None:
    """Which heads' outputs a feature stands for: ||W_dec[i, h]|| over their sum; None where the dictionary
    writes elsewhere, or nothing."""
    if dictionary.output_site.kind is not SiteKind.ATTN_Z:
        return None
    lengths = dictionary.directions()[feature].detach().float().reshape(heads, -1).norm(dim=1)
    total = float(lengths.sum())
    return None if total == 0 else (lengths / total).cpu().numpy()


def latent_activations(
    dictionary: Dictionary, feature: int, at_site: Float[torch.Tensor, "pos d_in"]
) -> Float[torch.Tensor, " pos"]:
    """Activation of one feature at each position of one row, 0 where it is silent."""
    pairs = dictionary.encode(at_site)
    own = pairs.feature == feature
    out = torch.zeros(at_site.shape[0], device=pairs.value.device)
    out[pairs.token[own]] = pairs.value[own]
    return out


def _contributions(
    recorded: RecordedAttention, weights: Float[torch.Tensor, "heads d_head"], at: int
) -> Float[torch.Tensor, "heads sources"]:
    read = torch.einsum("hsd,hd->hs", recorded.values[:, : at + 1], weights)
    return recorded.pattern[:, at, : at + 1] * read


def _position(
    activations: Float[torch.Tensor, " pos"], prefix: int, length: int, position: int | None
) -> int:
    if position is None:
        first = max(prefix, 1)  # the first position is an attention sink, prefix or not
        strongest = activations[first:]
        silent = strongest.numel() == 0 or float(strongest.max()) <= 0
        return length - 1 if silent else first + int(strongest.argmax())
    if not -length <= position < length:
        raise UserError(
            f"position {position!r} is outside the prompt, which has {length} tokens with its prefix: give "
            f"{-length} to {length - 1}"
        )
    return position % length
