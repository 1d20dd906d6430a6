"""The hooks of a fitted intervention on one batch."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float

from glossator.probes import site_hooks
from glossator.probes.interventions.batch_grid import BatchGrid, aligned_grid, drawn_grid
from glossator.probes.interventions.fitting import Part
from glossator.probes.interventions.intervention import (
    AblateLatent,
    Ablation,
    AddVectors,
    ClampLatent,
    PatchLatent,
    PatchSite,
    SetLatent,
)
from glossator.probes.interventions.latent_activation import latent_direction
from glossator.probes.interventions.latent_changes import LatentChange, NewValues
from glossator.probes.interventions.prompt_batches import PromptBatch
from glossator.probes.interventions.site_changes import SiteChanges, SitePatch, VectorAddition
from glossator.probes.interventions.touched import Step, Touched
from glossator.probes.subject import Subject
from glossator.records import SiteRef

LatentPart = SetLatent | ClampLatent | AblateLatent | PatchLatent


@contextmanager
def intervening(
    subject: Subject, parts: tuple[Part, ...], batch: PromptBatch, tokens: int = 0
) -> Generator[Step, None, None]:
    """While open, `parts` act on `batch` and the `tokens` generated after it; the caller advances the step,
    and holds the subject's lock."""
    bound = _BoundBatch(subject, batch, tokens, Step(), {})
    for part in parts:
        bound.take(part)
    with ExitStack() as hooks:
        for own in bound.changes.values():
            hooks.enter_context(site_hooks.replacing(own.point, partial(own, rows=len(batch.rows))))
        yield bound.step


@dataclass(frozen=True)
class _BoundBatch:
    """Changes by site, as parts are taken in."""

    subject: Subject
    batch: PromptBatch
    tokens: int
    step: Step
    changes: dict[SiteRef, SiteChanges]

    def take(self, part: Part) -> None:
        """Add what `part` does."""
        touched = Touched.of(self.batch, part.positions, self.subject.device)
        if isinstance(part, AddVectors):
            self._at(part.site).additions.append(VectorAddition(self._own(part.vectors), touched))
        elif isinstance(part, PatchSite):
            self._at(part.site).replacements.append(SitePatch(self._aligned(part.source), touched))
        else:
            self._take_latent(part, touched)

    def _take_latent(self, part: LatentPart, touched: Touched) -> None:
        dictionary = part.dictionary
        direction = latent_direction(dictionary, part.feature).to(self.subject.device)
        change = LatentChange(dictionary, part.feature, direction, self._new_values(part), touched)
        self._at(dictionary.output_site).additions.append(change)
        if dictionary.site != dictionary.output_site:
            self._at(dictionary.site).readings.append(change)

    def _new_values(self, part: LatentPart) -> NewValues:
        if isinstance(part, SetLatent):
            values = self._own(part.values)[:, None]
            return lambda old, step: values.expand(old.shape)
        if isinstance(part, ClampLatent):
            return lambda old, step: old.clamp(part.low, part.high)
        if isinstance(part, PatchLatent):
            grid = self._aligned(part.source)
            return lambda old, step: grid.at(step)
        return _ablated(part, self.batch, self.tokens, self.subject.device)

    def _at(self, site: SiteRef) -> SiteChanges:
        if site not in self.changes:
            point = site_hooks.site_point(self.subject.decoder, site, self.subject.name)
            self.changes[site] = SiteChanges(point, self.step)
        return self.changes[site]

    def _own(self, values: torch.Tensor) -> torch.Tensor:
        """The entries for the rows of the batch; one for all stays one."""
        one_for_all = values.shape[0] == 1
        return values if one_for_all else values[torch.tensor(self.batch.rows, device=values.device)]

    def _aligned(self, source: torch.Tensor) -> BatchGrid:
        return aligned_grid(self._own(source), self.batch, self.tokens, self.subject.device)


def _ablated(part: AblateLatent, batch: PromptBatch, tokens: int, device: torch.device) -> NewValues:
    """Other values where the latent fires; where it is silent it stays so."""
    if part.kind is Ablation.RESAMPLE and part.reference is not None:
        grid = drawn_grid(part.reference, batch, tokens, part.seed, device)
        return lambda old, step: torch.where(old > 0, grid.at(step), old)
    mean = 0.0
    if part.kind is Ablation.MEAN and part.reference is not None:
        mean = float(part.reference.double().mean())

    def constant(old: Float[torch.Tensor, "rows columns"], step: Step) -> Float[torch.Tensor, "rows columns"]:
        return torch.where(old > 0, mean, old)

    return constant
