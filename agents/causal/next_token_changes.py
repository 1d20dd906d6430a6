"""How directions move the next token of some prompts, reduced while it is measured.

All directions times all prompts times the vocabulary never stand in memory at once: what is kept is one
number per direction and token, and one per direction and prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int

from glossator.errors import ProbeError
from glossator.probes.interventions.intervention import AddVectors
from glossator.probes.interventions.runs import InterventionRuns, Prompt
from glossator.probes.vocabulary import Vocabulary
from glossator.records import SiteRef


@dataclass(frozen=True)
class NextTokenChanges:
    """What each direction does to the next token, over the prompts at which the subject stayed finite."""

    vocabulary: Vocabulary
    clean: Float[torch.Tensor, " vocab"]
    """Mean probability without any direction."""
    steered: Float[torch.Tensor, "directions vocab"]
    """Mean probability with each."""
    log_change: Float[torch.Tensor, "directions vocab"]
    """Mean change of the log-probability, in nats."""
    contribution: Float[torch.Tensor, "directions vocab"]
    """Mean of steered * log(steered / clean): what each token adds to KL(steered || clean)."""
    rising: Int[torch.Tensor, "directions vocab"]
    """In how many prompts each token rises."""
    kl: Float[torch.Tensor, "directions prompts"]
    """KL(clean || steered) in nats; NaN where the subject gave no finite numbers."""
    clean_log_probs: Float[torch.Tensor, "prompts vocab"]
    """Of each prompt, without any direction."""

    @property
    def finite(self) -> Bool[torch.Tensor, "directions prompts"]:
        """Where the subject gave finite numbers."""
        return ~self.kl.isnan()


class ConceptChanges(NamedTuple):
    """How directions move the tokens that each of them is about."""

    change: Float[torch.Tensor, "directions prompts"]
    """Change of the log-odds that the next token is one of them, in nats; NaN where not finite."""
    kl: Float[torch.Tensor, "directions prompts"]
    """KL(clean || steered) in nats; NaN where not finite."""


def next_token_changes(
    runs: InterventionRuns,
    prompts: Sequence[Prompt],
    site: SiteRef,
    vectors: Float[torch.Tensor, "directions d"],
) -> NextTokenChanges:
    """What adding each vector at `site` does to the token after each prompt.

    Raises:
        ProbeError: the subject gives no finite numbers even without any direction.
    """
    clean = clean_next(runs, prompts)
    reduced = [_reduced(clean, steered) for steered in _steered(runs, prompts, site, vectors)]
    return NextTokenChanges(
        vocabulary=runs.subject.vocabulary,
        clean=clean.exp().mean(dim=0),
        steered=torch.stack([r.steered for r in reduced]),
        log_change=torch.stack([r.log_change for r in reduced]),
        contribution=torch.stack([r.contribution for r in reduced]),
        rising=torch.stack([r.rising for r in reduced]),
        kl=torch.stack([r.kl for r in reduced]),
        clean_log_probs=clean,
    )


def concept_changes(
    runs: InterventionRuns,
    prompts: Sequence[Prompt],
    site: SiteRef,
    vectors: Float[torch.Tensor, "directions d"],
    concepts: Sequence[Sequence[int]],
    clean: Float[torch.Tensor, "prompts vocab"] | None = None,
) -> ConceptChanges:
    """How far each vector moves its own concept's tokens, prompt by prompt.

    Args:
        runs: runs the subject.
        prompts: what comes before the next token.
        site: where vectors are added.
        vectors: one per direction.
        concepts: token ids, one set per direction; a change of no tokens is 0.
        clean: log-probabilities without any direction, where they are known.
    """
    clean = clean_next(runs, prompts) if clean is None else clean
    changes: list[torch.Tensor] = []
    kls: list[torch.Tensor] = []
    for steered, ids in zip(_steered(runs, prompts, site, vectors), concepts, strict=True):
        changes.append(log_odds_change(clean, steered, ids))
        kls.append(_kl(clean, steered))
    return ConceptChanges(torch.stack(changes), torch.stack(kls))


def clean_next(runs: InterventionRuns, prompts: Sequence[Prompt]) -> Float[torch.Tensor, "prompts vocab"]:
    """Log-probabilities of the next token of the untouched subject.

    Raises:
        ProbeError: they are not finite.
    """
    clean = runs.next_log_probs(prompts)
    if bool(clean.isnan().any()):
        raise ProbeError(
            f"{runs.subject.name} gives no finite probabilities for {int(clean.isnan().any(dim=1).sum())} of "
            f"{len(prompts)} prompts without any intervention: load it in float32"
        )
    return clean


def log_odds_change(
    clean_log_probs: Float[torch.Tensor, "rows vocab"],
    steered_log_probs: Float[torch.Tensor, "rows vocab"],
    ids: Sequence[int],
) -> Float[torch.Tensor, " rows"]:
    """Change of the log-odds that the next token is one of `ids`, in nats; 0 for no ids, NaN where either
    side is."""
    if not len(ids):
        return torch.where(steered_log_probs[:, 0].isnan(), torch.nan, 0.0).double()
    return _log_odds(steered_log_probs, ids) - _log_odds(clean_log_probs, ids)


_CELLS = 1 << 24
"""Log-probabilities held at once: 64 MiB."""
_CERTAIN = -1e-7
"""Log-probability beyond which float32 cannot tell a probability from 1: log-odds stay below 16."""


def _log_odds(log_probs: Float[torch.Tensor, "rows vocab"], ids: Sequence[int]) -> torch.Tensor:
    total = log_probs[:, list(ids)].double().logsumexp(dim=1).clamp(max=_CERTAIN)
    return total - torch.log(-torch.expm1(total))


def _steered(
    runs: InterventionRuns,
    prompts: Sequence[Prompt],
    site: SiteRef,
    vectors: Float[torch.Tensor, "directions d"],
) -> Iterator[Float[torch.Tensor, "prompts vocab"]]:
    """Log-probabilities under each vector in turn, a few vectors at once.

    The first runs alone, in the same batches as the clean subject: it is the one that is judged, and a
    vector of zeros must change nothing to the bit.
    """
    n = len(prompts)
    at_once = max(1, _CELLS // (n * runs.subject.n_named_tokens))
    for start, stop in pairwise([0, *range(1, len(vectors), at_once), len(vectors)]):
        own = vectors[start:stop]
        change = AddVectors(site, own.repeat_interleave(n, dim=0))
        yield from runs.next_log_probs(tuple(prompts) * len(own), change).split(n)


def _kl(
    clean: Float[torch.Tensor, "prompts vocab"], steered: Float[torch.Tensor, "prompts vocab"]
) -> Float[torch.Tensor, " prompts"]:
    terms = torch.where(clean > -torch.inf, clean.exp() * (clean - steered), 0.0)
    return terms.sum(dim=1).clamp(min=0.0).masked_fill(steered[:, 0].isnan(), torch.nan)


class _Reduced(NamedTuple):
    """One direction over all prompts."""

    steered: torch.Tensor
    log_change: torch.Tensor
    contribution: torch.Tensor
    rising: torch.Tensor
    kl: torch.Tensor


def _reduced(
    clean: Float[torch.Tensor, "prompts vocab"], steered: Float[torch.Tensor, "prompts vocab"]
) -> _Reduced:
    kl = _kl(clean, steered)
    kept = ~kl.isnan()
    before, after = clean[kept], steered[kept]
    change = after - before
    n = max(1, int(kept.sum()))
    probability = after.exp()
    return _Reduced(
        steered=probability.sum(dim=0) / n,
        log_change=change.sum(dim=0) / n,
        contribution=(probability * change).sum(dim=0) / n,
        rising=(change > 0).sum(dim=0),
        kl=kl,
    )
