"""The subject under an intervention: next-token log-probabilities, losses and continuations.

Prompts run in batches of like length. With the same prompts, interventions run in the same batches as
no intervention, so that one that changes nothing gives the same bits.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int

from glossator.errors import UserError
from glossator.probes.interventions.bound_intervention import fit, intervening
from glossator.probes.interventions.intervention import Intervention
from glossator.probes.interventions.prompt_batches import (
    Prompt,
    PromptBatch,
    check_prompts,
    model_inputs,
    prompt_batches,
)
from glossator.probes.subject import Subject


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
        tokens = self.subject.tokenize(texts)
        for text, ids in zip(texts, tokens, strict=True):
            if not ids:
                raise UserError(f"the prompt {text!r} is empty: give at least one token")
        prompts = tuple((*self.subject.row_prefix, *ids) for ids in tokens)
        check_prompts(self.subject, prompts)
        return prompts

    def next_log_probs(
        self, prompts: Sequence[Prompt], intervention: Intervention | None = None
    ) -> Float[torch.Tensor, "rows vocab"]:
        """Log-probabilities of the token after each prompt, over named tokens; float32 on the CPU. Rows in
        which the subject gave infinities or NaN are all NaN."""
        check_prompts(self.subject, prompts)
        parts = fit(self.subject, intervention, len(prompts))
        out = torch.empty(len(prompts), self.subject.n_named_tokens)
        for batch in prompt_batches(self.subject, prompts, self._batch_rows):
            with self.subject.lock, torch.no_grad(), intervening(self.subject, parts, batch):
                logits = self._last_logits(batch.ids, use_cache=False, **model_inputs(self.subject, batch))
            out[list(batch.rows)] = _log_probs(logits).cpu()
        return out

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

    def _last_logits(
        self, ids: Int[torch.Tensor, "rows columns"], **inputs: Any
    ) -> Float[torch.Tensor, "rows vocab"]:
        """Logits after the last column, over named tokens, in the subject's dtype."""
        out = self.subject.model(input_ids=ids.to(self.subject.device), **self._keep_last, **inputs)
        return out.logits[:, -1, : self.subject.n_named_tokens]

    @cached_property
    def _keep_last(self) -> dict[str, int]:
        names = inspect.signature(self.subject.model.forward).parameters
        return {"logits_to_keep": 1} if "logits_to_keep" in names else {}


def _log_probs(logits: Float[torch.Tensor, "rows vocab"]) -> Float[torch.Tensor, "rows vocab"]:
    """Float32; rows that are not finite are NaN."""
    found = logits.float().log_softmax(-1)
    return torch.where(logits.isfinite().all(-1, keepdim=True), found, torch.nan)
