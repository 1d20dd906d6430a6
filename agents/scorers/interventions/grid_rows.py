"""What the stress grid runs: sealed prompts by family, the places a direction is added to, and rows.

A row is one prompt under one vector. All vectors of a place go through the subject beside each other,
as rows of the same batches, and each row is reduced to two numbers as soon as it is there: all
rows times the vocabulary would be gigabytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from glossator.agents.causal.bench import CausalBench
from glossator.agents.causal.next_token_changes import clean_next, log_odds_change
from glossator.probes.interventions.intervention import AddVectors
from glossator.probes.interventions.runs import InterventionRuns, Prompt
from glossator.probes.interventions.steering_prompts import FEWEST, draw_prompts
from glossator.probes.interventions.strength_search import next_token_kl
from glossator.probes.token_effects import to_residual
from glossator.records import ContextFamily, SiteKind, SiteRef

NEIGHBOURS = (-2, 2)
"""Blocks before and after the feature's own at which its direction must work, too."""
_ROWS = 256


class CleanFamily(NamedTuple):
    """Sealed prompts of one family, with what the untouched subject says next."""

    family: ContextFamily
    prompts: tuple[Prompt, ...]
    documents: tuple[str, ...]
    """Where each prompt came from."""
    log_probs: Float[torch.Tensor, "prompts vocab"]


class GridPlace(NamedTuple):
    """Where directions are added, and what they are there."""

    site: SiteRef
    own: bool
    """The dictionary's own output site."""
    unit: Float[torch.Tensor, " d"]
    """What one unit of the feature's activation adds."""
    null: Float[torch.Tensor, "n d"]
    """Random directions in its place: of the same norm at the own site, and brought here in the same way."""


class Moved(NamedTuple):
    """What each vector does to the next token of each prompt; NaN where it is not finite."""

    kl: Float[np.ndarray, "vectors prompts"]
    """KL(clean || steered), in nats."""
    change: Float[np.ndarray, "vectors prompts"]
    """Change of the log-odds of the vector's own concept, in nats."""


def clean_families(bench: CausalBench, feature: int, seed: int) -> tuple[CleanFamily, ...]:
    """Sealed prompts of each family that has enough, and their clean next token: each run once.

    Raises:
        ProbeError: there are hardly any prompts, or the untouched subject gives no finite numbers.
        UserError: the feature never fires on `explore`.
    """
    settings = bench.settings
    drawn = draw_prompts(
        bench.room.sealed,
        bench.runs,
        feature,
        per_family=settings.per_family,
        tokens=settings.prompt_tokens,
        seed=seed,
        max_activation=bench.steered(feature).max_activation,
    )
    families: list[CleanFamily] = []
    for family in ContextFamily:
        own = [p for p in drawn if p.family is family]
        if len(own) >= FEWEST:
            prompts, documents = tuple(p.ids for p in own), tuple(p.document for p in own)
            families.append(CleanFamily(family, prompts, documents, clean_next(bench.runs, prompts)))
    return tuple(families)


def joined(families: Sequence[CleanFamily]) -> CleanFamily:
    """All prompts as one family, for what is not told apart by family; needs at least one."""
    return CleanFamily(
        families[0].family,
        tuple(p for f in families for p in f.prompts),
        tuple(d for f in families for d in f.documents),
        torch.cat([f.log_probs for f in families]),
    )


def grid_places(
    bench: CausalBench, feature: int, random_units: Float[torch.Tensor, "n d"]
) -> tuple[GridPlace, ...]:
    """The feature's own site, and the residual stream two blocks before and after, where there are such.

    A direction of another site than the residual stream is added, at the neighbours, as what it writes
    into the stream. The own block's residual stream is no place of its own: to add there is the same as
    to add at `mlp_out` and `mlp_hidden`, whose outputs go into that very sum.

    Args:
        bench: subject and dictionary.
        feature: the feature's number.
        random_units: random directions of norm 1 at the dictionary's output site.
    """
    subject, site = bench.runs.subject, bench.dictionary.output_site
    unit = bench.direction(feature).cpu()
    null = random_units.float().cpu() * unit.norm()
    written = torch.cat([unit[None], null])
    if site.kind is not SiteKind.RESID:
        written = to_residual(subject, site, written).cpu()
    places = [GridPlace(site, True, unit, null)]
    for layer in (site.layer + step for step in NEIGHBOURS):
        if 0 <= layer < subject.n_layers:
            there = SiteRef(layer=layer, kind=SiteKind.RESID)
            places.append(GridPlace(there, False, written[0], written[1:]))
    return tuple(sorted(places, key=lambda place: place.site.layer))


def moved(
    runs: InterventionRuns,
    family: CleanFamily,
    site: SiteRef,
    vectors: Float[torch.Tensor, "vectors d"],
    concepts: Sequence[Sequence[int]],
) -> Moved:
    """What adding each vector does, judged on each vector's own concept (token ids, one set per vector)."""
    n = len(family.prompts)
    at_once = max(1, _ROWS // n)
    kl, change = np.empty((len(vectors), n)), np.empty((len(vectors), n))
    for first in range(0, len(vectors), at_once):
        part = vectors[first : first + at_once]
        steered = runs.next_log_probs(
            family.prompts * len(part), AddVectors(site, part.repeat_interleave(n, dim=0))
        ).reshape(len(part), n, -1)
        for i, rows in enumerate(steered, start=first):
            kl[i] = next_token_kl(family.log_probs, rows).numpy()
            change[i] = log_odds_change(family.log_probs, rows, concepts[i]).numpy()
    return Moved(kl, change)


def mean_of_finite(values: Float[np.ndarray, "rows prompts"]) -> Float[np.ndarray, " rows"]:
    """Mean over the prompts with finite numbers; NaN where there are none."""
    finite = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(finite, values, 0.0).sum(axis=1) / finite.sum(axis=1)
