"""What is done to the tensor at one site while a batch runs.

First what is patched in; then everything that is added, summed before it is added, so that changes
which cancel leave every bit as it was; then what later sites need to know of this one. Sums are made
in float32 and rounded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float

from glossator.probes.interventions.batch_grid import BatchGrid
from glossator.probes.interventions.touched import Step, Touched
from glossator.probes.site_hooks import SitePoint


@runtime_checkable
class Addition(Protocol):
    """Something to add at a site."""

    def delta(
        self, x: Float[torch.Tensor, "rows columns d"], step: Step
    ) -> Float[torch.Tensor, "rows columns d"] | None:
        """What to add to `x`, float32; None where nothing is touched."""
        ...


@runtime_checkable
class Replacement(Protocol):
    """Something to put in place of what stands at a site."""

    def replaced(
        self, x: Float[torch.Tensor, "rows columns d"], step: Step
    ) -> Float[torch.Tensor, "rows columns d"]:
        """The new `x`."""
        ...


@runtime_checkable
class Reading(Protocol):
    """Something that has to be known of a site before a later one is changed."""

    def read(self, x: Float[torch.Tensor, "rows columns d"], step: Step) -> None:
        """Take what is needed from `x`."""
        ...


@dataclass(frozen=True)
class VectorAddition:
    """One vector per row on all touched tokens."""

    vectors: Float[torch.Tensor, "rows d"]
    """Float32, on the subject's device."""
    touched: Touched

    def delta(
        self, x: Float[torch.Tensor, "rows columns d"], step: Step
    ) -> Float[torch.Tensor, "rows columns d"] | None:
        """The vectors; 0 on tokens that are not touched."""
        if not self.touched.any_at(step):
            return None
        mask, added = self.touched.mask_at(step), self.vectors[:, None]
        if mask is None:
            return added.expand(x.shape)
        return torch.where(mask[..., None], added, 0.0)


@dataclass(frozen=True)
class SitePatch:
    """Other activations on touched tokens."""

    source: BatchGrid
    """NaN leaves what is there."""
    touched: Touched

    def replaced(
        self, x: Float[torch.Tensor, "rows columns d"], step: Step
    ) -> Float[torch.Tensor, "rows columns d"]:
        """`x` with the source's activations."""
        if not self.touched.any_at(step):
            return x
        new, mask = self.source.at(step).to(x.dtype), self.touched.mask_at(step)
        known = ~new.isnan() if mask is None else mask[..., None] & ~new.isnan()
        return torch.where(known, new, x)


@dataclass
class SiteChanges:
    """Everything that happens at one site."""

    point: SitePoint
    step: Step
    replacements: list[Replacement] = field(default_factory=list[Replacement])
    additions: list[Addition] = field(default_factory=list[Addition])
    readings: list[Reading] = field(default_factory=list[Reading])

    def __call__(self, raw: torch.Tensor, rows: int) -> torch.Tensor:
        """The tensor that goes on in place of `raw`, whose first axes hold `rows` rows."""
        x = raw.reshape(rows, -1, raw.shape[-1])
        for replacement in self.replacements:
            old = self._scaled(x)
            new = replacement.replaced(old, self.step)
            # Dividing by the scale again need not give the same bits: what is equal stays.
            x = new if self.point.scale == 1.0 else torch.where(new == old, x, new / self.point.scale)
        found = [d for part in self.additions if (d := part.delta(self._scaled(x), self.step)) is not None]
        if found:
            x = (x.float() + _sum(found, self.point.scale)).to(raw.dtype)
        for reading in self.readings:
            reading.read(self._scaled(x), self.step)
        return x.reshape(raw.shape)

    def _scaled(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.point.scale == 1.0 else x * self.point.scale


def _sum(deltas: Sequence[torch.Tensor], scale: float) -> torch.Tensor:
    total = deltas[0]
    for delta in deltas[1:]:
        total = total + delta
    return total if scale == 1.0 else total / scale
