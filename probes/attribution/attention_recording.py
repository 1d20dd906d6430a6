"""The pattern and the values of one attention layer, as the subject itself computes them.

Fused kernels return no weights. So for one forward pass, under the subject's lock, the model's attention
implementation is exchanged for a recording one and put back after it, whatever happens. The recording
one is the model's own `eager_attention_forward`, in float32: what it gets (queries and keys after rotary
embedding and norms, values of each key-value head, a mask that holds causality and sliding windows,
scaling, soft cap) is what any implementation gets, so nothing of the architecture is rebuilt here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from glossator.errors import ProbeError, ShapeMismatchError, UserError
from glossator.probes.subject import Subject
from glossator.records import SiteRef

_NAME = "glossator_recording"
_LISTENERS: dict[int, Callable[[RecordedAttention], None]] = {}
"""Attention module's id to who wants to hear of it; set only under the lock of its subject."""


class RecordedAttention(NamedTuple):
    """One row through one attention layer, float32."""

    pattern: Float[torch.Tensor, "heads queries keys"]
    """Attention weights; 0 where the mask forbids."""
    values: Float[torch.Tensor, "heads keys d_head"]
    """Per query head: key-value heads that several query heads share are repeated."""
    z: Float[torch.Tensor, "queries d_in"]
    """The `attn_z` site as the subject's own implementation makes it: the heads' outputs side by side."""


def record_attention(subject: Subject, site: SiteRef, ids: tuple[int, ...]) -> RecordedAttention:
    """Run `ids`, row prefix included, up to `site`, an `attn_z` site, and give what its heads did.

    Raises:
        UnknownNameError: the subject has no such site.
        ShapeMismatchError: the row is longer than the context.
        UserError: the model does not let its attention be exchanged, or changes the heads' outputs
            before its output projection.
        ProbeError: attention gave infinities or NaN.
    """
    subject.site_width(site)
    attention = _attention_module(subject, site)
    row = torch.tensor([ids])
    with subject.lock:
        with _keeping_input(attention) as inputs:
            z = subject.activations(site, row)[0].float()  # by the implementation that everything else uses
        with _listening(subject, attention) as heard, _giving_input(attention, inputs[-1]):
            subject.activations(site, row)
    if not heard:
        raise UserError(
            f"{type(subject.model).__name__} does not let its attention be recorded (it does not use the "
            "attention interface of transformers): head attribution is not possible for this subject"
        )
    pattern, values = heard[-1].pattern, heard[-1].values
    recorded = RecordedAttention(pattern, values, z)
    _check(recorded, subject, site)
    return recorded


def _check(recorded: RecordedAttention, subject: Subject, site: SiteRef) -> None:
    """The recorded heads must make up the site; rounding of the subject's dtype is allowed for."""
    rebuilt = torch.einsum("hqk,hkd->qhd", recorded.pattern, recorded.values).flatten(1)
    if rebuilt.shape != recorded.z.shape:
        raise ShapeMismatchError(
            f"the heads of {subject.name} make {rebuilt.shape[1]} values, but {site} has "
            f"{recorded.z.shape[1]}: head attribution is not possible for this subject"
        )
    error, size = float((rebuilt - recorded.z).abs().max()), float(recorded.z.abs().max())
    if error != error or size == float("inf"):
        raise ProbeError(f"attention of {subject.name} at {site} gave infinities or NaN")
    if error > (1e-4 + 8 * torch.finfo(subject.dtype).eps) * max(size, 1.0):
        raise UserError(
            f"{subject.name} changes its heads' outputs between attention and {site} (by up to {error:.3g}): "
            "they cannot be attributed to heads and sources"
        )


def _attention_module(subject: Subject, site: SiteRef) -> nn.Module:
    """The smallest module of the block that holds the output projection."""
    block = subject.decoder.blocks[site.layer]
    holders = [
        module
        for module in block.module.modules()
        if module is not block.attention_out and any(m is block.attention_out for m in module.modules())
    ]
    return min(holders, key=lambda module: sum(1 for _ in module.modules()))


@contextmanager
def _keeping_input(attention: nn.Module) -> Generator[list[torch.Tensor], None, None]:
    """The list holds what the layer read."""
    seen: list[torch.Tensor] = []

    def keep(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen.append(args[0] if args else next(iter(kwargs.values())))

    handle = attention.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        yield seen
    finally:
        handle.remove()


@contextmanager
def _giving_input(attention: nn.Module, hidden: torch.Tensor) -> Generator[None, None, None]:
    """The layer reads `hidden`, whatever reaches it: in low precision, earlier layers under the recording
    implementation would not give quite the same."""

    def give(
        _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if args:
            return (hidden, *args[1:]), kwargs
        return args, kwargs | {next(iter(kwargs)): hidden}

    handle = attention.register_forward_pre_hook(give, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _listening(subject: Subject, attention: nn.Module) -> Generator[list[RecordedAttention], None, None]:
    heard: list[RecordedAttention] = []
    AttentionInterface.register(_NAME, _record)
    AttentionMaskInterface.register(_NAME, eager_mask)
    before = str(subject.model.config._attn_implementation)
    _LISTENERS[id(attention)] = heard.append
    subject.model.set_attn_implementation(_NAME)
    try:
        yield heard
    finally:
        subject.model.set_attn_implementation(before)
        del _LISTENERS[id(attention)]


def _record(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """An attention implementation in transformers' sense."""
    eager: Any = getattr(sys.modules[type(module).__module__], "eager_attention_forward", None)
    if eager is None:
        raise UserError(
            f"{type(module).__name__} has no plain implementation to record: head attribution is not "
            "possible for this subject"
        )
    mask = None if attention_mask is None else attention_mask.float()
    output, pattern = eager(module, query.float(), key.float(), value.float(), mask, **options)
    if (hear := _LISTENERS.get(id(module))) is not None:
        repeats = pattern.shape[1] // value.shape[1]
        values = value.float().repeat_interleave(repeats, dim=1)
        hear(RecordedAttention(pattern[0].float(), values[0], output[0].float().flatten(1)))
    return output.to(query.dtype), pattern
