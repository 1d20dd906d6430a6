"""What stands at a site in each prompt, read in the same batches in which interventions run."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float

from glossator.errors import ProbeError
from glossator.probes import site_hooks
from glossator.probes.dictionary import Dictionary
from glossator.probes.interventions.bound_intervention import intervening
from glossator.probes.interventions.fitting import Part
from glossator.probes.interventions.latent_activation import latent_activation
from glossator.probes.interventions.prompt_batches import PromptBatch, model_inputs
from glossator.probes.subject import Subject
from glossator.records import SiteRef


def site_activations(
    subject: Subject, batches: Iterable[PromptBatch], site: SiteRef, parts: tuple[Part, ...] = ()
) -> Float[torch.Tensor, "rows pos d"]:
    """Activations at `site` while `parts` act; see `InterventionRuns.site_activations`."""
    batches = tuple(batches)
    n_rows, longest = sum(len(batch.rows) for batch in batches), 0
    found = list[torch.Tensor]()
    for batch in batches:
        found.append(_batch_activations(subject, batch, site, parts))
        longest = max(longest, int((batch.lengths - batch.prefixes).max()))
    out = torch.full((n_rows, longest, subject.site_width(site)), torch.nan)
    for batch, activations in zip(batches, found, strict=True):
        for slot, row in enumerate(batch.rows):
            own = int(batch.lengths[slot] - batch.prefixes[slot])
            if own:
                out[row, :own] = activations[slot, -own:]
    return out


def latent_activations(
    dictionary: Dictionary, feature: int, activations: Float[torch.Tensor, "rows pos d"]
) -> Float[torch.Tensor, "rows pos"]:
    """One latent on activations of `site_activations`; 0 where it is silent, NaN where there is no token."""
    rows, positions, width = activations.shape
    found = latent_activation(dictionary, feature, activations.reshape(-1, width))
    return found.values.reshape(rows, positions)


def _batch_activations(
    subject: Subject, batch: PromptBatch, site: SiteRef, parts: tuple[Part, ...]
) -> Float[torch.Tensor, "rows width d"]:
    point = site_hooks.site_point(subject.decoder, site, subject.name)
    inputs = model_inputs(subject, batch)
    with subject.lock, torch.no_grad(), intervening(subject, parts, batch), site_hooks.reading(point) as seen:
        try:
            subject.decoder.base(input_ids=batch.ids.to(subject.device), use_cache=False, **inputs)
        except site_hooks.StopForward:
            return seen[0].reshape(len(batch.rows), batch.width, -1).float().cpu()
    raise ProbeError(f"the forward pass of {subject.name} never reached {site}: its blocks do not all run")
