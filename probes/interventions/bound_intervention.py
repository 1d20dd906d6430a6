"""An intervention fitted to a subject, and its hooks on one batch.

`fit` checks once that everything belongs together and moves tensors to the subject's device;
`intervening` then places it on a batch.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

import torch

from glossator.errors import ShapeMismatchError
from glossator.probes import site_hooks
from glossator.probes.interventions.intervention import AddVectors, Intervention, Several
from glossator.probes.interventions.prompt_batches import PromptBatch
from glossator.probes.interventions.site_changes import SiteChanges, VectorAddition
from glossator.probes.interventions.touched import Step, Touched
from glossator.probes.subject import Subject
from glossator.records import SiteRef

Part = AddVectors


def fit(subject: Subject, intervention: Intervention | None, rows: int) -> tuple[Part, ...]:
    """The parts of `intervention`, ready for `rows` prompts of `subject`.

    Raises:
        UnknownNameError: there is no such site or feature.
        ShapeMismatchError: widths or numbers of rows do not fit.
        UserError: a part lacks what it needs.
    """
    if intervention is None:
        return ()
    parts = intervention.parts if isinstance(intervention, Several) else (intervention,)
    return tuple(_fitted(subject, part, rows) for part in parts)


@contextmanager
def intervening(subject: Subject, parts: tuple[Part, ...], batch: PromptBatch) -> Generator[Step, None, None]:
    """While open, `parts` act on `batch`; the caller advances the step, and holds the subject's lock."""
    step = Step()
    changes: dict[SiteRef, SiteChanges] = {}
    for part in parts:
        _place(subject, part, batch, changes, step)
    with ExitStack() as hooks:
        for own in changes.values():
            hooks.enter_context(site_hooks.replacing(own.point, partial(own, rows=len(batch.rows))))
        yield step


def _fitted(subject: Subject, part: Part, rows: int) -> Part:
    width = subject.site_width(part.site)
    if part.vectors.shape[1] != width:
        raise ShapeMismatchError(
            f"vectors are {part.vectors.shape[1]} wide, but site {part.site} of {subject.name} is {width} "
            "wide: choose the site that they were made for"
        )
    check_rows("vectors", part.vectors.shape[0], rows)
    return replace(part, vectors=part.vectors.detach().to(subject.device, torch.float32))


def check_rows(what: str, given: int, rows: int) -> None:
    """Raise `ShapeMismatchError` unless there is one for all rows, or one per row."""
    if given not in (1, rows):
        raise ShapeMismatchError(f"{given} {what} for {rows} prompts: give one for all, or one per prompt")


def _place(
    subject: Subject, part: Part, batch: PromptBatch, changes: dict[SiteRef, SiteChanges], step: Step
) -> None:
    touched = Touched.of(batch, part.positions, subject.device)
    point = site_hooks.site_point(subject.decoder, part.site, subject.name)
    own = changes.setdefault(part.site, SiteChanges(point, step))
    own.additions.append(VectorAddition(of_rows(part.vectors, batch), touched))


def of_rows(values: torch.Tensor, batch: PromptBatch) -> torch.Tensor:
    """The entries of `values` for the rows of `batch`; one for all stays one."""
    if values.shape[0] == 1:
        return values
    return values[torch.tensor(batch.rows, device=values.device)]
