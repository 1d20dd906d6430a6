"""Values for single tokens of each prompt, laid out on the columns of a batch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from glossator.probes.interventions.prompt_batches import PromptBatch
from glossator.probes.interventions.touched import Step


class BatchGrid(NamedTuple):
    """A value, or a vector, per column of a batch: the prompts' first, then the generated tokens'."""

    values: torch.Tensor
    """Float32 [rows, columns, ...]; NaN where there is none."""
    width: int
    """Columns of the prompts."""

    def at(self, step: Step) -> torch.Tensor:
        """The columns that run now."""
        if step.number == 0:
            return self.values[:, : self.width]
        column = self.width + step.number - 1
        return self.values[:, column : column + 1]


def aligned_grid(source: torch.Tensor, batch: PromptBatch, tokens: int, device: torch.device) -> BatchGrid:
    """`source` [rows of the batch or 1, positions after the row prefix, ...] on the columns of `batch` with
    `tokens` generated ones."""
    content = (batch.place(batch.width + tokens) - batch.prefixes[:, None]).to(source.device)
    inside = (content >= 0) & (content < source.shape[1])
    row = torch.arange(content.shape[0], device=source.device)[:, None] % source.shape[0]
    found = source[row, content.clamp(0, max(0, source.shape[1] - 1))].float()
    inside = inside.reshape(*inside.shape, *(1,) * (found.ndim - 2))
    return BatchGrid(torch.where(inside, found, torch.nan).to(device), batch.width)


def drawn_grid(
    reference: Float[torch.Tensor, " tokens"],
    batch: PromptBatch,
    tokens: int,
    seed: int,
    device: torch.device,
) -> BatchGrid:
    """Values drawn from `reference`; they depend on the seed, the row's number and the token's position."""
    columns, size = batch.width + tokens, reference.shape[0]
    drawn = torch.full((len(batch.rows), columns), torch.nan)
    for slot, row in enumerate(batch.rows):
        shares = np.random.default_rng((seed & (1 << 64) - 1, row)).random(int(batch.lengths[slot]) + tokens)
        which = torch.from_numpy((shares * size).astype(np.int64))
        drawn[slot, columns - len(which) :] = reference.cpu().float()[which]
    return BatchGrid(drawn.to(device), batch.width)
