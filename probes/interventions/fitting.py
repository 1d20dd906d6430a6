"""Whether an intervention belongs to a subject; and its tensors on the subject's device, once."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

import torch

from glossator.errors import ShapeMismatchError, UnknownNameError, UserError
from glossator.probes.dictionary import Dictionary
from glossator.probes.interventions.intervention import (
    AblateLatent,
    Ablation,
    AddVectors,
    ClampLatent,
    Intervention,
    PatchLatent,
    PatchSite,
    SetLatent,
    Several,
)
from glossator.probes.interventions.latent_activation import output_width
from glossator.probes.subject import Subject
from glossator.records import SiteKind, SiteRef

Part = AddVectors | SetLatent | ClampLatent | AblateLatent | PatchSite | PatchLatent
"""An intervention that is one thing."""

_ORDER = (SiteKind.ATTN_Z, SiteKind.MLP_HIDDEN, SiteKind.MLP_OUT, SiteKind.RESID)
"""Sites of a block as they are computed."""


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


def _fitted(subject: Subject, part: Part, rows: int) -> Part:
    match part:
        case AddVectors():
            _check_width(subject, "vectors", part.site, part.vectors.shape[1])
            _check_rows("vectors", part.vectors, rows)
            return replace(part, vectors=_moved(part.vectors, subject))
        case PatchSite():
            _check_width(subject, "patches", part.site, part.source.shape[2])
            _check_rows("patches", part.source, rows)
            return replace(part, source=_moved(part.source, subject))
        case SetLatent():
            _check_rows("values", part.values, rows)
            part = replace(part, values=_moved(part.values, subject))
        case PatchLatent():
            _check_rows("patches", part.source, rows)
            part = replace(part, source=_moved(part.source, subject))
        case ClampLatent():
            if not part.low <= part.high:
                raise UserError(f"a clamp from {part.low!r} to {part.high!r}: the first must not be larger")
        case AblateLatent():
            _check_reference(part)
        case _:
            assert_never(part)
    check_belongs(subject, part.dictionary, part.feature)
    return part


def check_belongs(subject: Subject, dictionary: Dictionary, feature: int) -> None:
    """Check that `dictionary` reads and writes sites of `subject` and has such a feature.

    Raises:
        UnknownNameError: there is no such site or feature.
        ShapeMismatchError: widths do not fit, or it writes before it reads.
    """
    if not 0 <= feature < dictionary.n_features:
        raise UnknownNameError(
            f"no feature {feature!r} in {dictionary.name!r}: "
            f"they are numbered 0 to {dictionary.n_features - 1}"
        )
    _check_width(subject, f"what {dictionary.name!r} reads", dictionary.site, dictionary.d_in)
    written = output_width(dictionary)
    _check_width(subject, f"what {dictionary.name!r} writes", dictionary.output_site, written)
    if _order(dictionary.output_site) < _order(dictionary.site):
        raise ShapeMismatchError(
            f"{dictionary.name!r} reads {dictionary.site} and writes {dictionary.output_site}, which comes "
            "before it: check the dictionary's sites"
        )


def _order(site: SiteRef) -> tuple[int, int]:
    return site.layer, _ORDER.index(site.kind)


def _check_width(subject: Subject, what: str, site: SiteRef, given: int) -> None:
    width = subject.site_width(site)
    if given != width:
        raise ShapeMismatchError(
            f"{what}: {given} wide, but site {site} of {subject.name} is {width} wide: choose the subject "
            "and the site that it was made for"
        )


def _check_rows(what: str, given: torch.Tensor, rows: int) -> None:
    if given.shape[0] not in (1, rows):
        raise ShapeMismatchError(
            f"{given.shape[0]} {what} for {rows} prompts: give one for all, or one per prompt"
        )


def _check_reference(part: AblateLatent) -> None:
    if part.kind is not Ablation.ZERO and (part.reference is None or part.reference.numel() == 0):
        raise UserError(
            f"ablating feature {part.feature} by {str(part.kind)!r} needs its activations on some text as "
            f"reference; {str(Ablation.ZERO)!r} needs none"
        )


def _moved(values: torch.Tensor, subject: Subject) -> torch.Tensor:
    return values.detach().to(subject.device, torch.float32)
