"""Continuations of the same prompts with and without vectors, with the same random numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from glossator.agents.scorers.interventions.carried import ContinuedText
from glossator.probes.interventions.intervention import AddVectors
from glossator.probes.interventions.runs import InterventionRuns, Prompt
from glossator.records import Predicate, SiteRef


@dataclass(frozen=True)
class Continued:
    """`draws` continuations of each prompt under one condition."""

    ids: Int[torch.Tensor, "draws prompts tokens"]
    texts: ContinuedText

    def share(self, predicate: Predicate | None, draws: int | None = None) -> Float[np.ndarray, " prompts"]:
        """Of each prompt's first `draws` continuations (all by default), the share that carries it."""
        carrying = self.texts.carrying(predicate).reshape(self.ids.shape[:2])
        return carrying[:draws].mean(axis=0)


@dataclass(frozen=True)
class SteeredTexts:
    """Continues some prompts; the same seed gives each prompt's n-th draw the same random numbers whatever
    is added, so that continuations differ by the vector alone."""

    runs: InterventionRuns
    prompts: tuple[Prompt, ...]
    site: SiteRef
    tokens: int
    seed: int

    def clean(self, draws: int) -> Continued:
        """Without any vector."""
        return self._continued([None], draws)[0]

    def steered(self, vector: Float[torch.Tensor, " d"], draws: int) -> Continued:
        """Under one vector, in the same batches as without, so that a vector of zeros changes nothing.

        Raises:
            ProbeError: the subject gives no finite numbers.
        """
        return self._continued([vector], draws)[0]

    def under_each(self, vectors: Float[torch.Tensor, "vectors d"], draws: int) -> tuple[Continued, ...]:
        """Under each of several vectors, together in large batches.

        Raises:
            ProbeError: the subject gives no finite numbers under one of them.
        """
        return self._continued(list(vectors), draws)

    def row_by_row(self, vectors: Float[torch.Tensor, "prompts d"]) -> Continued:
        """One continuation of each prompt under a vector of its own.

        Raises:
            ProbeError: the subject gives no finite numbers under one of them.
        """
        made = self.runs.continuations(
            self.prompts, AddVectors(self.site, vectors), tokens=self.tokens, seed=self.seed
        )
        return Continued(made.ids[None], ContinuedText(self.prompts, made.ids, self.runs.subject.vocabulary))

    def perplexity(self, conditions: Sequence[Continued]) -> float | None:
        """Of the first draws of some conditions, under the clean subject; None where it has none."""
        if not conditions:
            return None
        losses = [self.runs.continuation_losses(self.prompts, each.ids[0]) for each in conditions]
        mean = float(torch.cat(losses).double().mean())
        return math.exp(min(mean, 700.0)) if math.isfinite(mean) else None

    def _continued(
        self, vectors: Sequence[Float[torch.Tensor, " d"] | None], draws: int
    ) -> tuple[Continued, ...]:
        n = len(self.prompts)
        each = self.prompts * draws
        added = [vector for vector in vectors if vector is not None]
        change = (
            AddVectors(self.site, torch.stack(added).repeat_interleave(len(each), dim=0)) if added else None
        )
        made = self.runs.continuations(
            each * len(vectors),
            change,
            tokens=self.tokens,
            seed=self.seed,
            draws=list(range(len(each))) * len(vectors),
        )
        vocabulary = self.runs.subject.vocabulary
        return tuple(
            Continued(ids.reshape(draws, n, -1), ContinuedText(each, ids, vocabulary))
            for ids in made.ids.split(len(each))
        )
