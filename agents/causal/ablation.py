"""What a text's tokens lose when one latent is taken away: token by token, and which next tokens suffer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field

from glossator.errors import UserError
from glossator.probes.attribution.head_sources import latent_activations
from glossator.probes.dictionary import Dictionary
from glossator.probes.interventions.intervention import AblateLatent, Ablation
from glossator.probes.interventions.runs import InterventionRuns, Prompt
from glossator.records import Record, TokenShift

MOST_POSITIONS = 5
"""Positions at which next tokens are compared: those where the latent fires most."""
MOST_TOKENS = 6


class AblationSettings(NamedTuple):
    """What the latent gets instead."""

    by: Ablation = Ablation.ZERO
    reference: Float[torch.Tensor, " tokens"] | None = None
    """Its activations on `explore`; needed by `mean` and `resample`."""
    seed: int = 0


class AblatedToken(Record):
    """One token of the text."""

    token: str
    """Its text."""
    activation: float
    """The latent's activation there, in the unchanged subject; 0 where silent."""
    touched: bool
    """Whether the ablation reaches it; the first position of a row is an attention sink and never is."""
    clean: float | None
    """Its loss given the tokens before it, in nats; None for a first token that nothing comes before."""
    ablated: float | None
    """Its loss under the ablation; None exactly where `clean` is."""

    @property
    def difference(self) -> float | None:
        """Nats that it gets worse."""
        return None if self.clean is None or self.ablated is None else self.ablated - self.clean


class LostPredictions(Record):
    """What was expected after one token, and is expected less without the latent."""

    position: int = Field(ge=0)
    """Which token of the text."""
    kl: float
    """KL(clean || ablated) of the next token, in nats."""
    lost: tuple[TokenShift, ...]
    """Tokens whose probability falls most, most first; `steered` is their probability under the ablation."""
    gained: tuple[TokenShift, ...]
    """Tokens whose probability rises most."""


class AblationFindings(Record):
    """A text with and without a latent."""

    tokens: tuple[AblatedToken, ...]
    """All tokens of the text, in order."""
    predictions: tuple[LostPredictions, ...]
    """After the tokens at which the latent fires most, strongest first."""

    @property
    def n_firing(self) -> int:
        """Tokens at which the ablation changes something."""
        return sum(t.touched and t.activation > 0 for t in self.tokens)

    @property
    def clean(self) -> float:
        """Mean loss of the unchanged subject, in nats per token."""
        return _mean([t.clean for t in self.tokens])

    @property
    def ablated(self) -> float:
        """Mean loss under the ablation, in nats per token."""
        return _mean([t.ablated for t in self.tokens])


def ablate_text(
    runs: InterventionRuns, dictionary: Dictionary, feature: int, text: str, settings: AblationSettings
) -> AblationFindings:
    """Losses of `text` with and without the latent.

    Raises:
        UserError: the text is empty, or a single token, whose loss nothing could change.
        ShapeMismatchError: it is longer than the context.
        ProbeError: the subject gives no finite numbers.
    """
    (prompt,) = runs.prompts([text])
    prefix = len(runs.subject.row_prefix)
    n = len(prompt) - prefix
    if n < 2:
        raise UserError(
            f"the text {text!r} is a single token to {runs.subject.name}: give at least two, because the "
            "effect of an ablated token shows in the tokens after it"
        )
    change = AblateLatent(dictionary, feature, settings.by, settings.reference, settings.seed)
    (clean,), (ablated,) = runs.losses([prompt]), runs.losses([prompt], change)
    seen = runs.subject.activations(dictionary.site, torch.tensor([prompt]))[0].float()
    activations = latent_activations(dictionary, feature, seen).cpu()
    first = max(1, prefix)
    texts = runs.subject.vocabulary.texts
    tokens = tuple(
        AblatedToken(
            token=texts[prompt[i]],
            activation=float(activations[i]),
            touched=i >= first,
            clean=_finite(float(clean[i])),
            ablated=_finite(float(ablated[i])),
        )
        for i in range(prefix, len(prompt))
    )
    firing = [i for i in range(first, len(prompt)) if activations[i] > 0]
    strongest = sorted(firing, key=lambda i: -float(activations[i]))[:MOST_POSITIONS]
    return AblationFindings(tokens=tokens, predictions=_predictions(runs, prompt, strongest, change))


def _predictions(
    runs: InterventionRuns, prompt: Prompt, positions: Sequence[int], change: AblateLatent
) -> tuple[LostPredictions, ...]:
    """What is expected after each position, from the beginning of the text up to it."""
    if not positions:
        return ()
    beginnings = [prompt[: i + 1] for i in positions]
    clean, ablated = runs.next_log_probs(beginnings), runs.next_log_probs(beginnings, change)
    prefix = len(runs.subject.row_prefix)
    texts = runs.subject.vocabulary.texts
    return tuple(
        _lost(i - prefix, before, after, texts)
        for i, before, after in zip(positions, clean, ablated, strict=True)
    )


def _lost(
    position: int,
    before: Float[torch.Tensor, " vocab"],
    after: Float[torch.Tensor, " vocab"],
    texts: tuple[str, ...],
) -> LostPredictions:
    p, q = before.exp(), after.exp()
    change = q - p
    k = min(MOST_TOKENS, len(change))

    def shifts(ids: torch.Tensor, sign: int) -> tuple[TokenShift, ...]:
        return tuple(
            TokenShift(
                token=texts[i], change=float(after[i] - before[i]), clean=float(p[i]), steered=float(q[i])
            )
            for i in ids.tolist()
            if sign * float(change[i]) > 0 and math.isfinite(float(after[i] - before[i]))
        )

    kl = torch.where(p > 0, p * (before - after), 0.0).sum()
    return LostPredictions(
        position=position,
        kl=max(0.0, float(kl)),
        lost=shifts(change.topk(k, largest=False).indices, -1),
        gained=shifts(change.topk(k).indices, 1),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _mean(losses: Sequence[float | None]) -> float:
    known = [loss for loss in losses if loss is not None]
    return sum(known) / len(known)
