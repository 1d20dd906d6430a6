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
from jaxtyping import Bool, Float, Int

from glossator.errors import ProbeError, ShapeMismatchError, UserError
from glossator.probes.dictionary import Dictionary
from glossator.probes.interventions.bound_intervention import intervening
from glossator.probes.interventions.fitting import Part, check_belongs, fit
from glossator.probes.interventions.intervention import Intervention
from glossator.probes.interventions.prompt_activations import latent_activations, site_activations
from glossator.probes.interventions.prompt_batches import (
    Prompt,
    PromptBatch,
    check_prompts,
    model_inputs,
    prompt_batches,
)
from glossator.probes.interventions.shared_noise import TokenChoice
from glossator.probes.subject import Subject
from glossator.records import SiteRef

LOGITS = 1 << 25
"""Logits held at once where more than the last are needed: 128 MiB in float32."""


class Continuations(NamedTuple):
    """What follows each prompt."""

    ids: Int[torch.Tensor, "rows tokens"]
    losses: Float[torch.Tensor, "rows tokens"]
    """Nats of each token under the subject that wrote it."""


class InterventionRuns:
    """Runs prompts through a subject, with or without an intervention; serialised by the subject's lock."""

    def __init__(self, subject: Subject, *, batch_rows: int = 64) -> None:
        """At most `batch_rows` prompts run at once, each with its keys and values and one row of logits."""
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
        which the subject gave infinities or NaN are all NaN.

        Raises:
            UserError: a prompt is empty, or the intervention lacks what it needs.
            UnknownNameError: the subject or the dictionary has no such site or feature.
            ShapeMismatchError: a prompt is longer than the context; the intervention does not fit the
                subject, or the number of prompts.
        """
        check_prompts(self.subject, prompts)
        parts = fit(self.subject, intervention, len(prompts))
        out = torch.empty(len(prompts), self.subject.n_named_tokens)
        for batch in prompt_batches(self.subject, prompts, self._batch_rows):
            with self.subject.lock, torch.no_grad(), intervening(self.subject, parts, batch):
                inputs = model_inputs(self.subject, batch)
                logits, _ = self._logits(batch.ids, 1, use_cache=False, **inputs)
            out[list(batch.rows)] = _log_probs(logits[:, -1]).cpu()
        return out

    def losses(
        self, prompts: Sequence[Prompt], intervention: Intervention | None = None
    ) -> tuple[Float[torch.Tensor, " pos"], ...]:
        """Nats of each token of each prompt given those before it; float32 on the CPU. The first is NaN, as
        are those that follow where the subject gave infinities or NaN."""
        longest = max(map(len, prompts), default=1)
        found = self._losses(prompts, intervention, longest - 1)
        return tuple(
            torch.cat([torch.full((1,), torch.nan), row[longest - len(prompt) :]])
            for row, prompt in zip(found, prompts, strict=True)
        )

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

        Special tokens are never generated, so that every continuation is text of the same length.

        Raises:
            ProbeError: the subject gave infinities or NaN.
            UserError: `tokens` is below 1, the temperature is negative, a prompt is empty.
            ShapeMismatchError: prompt and continuation do not fit the context; the intervention does not
                fit the subject.
        """
        draws = range(len(prompts)) if draws is None else draws
        _check_generation(tokens, temperature, len(prompts), len(draws))
        check_prompts(self.subject, prompts, tokens)
        parts = fit(self.subject, intervention, len(prompts))
        ids = torch.empty(len(prompts), tokens, dtype=torch.int64)
        losses = torch.empty(len(prompts), tokens)
        for batch in prompt_batches(self.subject, prompts, self._batch_rows):
            choice = TokenChoice(
                [draws[i] for i in batch.rows], temperature=temperature, seed=seed, barred=self._barred
            )
            rows = list(batch.rows)
            ids[rows], losses[rows] = self._continued(batch, parts, choice, tokens)
        wrong = int(losses.isnan().any(1).sum())
        if wrong:
            raise ProbeError(
                f"{self.subject.name} gave infinities or NaN while it continued {wrong} of {len(prompts)} "
                "prompts: use a smaller strength, or load it in float32"
            )
        return Continuations(ids, losses)

    def continuation_losses(
        self, prompts: Sequence[Prompt], ids: Int[torch.Tensor, "rows tokens"]
    ) -> Float[torch.Tensor, " rows"]:
        """Mean nats per token of given continuations under the clean subject; float32 on the CPU, NaN where
        it gave infinities or NaN.

        Raises:
            UserError: a prompt is empty.
            ShapeMismatchError: prompt and continuation do not fit the context, or there are not as many
                continuations as prompts.
        """
        if ids.shape[0] != len(prompts) or ids.shape[1] < 1:
            raise ShapeMismatchError(
                f"continuations of shape {list(ids.shape)} for {len(prompts)} prompts: give one per prompt, "
                "of at least one token"
            )
        check_prompts(self.subject, prompts)
        rows = [(*prompt, *own) for prompt, own in zip(prompts, ids.tolist(), strict=True)]
        return self._losses(rows, None, ids.shape[1]).mean(1)

    def site_activations(
        self, prompts: Sequence[Prompt], site: SiteRef, intervention: Intervention | None = None
    ) -> Float[torch.Tensor, "rows pos d"]:
        """What stands at `site` in each prompt, after the row prefix; float32 on the CPU, NaN beyond the
        end of shorter prompts. A `PatchSite` takes it as its source."""
        check_prompts(self.subject, prompts)
        parts = fit(self.subject, intervention, len(prompts))
        batches = prompt_batches(self.subject, prompts, self._batch_rows)
        return site_activations(self.subject, batches, site, parts)

    def latent_activations(
        self,
        prompts: Sequence[Prompt],
        dictionary: Dictionary,
        feature: int,
        intervention: Intervention | None = None,
    ) -> Float[torch.Tensor, "rows pos"]:
        """Activations of one latent in each prompt, after the row prefix; 0 where it is silent, NaN beyond
        the end of shorter prompts. A `PatchLatent` takes them as its source."""
        check_belongs(self.subject, dictionary, feature)
        found = self.site_activations(prompts, dictionary.site, intervention)
        return latent_activations(dictionary, feature, found)

    def _continued(
        self, batch: PromptBatch, parts: tuple[Part, ...], choice: TokenChoice, tokens: int
    ) -> Continuations:
        chosen, losses = list[torch.Tensor](), list[torch.Tensor]()
        ids, cache = batch.ids.to(self.subject.device), None
        with self.subject.lock, torch.no_grad(), intervening(self.subject, parts, batch, tokens) as step:
            for number in range(tokens):
                step.number = number
                inputs = model_inputs(self.subject, batch, number)
                logits, cache = self._logits(ids, 1, past_key_values=cache, use_cache=True, **inputs)
                log_probs = _log_probs(logits[:, -1])
                ids = choice(log_probs)[:, None]
                chosen.append(ids)
                losses.append(-log_probs.gather(1, ids))
        return Continuations(torch.cat(chosen, 1).cpu(), torch.cat(losses, 1).cpu())

    def _losses(
        self, prompts: Sequence[Prompt], intervention: Intervention | None, last: int
    ) -> Float[torch.Tensor, "rows {last}"]:
        """Losses of the `last` tokens of each prompt, right-aligned; NaN where it has fewer."""
        check_prompts(self.subject, prompts)
        parts = fit(self.subject, intervention, len(prompts))
        out = torch.full((len(prompts), last), torch.nan)
        most_rows = max(1, LOGITS // (self._n_logits * (last + 1)))
        for batch in prompt_batches(self.subject, prompts, min(self._batch_rows, most_rows)):
            targets = batch.ids[:, 1:][:, -last:] if last else batch.ids[:, :0]
            with self.subject.lock, torch.no_grad(), intervening(self.subject, parts, batch):
                inputs = model_inputs(self.subject, batch)
                logits, _ = self._logits(batch.ids, targets.shape[1] + 1, use_cache=False, **inputs)
            for slot, row in enumerate(batch.rows):  # row by row: one float32 copy of one row's logits
                n = min(targets.shape[1], int(batch.lengths[slot]) - 1)
                if n:
                    log_probs = _log_probs(logits[slot, -n - 1 : -1])
                    own = targets[slot, -n:, None].to(log_probs.device)
                    out[row, -n:] = -log_probs.gather(1, own)[:, 0].cpu()
        return out

    def _logits(
        self, ids: Int[torch.Tensor, "rows columns"], last: int, **inputs: Any
    ) -> tuple[Float[torch.Tensor, "rows last vocab"], Any]:
        """Logits after the `last` columns, over named tokens, in the subject's dtype; and the cache."""
        keep = {"logits_to_keep": last} if self._keeps_last else {}
        out = self.subject.model(input_ids=ids.to(self.subject.device), **keep, **inputs)
        return out.logits[:, -last:, : self.subject.n_named_tokens], out.past_key_values

    @cached_property
    def _keeps_last(self) -> bool:
        return "logits_to_keep" in inspect.signature(self.subject.model.forward).parameters

    @cached_property
    def _n_logits(self) -> int:
        return int(self.subject.model.config.get_text_config().vocab_size)

    @cached_property
    def _barred(self) -> Bool[torch.Tensor, " vocab"]:
        special = self.subject.vocabulary.special[: self.subject.n_named_tokens]
        return torch.from_numpy(special).to(self.subject.device)


def _check_generation(tokens: int, temperature: float, prompts: int, draws: int) -> None:
    if tokens < 1:
        raise UserError(f"{tokens!r} tokens to generate: at least 1")
    if not temperature >= 0:
        raise UserError(f"temperature {temperature!r}: 0 takes the likeliest token, above 0 samples")
    if draws != prompts:
        raise ShapeMismatchError(f"{draws} draws for {prompts} prompts: give one number per prompt")


def _log_probs(logits: Float[torch.Tensor, "rows vocab"]) -> Float[torch.Tensor, "rows vocab"]:
    """Float32; rows that are not finite are NaN."""
    found = logits.float().log_softmax(-1)
    return torch.where(found.sum(-1, keepdim=True).isfinite(), found, torch.nan)
