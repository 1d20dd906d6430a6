"""The grid of the stress grade: layers × strengths of both signs × families of sealed prompts.

Each cell asks whether turning the feature up (down) raises (lowers) its concept beyond what random
directions of the same norm do to theirs. "Basic steering works, with substantial fragility to layer,
magnitude and context" is what a replication found ("When the Coffee Feature Activates on Coffins"); one
cell is a demo, the grid is a test.

What is held fixed, and why:

- **Strength**: the multiple comes from the calibration at the feature's own site on `validate`; in other
  layers and families the same vector is added, and the KL that it has there is measured, as a user who
  moves a direction does not tune it anew.
- **Null**: random directions in the feature's place, each judged on the concept that its own effects make
  on `validate`, through the same cells. A feature without any effect of its own is one more such draw.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from glossator.agents.causal.bench import CausalBench
from glossator.agents.causal.concept import Concept
from glossator.agents.causal.null_directions import null_band
from glossator.agents.causal.random_effects import explained_random
from glossator.agents.scorers.interventions.continued_rows import Continued, Continuing
from glossator.agents.scorers.interventions.grid_rows import (
    CleanFamily,
    GridPlace,
    Moved,
    clean_families,
    grid_places,
    mean_of_finite,
    moved,
)
from glossator.probes.intervals import Ends
from glossator.records import KlTarget, StrengthCalibration, StressCell

WRONG_SIGN = "wrong sign"
WITHIN_NULL = "within what random directions do"
NOT_REACHED = "KL not reached"
NOT_A_NUMBER = "not a number"


class Level(NamedTuple):
    """One strength of the grid."""

    kl: float
    """The KL asked for; negative where the feature is turned down."""
    multiple: float
    """The strength that the calibration found; negative likewise."""
    too_weak: bool
    """No safe strength reaches the KL: this is the one that comes nearest."""


def stress_grid(
    bench: CausalBench,
    feature: int,
    concept: Concept,
    up: StrengthCalibration,
    down: StrengthCalibration | None,
    *,
    seed: int,
    families: tuple[CleanFamily, ...] | None = None,
) -> tuple[StressCell, ...]:
    """All cells, by layer, level and family; none for an empty concept or without any sealed prompt.

    Args:
        bench: the run.
        feature: the feature's number.
        concept: tokens that should rise; made on `validate`.
        up: strengths that turn the feature up, tuned on `validate`.
        down: strengths that turn it down; without, the grid has no such cells.
        seed: of prompts, random directions and continuations.
        families: sealed prompts, where they are drawn already; with the same seed.
    """
    families = clean_families(bench, feature, seed) if families is None else families
    if not concept or not families:
        return ()
    random = explained_random(replace(bench, settings=replace(bench.settings, seed=seed)), feature, up)
    grid = _Grid(
        bench,
        (concept.ids, *(c.ids for c in random.concepts)),
        grid_levels(up, down),
        up.max_activation,
        Continuing(bench.runs, concept.ids, bench.settings.continuation, seed),
    )
    cells = [
        cell
        for place in grid_places(bench, feature, random.directions)
        for family in families
        for cell in grid.cells(place, family)
    ]
    order = [family.family for family in families]
    return tuple(sorted(cells, key=lambda cell: (cell.layer, cell.level, order.index(cell.family))))


def grid_levels(up: StrengthCalibration, down: StrengthCalibration | None) -> tuple[Level, ...]:
    """The calibrated strengths of both signs, weakest first in each.

    A level that no safe strength reaches fails upwards, where it says that the feature does too little. It
    is left out downwards, where it says nothing: what turning down can do ends where the
    concept has no probability left to lose, and KL there is bounded by -log(1 - that probability).
    """
    return tuple(
        Level(c.sign * target.target, c.sign * abs(target.multiple), too_weak(c, target))
        for c in (up, down)
        if c is not None
        for target in sorted(c.targets, key=lambda t: t.target)
        if c.sign > 0 or not too_weak(c, target)
    )


def too_weak(calibration: StrengthCalibration, target: KlTarget) -> bool:
    """No safe strength reaches the target; one that was jumped over is judged at what it has."""
    return not target.reached and target.kl < target.target * (1 - calibration.tolerance)


class _Grid(NamedTuple):
    """What all cells of one feature share."""

    bench: CausalBench
    concepts: tuple[tuple[int, ...], ...]
    """Of the feature, then of each random direction."""
    levels: tuple[Level, ...]
    max_activation: float
    continuing: Continuing

    def cells(self, place: GridPlace, family: CleanFamily) -> list[StressCell]:
        """The cells of one place and family: one per level."""
        directions = torch.cat([place.unit[None], place.null])
        strengths = torch.tensor([level.multiple * self.max_activation for level in self.levels])
        rows = (strengths[:, None, None] * directions).flatten(0, 1)
        found = moved(self.bench.runs, family, place.site, rows, self.concepts * len(self.levels))
        spoken = self._spoken(place, family, strengths, found)
        n = len(directions)
        return [
            _cell(place, family, level, Moved(found.kl[i * n :][:n], found.change[i * n :][:n]), *spoken[i])
            for i, level in enumerate(self.levels)
        ]

    def _spoken(
        self, place: GridPlace, family: CleanFamily, strengths: Float[torch.Tensor, " levels"], found: Moved
    ) -> list[_Spoken]:
        """Continuations of each level, where the next token was finite; of the own place alone, where the
        working band is read off. Next tokens judge the other cells: generating for them doubles the cost."""
        n = len(self.concepts)
        out = [_Spoken(None, None)] * len(strengths)
        finite = [i for i in range(len(strengths)) if np.isfinite(found.kl[i * n]).all()]
        if not place.own or not finite:
            return out
        clean = self.continuing.clean(family.prompts)
        vectors = strengths[finite, None] * place.unit
        for i, said in zip(finite, self.continuing.steered(family.prompts, place.site, vectors), strict=True):
            out[i] = _spoken(said, clean)
        return out


class _Spoken(NamedTuple):
    carried: float | None
    fluency: float | None


def _spoken(said: Continued | None, clean: Continued) -> _Spoken:
    return (
        _Spoken(None, None) if said is None else _Spoken(said.carrying - clean.carrying, said.fluency(clean))
    )


def _cell(
    place: GridPlace,
    family: CleanFamily,
    level: Level,
    found: Moved,
    carried: float | None,
    fluency: float | None,
) -> StressCell:
    """One cell; row 0 of what was found is the feature, the others are the null."""
    changes, kls = mean_of_finite(found.change), mean_of_finite(found.kl)
    band = null_band(changes[1:])
    broken = int((~np.isfinite(found.change[0])).sum())
    reason = why_not(float(changes[0]), band, level, broken=broken, n=len(family.prompts))
    return StressCell(
        layer=place.site.layer,
        level=level.kl,
        family=family.family,
        multiple=level.multiple,
        kl=_number(kls[0]),
        change=_number(changes[0]),
        null_low=None if band is None else band.low,
        null_high=None if band is None else band.high,
        carried=carried,
        fluency=fluency,
        n=len(family.prompts),
        passed=not reason,
        reason=reason,
    )


def why_not(change: float, band: Ends | None, level: Level, *, broken: int, n: int) -> str:
    """Why a cell fails; empty where it passes.

    Args:
        change: of the feature.
        band: of random directions.
        level: the strength.
        broken: prompts at which the subject gave no finite numbers.
        n: prompts.
    """
    if broken:
        return f"{NOT_A_NUMBER} at {broken} of {n} prompts"
    if band is None:
        return f"{NOT_A_NUMBER} under random directions"
    if change * level.kl <= 0:
        return WRONG_SIGN
    if not (change > band.high if level.kl > 0 else change < band.low):
        return WITHIN_NULL
    return f"{NOT_REACHED} at any safe strength" if level.too_weak else ""


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
