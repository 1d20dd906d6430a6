"""What can be changed at a site, as data; `runs` carries it out.

Every change of a latent adds a multiple of its direction to what stands there, so what the dictionary
does not reconstruct (the error term) is kept: x + (new - old) * direction, where old is the latent's
activation on the activations as they are. A silent latent counts as 0, whatever its pre-activation: setting
it to v adds v * direction, and a neuron that does not count as firing keeps what it had beside v. In
`batchtopk` coders without a threshold, old depends on which tokens run together.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import torch
from jaxtyping import Float

from glossator.probes.dictionary import Dictionary
from glossator.records import SiteRef


class Positions(NamedTuple):
    """Which tokens are touched. The row prefix and the first position of a row never are: they are
    attention sinks, whose activations are no evidence of anything."""

    first: int = 0
    """Prompt tokens from this one on, counted after the row prefix; negative counts from the prompt's end."""
    stop: int | None = None
    """Prompt tokens before this one; None is the prompt's end."""
    generated: bool = True
    """Every token that is generated, too."""


EVERYWHERE = Positions()
LAST_ONWARD = Positions(first=-1)
PROMPT_ONLY = Positions(generated=False)


@dataclass(frozen=True)
class AddVectors:
    """x + vector, one vector per row, or one for all; a row whose vector is 0 stays as it is to the bit."""

    site: SiteRef
    vectors: Float[torch.Tensor, "rows d"]
    positions: Positions = EVERYWHERE


@dataclass(frozen=True)
class SetLatent:
    """The latent gets a value, one per row or one for all; NaN leaves it as it is."""

    dictionary: Dictionary
    feature: int
    values: Float[torch.Tensor, " rows"]
    positions: Positions = EVERYWHERE


@dataclass(frozen=True)
class ClampLatent:
    """The latent is kept between two values."""

    dictionary: Dictionary
    feature: int
    low: float = 0.0
    high: float = float("inf")
    positions: Positions = EVERYWHERE


class Ablation(StrEnum):
    """What an ablated latent gets instead. Only where it fires: a silent latent changes nothing."""

    ZERO = "zero"
    MEAN = "mean"
    """Its mean over all tokens of a reference."""
    RESAMPLE = "resample"
    """A value drawn from all tokens of a reference."""


@dataclass(frozen=True)
class AblateLatent:
    """The latent is taken away where it fires."""

    dictionary: Dictionary
    feature: int
    kind: Ablation = Ablation.ZERO
    reference: Float[torch.Tensor, " tokens"] | None = None
    """Its activations on some text, silent tokens as 0; needed by `mean` and `resample`."""
    seed: int = 0
    positions: Positions = EVERYWHERE


@dataclass(frozen=True)
class PatchSite:
    """What stands at a site is replaced, position by position, by what stood there in another prompt."""

    site: SiteRef
    source: Float[torch.Tensor, "rows pos d"]
    """Aligned with the prompt after the row prefix, one per row or one for all; NaN, and what lies beyond its
    end, leave what is there. `InterventionRuns.site_activations` gives such a source."""
    positions: Positions = PROMPT_ONLY


@dataclass(frozen=True)
class PatchLatent:
    """The latent gets the values that it had in another prompt."""

    dictionary: Dictionary
    feature: int
    source: Float[torch.Tensor, "rows pos"]
    """Aligned with the prompt after the row prefix, one per row or one for all; NaN, and what lies beyond its
    end, leave the latent as it is. `InterventionRuns.latent_activations` gives such a source."""
    positions: Positions = PROMPT_ONLY


@dataclass(frozen=True)
class Several:
    """Changes that happen together. At one site patches come first; what the others add to the result is
    summed before it is added, so that parts which cancel change no bit. Later sites see earlier changes."""

    parts: tuple[AddVectors | SetLatent | ClampLatent | AblateLatent | PatchSite | PatchLatent, ...]


Intervention = AddVectors | SetLatent | ClampLatent | AblateLatent | PatchSite | PatchLatent | Several
