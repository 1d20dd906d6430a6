"""Reading and editing activations at a site, with plain forward hooks.

Hooks fire for every thread that runs the model: callers hold the subject's lock. Reading stops the
forward pass at the site by raising through it, so later blocks and the unembedding never run.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import nn

from glossator.errors import UnknownNameError
from glossator.probes.architecture import Block, Decoder, projection_matrix
from glossator.records import SiteKind, SiteRef

Edit = Callable[[Float[torch.Tensor, "batch pos d"]], Float[torch.Tensor, "batch pos d"]]


class SitePoint(NamedTuple):
    """A site in terms of modules."""

    module: nn.Module
    """The module whose input or output it is."""
    side: Literal["input", "output"]
    scale: float
    """What the tensor is multiplied with on its way into the residual stream."""


class StopForward(Exception):
    """Raised by a hook once the site was read; control flow, not an error."""


def site_point(decoder: Decoder, site: SiteRef, name: str) -> SitePoint:
    """Where `site` is read in `decoder`; raises `UnknownNameError` if subject `name` has no such site."""
    if site.layer >= len(decoder.blocks):
        raise UnknownNameError(f"no site {str(site)!r}: {name} has layers 0 to {len(decoder.blocks) - 1}")
    block = decoder.blocks[site.layer]
    point = _point(block, site.kind)
    if point is None:
        kinds = [str(kind) for kind in SiteKind if _point(block, kind) is not None]
        raise UnknownNameError(
            f"no site {str(site)!r}: this {type(block.module).__name__} of {name} has {', '.join(kinds)}"
        )
    return point


def projection_of(decoder: Decoder, site: SiteRef) -> nn.Module | None:
    """The projection that reads `site`, for sites that lie before one."""
    block = decoder.blocks[site.layer]
    return {SiteKind.MLP_HIDDEN: block.mlp_down, SiteKind.ATTN_Z: block.attention_out}.get(site.kind)


def site_width(decoder: Decoder, site: SiteRef, d_model: int) -> int:
    """Width of `site`, which must exist; heads times head size may differ from `d_model`."""
    projection = projection_of(decoder, site)
    return d_model if projection is None else int(projection_matrix(projection).shape[0])


def _point(block: Block, kind: SiteKind) -> SitePoint | None:
    if kind is SiteKind.RESID:
        return SitePoint(block.module, "output", 1.0)
    if kind is SiteKind.MLP_OUT:
        bare_mlp = block.mlp_down if block.mlp is None or block.mlp_adds_residual else block.mlp
        module = block.mlp_norm or bare_mlp
        return module and SitePoint(module, "output", block.residual_scale)
    module = block.mlp_down if kind is SiteKind.MLP_HIDDEN else block.attention_out
    return module and SitePoint(module, "input", 1.0)


@contextmanager
def reading(point: SitePoint) -> Generator[list[torch.Tensor], None, None]:
    """While open, a forward pass stops at `point` by raising `StopForward`; the list holds what was there."""
    seen: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> None:
        seen.append(tensor if point.scale == 1.0 else tensor * point.scale)
        raise StopForward

    def before(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        keep(args[0] if args else next(iter(kwargs.values())))

    def after(_module: nn.Module, _args: Any, output: Any) -> None:
        keep(output[0] if isinstance(output, tuple) else output)

    if point.side == "input":
        handle = point.module.register_forward_pre_hook(before, with_kwargs=True)
    else:
        handle = point.module.register_forward_hook(after)
    try:
        yield seen
    finally:
        handle.remove()


@contextmanager
def editing(point: SitePoint, edit: Edit) -> Generator[None, None, None]:
    """While open, what stands at `point` is replaced by `edit` of it in every forward pass."""

    def changed(tensor: torch.Tensor) -> torch.Tensor:
        return (edit(tensor * point.scale) / point.scale).to(tensor.dtype)

    with replacing(point, changed):
        yield


@contextmanager
def replacing(
    point: SitePoint, change: Callable[[torch.Tensor], torch.Tensor]
) -> Generator[None, None, None]:
    """While open, the tensor at `point` is replaced by `change` of it in every forward pass; as the module
    has it, before `point.scale`, and flat in models that flatten rows and positions into one axis."""

    def before(
        _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if args:
            return (change(args[0]), *args[1:]), kwargs
        name = next(iter(kwargs))
        return args, {**kwargs, name: change(kwargs[name])}

    def after(_module: nn.Module, _args: Any, output: Any) -> Any:
        return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

    if point.side == "input":
        handle = point.module.register_forward_pre_hook(before, with_kwargs=True)
    else:
        handle = point.module.register_forward_hook(after)
    try:
        yield
    finally:
        handle.remove()
