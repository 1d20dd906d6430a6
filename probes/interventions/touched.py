"""Which tokens of a batch a change touches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool

from glossator.probes.interventions.intervention import Positions
from glossator.probes.interventions.prompt_batches import PromptBatch


@dataclass
class Step:
    """Where a batch stands: 0 while the prompts run, then the number of the generated token that runs.

    Hooks are told rather than left to count: with a key-value cache they see the prompts first and then
    one column at a time.
    """

    number: int = 0


@dataclass(frozen=True)
class Touched:
    """The touched tokens of a batch."""

    prompt: Bool[torch.Tensor, "rows width"]
    """On the subject's device."""
    some: bool
    """Whether `prompt` is True anywhere."""
    generated: bool
    """Whether every generated token is."""

    @classmethod
    def of(cls, batch: PromptBatch, positions: Positions, device: torch.device) -> Touched:
        """Tokens of `batch` at `positions`; never its padding, its row prefixes and its first positions."""
        place, own = batch.place(), (batch.lengths - batch.prefixes)[:, None]
        content = place - batch.prefixes[:, None]
        first, stop = positions.first, positions.stop
        inside = content >= (own + first if first < 0 else first)
        if stop is not None:
            inside &= content < (own + stop if stop < 0 else stop)
        inside &= place >= batch.spared[:, None]
        return cls(inside.to(device), bool(inside.any()), positions.generated)

    def any_at(self, step: Step) -> bool:
        """Whether anything is touched now."""
        return self.generated if step.number else self.some

    def mask_at(self, step: Step) -> Bool[torch.Tensor, "rows columns"] | None:
        """What is touched now, given that something is; None is every token."""
        return None if step.number else self.prompt
