"""How causal evidence is said, in a page and on a terminal alike."""

from __future__ import annotations

import math
from typing import NamedTuple

from glossator.records import (
    BaselineName,
    ContextFamily,
    DosePoint,
    FeatureRole,
    Interval,
    InterventionScore,
    KlTarget,
    StrengthCalibration,
    StressCell,
    StressCheck,
    TokenShift,
)
from glossator.report.wording import (
    NOTHING,
    baseline_n_words,
    count,
    number,
    signed,
    signed_words,
    value_words,
)

FAMILY_WORDS = {
    ContextFamily.OPENERS: "neutral openers",
    ContextFamily.SILENT: "texts where it is silent",
    ContextFamily.FIRING: "texts where it fires",
}
NULLS = (BaselineName.RANDOM_DIRECTION, BaselineName.RANDOM_EXPLAINED, BaselineName.SHUFFLED)
"""Baselines of an intervention score, in the order in which they are shown."""
PASSED, FAILED, NOT_MADE = "✓", "✗", "–"


class RoleWords(NamedTuple):
    """A role, short and explained."""

    name: str
    meaning: str


ROLE_WORDS = {
    FeatureRole.INPUT: RoleWords(
        "input side", "it speaks of what it reads; turned up, it does little that is specific"
    ),
    FeatureRole.OUTPUT: RoleWords(
        "output side", "it speaks of what it writes; what it reads does not predict its firing"
    ),
    FeatureRole.BOTH: RoleWords(
        "both sides", "what it reads predicts its firing, and what it writes is specific"
    ),
    FeatureRole.NEITHER: RoleWords(
        "neither side", "neither its firing nor its effect is captured by a label"
    ),
}


def figure(value: float | None) -> str:
    """Three significant digits, with a true minus; a dash where there is no number."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.3g}".replace("-", "−")


def multiple_words(multiple: float) -> str:
    """A strength: `2.25×` its largest activation."""
    return f"{figure(multiple)}×"


def level_words(level: float) -> str:
    """`up, KL 1` or `down, KL 0.33`."""
    return f"{'down' if level < 0 else 'up'}, KL {figure(abs(level))}"


def sign_words(calibration: StrengthCalibration) -> str:
    """`turned up` or `turned down`."""
    return "turned up" if calibration.sign > 0 else "turned down"


def target_words(target: KlTarget) -> str:
    """What a target came to: the strength that reaches it, or that none does, and why."""
    sealed = "" if target.kl_sealed is None else f", {figure(target.kl_sealed)} on sealed prompts"
    at = f"KL {figure(target.kl)} at {multiple_words(target.multiple)}{sealed}"
    if target.reached:
        return f"reached: {at}"
    return f"not reached ({target.reason or 'no reason given'}); nearest {at}"


def beyond_null(point: DosePoint) -> bool:
    """Whether the change lies outside the null band."""
    return not point.null_low <= point.change <= point.null_high


def dose_words(point: DosePoint) -> str:
    """One point of the curve in words."""
    where = "beyond" if beyond_null(point) else "within"
    change = signed_words(point.change, point.interval)
    return (
        f"{multiple_words(point.multiple)}, KL {figure(point.kl)}: {change},"
        f" {where} the null band {signed(point.null_low)} to {signed(point.null_high)}"
    )


def shift_words(shift: TokenShift) -> str:
    """`+2.90, 0.4 % → 6 %`."""
    return f"{signed(shift.change)}, {_percent(shift.clean)} → {_percent(shift.steered)}"


def cell_words(cell: StressCell) -> str:
    """Everything about one cell of the grid, with why it fails."""
    said = (
        f"block {cell.layer}, {level_words(cell.level)} ({multiple_words(cell.multiple)}, KL here "
        f"{figure(cell.kl)}), {FAMILY_WORDS[cell.family]}: change {signed(cell.change)}, null "
        f"{signed(cell.null_low)} to {signed(cell.null_high)}, carried {signed(cell.carried)}, fluency "
        f"{number(cell.fluency)}, {count(cell.n)} prompts"
    )
    return f"{said}; passes" if cell.passed else f"{said}; fails: {cell.reason or 'no reason given'}"


def check_sign(check: StressCheck) -> str:
    """A sign, so that colour is not needed."""
    return NOT_MADE if check.passed is None else PASSED if check.passed else FAILED


def check_words(check: StressCheck) -> str:
    """Its value against its bound; that it could not be made, otherwise."""
    if check.value is None:
        return "not made"
    bound = "" if check.bound is None else f", bound {number(check.bound)}"
    return f"{value_words(check.value, check.interval)}{bound}, {count(check.n)} examples"


def baseline_words(score: InterventionScore, name: BaselineName) -> str:
    """One baseline's value and interval; a dash where it was not measured."""
    found = next((b for b in score.score.baselines if b.name is name), None)
    if found is None:
        return NOTHING
    n = baseline_n_words(found)
    return signed_words(found.value, found.interval) + (f" ({n})" if n else "")


def perplexity_words(score: InterventionScore) -> str:
    """Perplexity clean, steered, and under random directions."""
    return " / ".join(
        figure(p) for p in (score.perplexity_clean, score.perplexity_steered, score.perplexity_random)
    )


def band_words(band: Interval | None) -> str:
    """The band of strengths that work."""
    if band is None:
        return "at no strength tried does the concept rise while fluency stays above 80 % of clean"
    return (
        f"the concept rises and fluency stays above 80 % of clean from {multiple_words(band.low)} "
        f"to {multiple_words(band.high)}"
    )


def tally(cells: tuple[StressCell, ...]) -> str:
    """`50 of 54 cells pass`."""
    return f"{count(sum(cell.passed for cell in cells))} of {count(len(cells))} cells pass"


def _percent(share: float) -> str:
    if not math.isfinite(share):
        return NOTHING
    return "<0.01 %" if 0 < share < 1e-4 else f"{100 * share:.2g} %"
