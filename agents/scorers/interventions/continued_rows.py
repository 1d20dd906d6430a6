"""Continuations of the grid's prompts: whether they hold the concept, and how fluent they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int

from glossator.errors import ProbeError
from glossator.probes.interventions.intervention import AddVectors
from glossator.probes.interventions.runs import InterventionRuns, Prompt
from glossator.records import SiteRef


class Continued(NamedTuple):
    """Continuations of some prompts, in two numbers."""

    carrying: float
    """Share that holds at least one of the concept's tokens."""
    loss: float
    """Mean nats per token under the untouched subject: log of their perplexity."""

    def fluency(self, clean: Continued) -> float:
        """Clean perplexity over this one's, at most 1; 0 where this one's is not finite."""
        return min(1.0, math.exp(clean.loss - self.loss)) if math.isfinite(self.loss) else 0.0


class Continuing(NamedTuple):
    """How prompts are continued: rows of one prompt share their random numbers, whatever is added to them."""

    runs: InterventionRuns
    ids: tuple[int, ...]
    """The concept."""
    tokens: int
    seed: int

    def clean(self, prompts: Sequence[Prompt]) -> Continued:
        """Without any vector."""
        made = self.runs.continuations(prompts, tokens=self.tokens, seed=self.seed)
        return self._judged(prompts, made.ids)

    def steered(
        self, prompts: Sequence[Prompt], site: SiteRef, vectors: Float[torch.Tensor, "vectors d"]
    ) -> tuple[Continued | None, ...]:
        """Under each vector; None for one under which the subject gives no finite numbers."""
        n = len(prompts)
        try:
            made = self.runs.continuations(
                tuple(prompts) * len(vectors),
                AddVectors(site, vectors.repeat_interleave(n, dim=0)),
                tokens=self.tokens,
                seed=self.seed,
                draws=list(range(n)) * len(vectors),
            )
        except ProbeError:
            if len(vectors) == 1:
                return (None,)
            return tuple(c for vector in vectors for c in self.steered(prompts, site, vector[None]))
        return tuple(self._judged(prompts, ids) for ids in made.ids.reshape(len(vectors), n, -1))

    def _judged(self, prompts: Sequence[Prompt], ids: Int[torch.Tensor, "rows tokens"]) -> Continued:
        hit = torch.isin(ids, torch.tensor(self.ids, dtype=ids.dtype)).any(dim=1)
        losses = self.runs.continuation_losses(prompts, ids)
        return Continued(float(hit.float().mean()), float(losses.mean()))
