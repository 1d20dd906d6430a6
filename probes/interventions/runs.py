"""The subject under an intervention: next-token log-probabilities, losses and continuations.

Signatures only, so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int

from glossator.probes.interventions.intervention import Intervention
from glossator.probes.subject import Subject

Prompt = tuple[int, ...]
"""Token ids, row prefix included."""


class Continuations(NamedTuple):
    """What follows each prompt."""

    ids: Int[torch.Tensor, "rows tokens"]
    losses: Float[torch.Tensor, "rows tokens"]
    """Nats of each token under the subject that wrote it."""


class InterventionRuns:
    """Runs prompts through a subject, with or without an intervention; serialised by the subject's lock."""

    def __init__(self, subject: Subject, *, batch_rows: int = 64) -> None:
        self.subject, self._batch_rows = subject, batch_rows

    def prompts(self, texts: Sequence[str]) -> tuple[Prompt, ...]:
        """Token ids of each text after the row prefix.

        Raises:
            UserError: a text is empty.
            ShapeMismatchError: a text is longer than the context.
        """
        raise NotImplementedError

    def next_log_probs(
        self, prompts: Sequence[Prompt], intervention: Intervention | None = None
    ) -> Float[torch.Tensor, "rows vocab"]:
        """Log-probabilities of the token after each prompt, over named tokens; float32 on the CPU. Rows in
        which the subject gave infinities or NaN are all NaN."""
        raise NotImplementedError

    def losses(
        self, prompts: Sequence[Prompt], intervention: Intervention | None = None
    ) -> tuple[Float[torch.Tensor, " pos"], ...]:
        """Nats of each token of each prompt given those before it; the first is NaN."""
        raise NotImplementedError

    def continuations(
        self,
        prompts: Sequence[Prompt],
        intervention: Intervention | None = None,
        *,
        tokens: int = 8,
        temperature: float = 1.0,
        seed: int = 0,
        draws: Sequence[int] | None = None,
    ) -> Continuations:
        """Continue each prompt; temperature 0 takes the likeliest token. Rows with the same number in
        `draws` (by default their own place) share their random numbers, so that clean and steered
        continuations of a prompt differ by the intervention alone.

        Raises:
            ProbeError: the subject gave infinities or NaN.
        """
        raise NotImplementedError

    def continuation_losses(
        self, prompts: Sequence[Prompt], ids: Int[torch.Tensor, "rows tokens"]
    ) -> Float[torch.Tensor, " rows"]:
        """Mean nats per token of given continuations under the clean subject."""
        raise NotImplementedError
