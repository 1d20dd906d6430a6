"""What changes of one latent add at the site that its dictionary writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float

from glossator.errors import ProbeError
from glossator.probes.dictionary import Dictionary, OneFeature
from glossator.probes.interventions.latent_activation import latent_activation
from glossator.probes.interventions.touched import Step, Touched

NewValues = Callable[[Float[torch.Tensor, "rows columns"], Step], Float[torch.Tensor, "rows columns"]]
"""Activations as they are, to what they shall be; NaN leaves one as it is."""


@dataclass
class LatentChange:
    """Adds (new - old) * direction on touched tokens, and so keeps what the dictionary does not explain."""

    dictionary: Dictionary
    feature: int
    direction: Float[torch.Tensor, " d"]
    """Float32, on the subject's device."""
    new_values: NewValues
    touched: Touched
    _found: OneFeature | None = field(default=None, init=False)
    """What a transcoder's input site held; taken by the next change of its output site."""

    def read(self, x: Float[torch.Tensor, "rows columns d_in"], step: Step) -> None:
        """Take the latent's activation from its input site `x`; for dictionaries that write elsewhere."""
        if self.touched.any_at(step):
            self._found = self._activation(x, step)

    def delta(
        self, x: Float[torch.Tensor, "rows columns d"], step: Step
    ) -> Float[torch.Tensor, "rows columns d"] | None:
        """What to add at the output site `x`, float32; None where nothing is touched."""
        if not self.touched.any_at(step):
            return None
        same = self.dictionary.site == self.dictionary.output_site
        found, self._found = (self._activation(x, step) if same else self._found), None
        if found is None:
            raise ProbeError(
                f"{self.dictionary.output_site} ran before {self.dictionary.site}, which "
                f"{self.dictionary.name!r} reads: this subject computes them in another order, so that "
                "dictionary's latents cannot be changed in it"
            )
        return self._amounts(found, x.shape[:2], step)[..., None] * self.direction

    def _activation(self, x: Float[torch.Tensor, "rows columns d_in"], step: Step) -> OneFeature:
        mask = self.touched.mask_at(step)
        tokens = x.reshape(-1, x.shape[-1]) if mask is None else x[mask]
        return latent_activation(self.dictionary, self.feature, tokens)

    def _amounts(
        self, found: OneFeature, shape: torch.Size, step: Step
    ) -> Float[torch.Tensor, "rows columns"]:
        """How much of the direction to add."""
        mask = self.touched.mask_at(step)
        old = _spread(found.values, shape, mask)
        new = self.new_values(old, step)
        amounts = torch.where(new.isnan(), 0.0, new - old)
        if found.units is not None:
            amounts = amounts * _spread(found.units, shape, mask)
        return amounts if mask is None else torch.where(mask, amounts, 0.0)


def _spread(
    values: Float[torch.Tensor, " tokens"], shape: torch.Size, mask: torch.Tensor | None
) -> Float[torch.Tensor, "rows columns"]:
    """Values of touched tokens on the grid of rows and columns; 0 elsewhere."""
    if mask is None:
        return values.reshape(shape)
    out = values.new_zeros(shape)
    out[mask] = values
    return out
