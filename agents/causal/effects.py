"""What turning a feature up does to the next token: tokens that rise and fall, their concept, and how the
concept's odds go with the strength.

Everything is measured on prompts of `validate`; what is reported of an explanation made from it comes
from `sealed`. Random directions of the same norm go through the same steps, each judged on its own concept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from glossator.agents.causal.bench import CausalBench
from glossator.agents.causal.concept import Concept, concept_of
from glossator.agents.causal.next_token_changes import (
    ConceptChanges,
    NextTokenChanges,
    concept_changes,
    next_token_changes,
)
from glossator.agents.causal.null_directions import null_band
from glossator.agents.causal.prompt_intervals import mean_interval
from glossator.agents.causal.random_effects import (
    ExplainedDirections,
    explained_target,
    random_units,
    steering_vector,
    validate_prompts,
)
from glossator.agents.scorers.examples import seed_of
from glossator.probes.intervals import Ends
from glossator.probes.interventions.steering_prompts import SteeringPrompt
from glossator.records import (
    DosePoint,
    EffectFindings,
    Evidence,
    EvidenceKind,
    Split,
    StrengthCalibration,
    TokenShift,
)

SHOWN = 20
"""Tokens that rise, and that fall, that are reported."""
RECIPE_VERSION = 1
"""Raised whenever the same recipe would measure something else."""


class MeasuredEffects(NamedTuple):
    """Findings with what later measurements of the same feature share."""

    findings: EffectFindings
    concept: Concept
    """What rises, whether beyond the null or not."""
    null: ExplainedDirections


def measure_effects(
    bench: CausalBench, feature: int, up: StrengthCalibration, down: StrengthCalibration | None = None
) -> EffectFindings:
    """Tokens that rise and fall, the concept, and the dose–response curve; on prompts of `validate`.

    Raises:
        UnknownNameError: there is no such feature.
        UserError: it never fires on `explore`.
        ProbeError: too few prompts, or a subject without finite numbers.
    """
    return effects_with_null(bench, feature, up, down).findings


def effects_with_null(
    bench: CausalBench, feature: int, up: StrengthCalibration, down: StrengthCalibration | None = None
) -> MeasuredEffects:
    """As `measure_effects`, with the random directions of the null and their concepts."""
    prompts = validate_prompts(bench, feature)
    at = explained_target(up, bench.settings.explained_at)
    vector = steering_vector(bench, feature, at.multiple)
    units = random_units(bench, feature)
    rows = torch.cat([vector[None], units * vector.norm()])
    ids = [prompt.ids for prompt in prompts]
    changes = next_token_changes(bench.runs, ids, bench.dictionary.output_site, rows)
    concepts = tuple(concept_of(changes, i) for i in range(len(rows)))
    dose = _dose(bench, feature, _strengths(at.multiple, up, down), _Null(units, concepts), prompts, changes)
    findings = EffectFindings(
        feature=bench.ref(feature),
        multiple=at.multiple,
        kl=float(changes.kl[0].nanmean()),
        n_prompts=len(prompts),
        split=Split.VALIDATE,
        raised=_shifts(changes, 0, rising=True),
        lowered=_shifts(changes, 0, rising=False),
        concept=concepts[0].texts,
        beyond_null=_beyond(dose, at.multiple),
        dose=dose,
    )
    return MeasuredEffects(findings, concepts[0], ExplainedDirections(units, concepts[1:]))


def effects_evidence(bench: CausalBench, effects: EffectFindings) -> Evidence:
    """The findings as evidence, with what measures them again."""
    settings = bench.settings
    recipe: dict[str, object] = {
        "recipe_version": RECIPE_VERSION,
        "index": bench.room.index_identity,
        "site": str(bench.dictionary.output_site),
        "seed": settings.seed,
        "per_family": settings.per_family,
        "prompt_tokens": settings.prompt_tokens,
        "random_directions": settings.random_directions,
        "explained_at": settings.explained_at,
    }
    return Evidence.of(effects.feature, EvidenceKind.EFFECTS, recipe, effects.model_dump(mode="json"))


class _Null(NamedTuple):
    """Random directions of norm 1, and the concepts of the feature and of each of them."""

    units: Float[torch.Tensor, "n d"]
    concepts: tuple[Concept, ...]


class _Strengths(NamedTuple):
    """Where the curve is measured, weakest first."""

    calibrated: tuple[float, ...]
    """Of both signs; the null is measured at these."""
    between: tuple[float, ...]
    """Between upper neighbours; the null band is interpolated: it costs eight times what the curve does."""


def _strengths(explained: float, up: StrengthCalibration, down: StrengthCalibration | None) -> _Strengths:
    upper = sorted({explained, *(t.multiple for t in up.targets if t.multiple > 0)})
    lower = set[float]() if down is None else {t.multiple for t in down.targets if t.multiple < 0}
    between = [math.sqrt(a * b) for a, b in pairwise(upper) if b > 1.5 * a]
    return _Strengths(tuple(sorted({*upper, *lower})), tuple(between))


def _dose(
    bench: CausalBench,
    feature: int,
    strengths: _Strengths,
    null: _Null,
    prompts: Sequence[SteeringPrompt],
    changes: NextTokenChanges,
) -> tuple[DosePoint, ...]:
    """One point per strength at which the subject stays finite under the feature at every prompt."""
    documents = [prompt.document for prompt in prompts]
    seed = seed_of(bench.ref(feature), "effects")

    def changed(multiple: float, units: Float[torch.Tensor, "n d"]) -> ConceptChanges:
        vector = steering_vector(bench, feature, multiple)
        rows = torch.cat([vector[None], math.copysign(float(vector.norm()), multiple) * units])
        concepts = [concept.ids for concept in null.concepts[: len(rows)]]
        ids, site = [prompt.ids for prompt in prompts], bench.dictionary.output_site
        return concept_changes(bench.runs, ids, site, rows, concepts, changes.clean_log_probs)

    points: dict[float, DosePoint] = {}
    for multiple in (*strengths.calibrated, *strengths.between):
        measured = multiple in strengths.calibrated
        found = changed(multiple, null.units if measured else null.units[:0])
        own = found.change[0].numpy()
        band = null_band(found.change[1:].mean(dim=1).numpy()) if measured else _between(points, multiple)
        if not np.isfinite(own).all() or band is None:
            continue
        points[multiple] = DosePoint(
            multiple=multiple,
            kl=float(found.kl[0].mean()),
            change=float(own.mean()),
            interval=mean_interval(own, documents, seed=seed),
            null_low=band.low,
            null_high=band.high,
        )
    return tuple(points[multiple] for multiple in sorted(points))


def _between(points: Mapping[float, DosePoint], multiple: float) -> Ends | None:
    """The null band between two strengths at which it was measured; None without both."""
    measured = sorted(points)
    if not measured or not measured[0] <= multiple <= measured[-1]:
        return None
    low, high = (
        float(np.interp(multiple, measured, ends))
        for ends in ([points[m].null_low for m in measured], [points[m].null_high for m in measured])
    )
    return Ends(low, high)


def _beyond(dose: Sequence[DosePoint], multiple: float) -> bool:
    """Whether the concept rises beyond the null at one strength, with all of its interval above 0. The band
    is where one more random direction is expected, so it is not asked of the interval as well."""
    return any(p.change > p.null_high and p.interval.low > 0 for p in dose if p.multiple == multiple)


def _shifts(changes: NextTokenChanges, direction: int, *, rising: bool) -> tuple[TokenShift, ...]:
    """Tokens that gain (or lose) most: ranked by what they add to the KL, as concepts are; of those that
    fall, by clean * log(clean / steered), what they add to the KL the other way round."""
    steered, change = changes.steered[direction], changes.log_change[direction]
    if rising:
        weight = changes.contribution[direction]
        fits = (steered > changes.clean) & (weight > 0)
    else:
        weight = -changes.clean * change
        fits = (steered < changes.clean) & (weight > 0)
    special = torch.from_numpy(changes.vocabulary.special[: len(weight)])
    top = weight.masked_fill(~fits | special, 0.0).topk(min(SHOWN, len(weight)))
    texts = changes.vocabulary.texts
    return tuple(
        TokenShift(
            token=texts[i], change=float(change[i]), clean=float(changes.clean[i]), steered=float(steered[i])
        )
        for i, value in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        if value > 0
    )
