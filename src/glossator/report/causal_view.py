"""Causal evidence as the page's template wants it: texts made safe, drawings placed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from glossator.records import (
    CausalFindings,
    EffectFindings,
    Explanation,
    InterventionScore,
    RoleFinding,
    StrengthCalibration,
    StressReport,
    TokenShift,
)
from glossator.report.causal_plots import DosePlot, KlPlot, dose_plot, kl_plot
from glossator.report.causal_wording import (
    NULLS,
    ROLE_WORDS,
    band_words,
    baseline_words,
    cell_words,
    check_sign,
    check_words,
    dose_words,
    figure,
    multiple_words,
    perplexity_words,
    shift_words,
    sign_words,
    tally,
    target_words,
)
from glossator.report.stress_panels import StressPanel, stress_panels
from glossator.report.token_marks import safe_text, token_html
from glossator.report.wording import BASELINE_WORDS, count, number, signed_words, unscored_words

NULL_WORDS = tuple(BASELINE_WORDS[name] for name in NULLS)
_TOKENS = 10


class RoleView(NamedTuple):
    """Which side matters."""

    name: str
    meaning: str
    reason: str
    numbers: str


class ShiftView(NamedTuple):
    """An output token that moves."""

    token: Markup
    words: str
    percent: float
    """Length of its bar."""


class TargetView(NamedTuple):
    """One target KL of one sign."""

    sign: str
    target: str
    reached: bool
    words: str


class StrengthsView(NamedTuple):
    """What was asked of the strengths, and what came out."""

    facts: tuple[str, ...]
    targets: tuple[TargetView, ...]
    plot: KlPlot | None


class EffectsView(NamedTuple):
    """What happens to the next token."""

    facts: str
    concept: tuple[Markup, ...]
    raised: tuple[ShiftView, ...]
    lowered: tuple[ShiftView, ...]
    plot: DosePlot | None
    points: tuple[str, ...]
    """The curve in words, a point each."""


class CausalScoreView(NamedTuple):
    """An intervention score at one level."""

    level: str
    strength: str
    value: str
    excess: str
    baselines: tuple[str, ...]
    perplexity: str
    measured: str
    unscored: str


class CheckView(NamedTuple):
    """One other test."""

    name: str
    sign: str
    failed: bool
    value: str
    words: str


class StressView(NamedTuple):
    """The robustness grade with everything that fails."""

    grade: str
    claim: str
    concept: tuple[Markup, ...]
    reasons: tuple[str, ...]
    band: str
    tally: str
    panels: tuple[StressPanel, ...]
    failing: tuple[str, ...]
    checks: tuple[CheckView, ...]
    seed: int


class CausalView(NamedTuple):
    """Everything that was given; what was not is None or empty."""

    fires_on: str
    """The label of what it reads; empty where none is known."""
    causes: str
    causes_by: str
    says_nothing: bool
    """An explanation was looked for and there is none."""
    role: RoleView | None
    effects: EffectsView | None
    strengths: StrengthsView | None
    scores: tuple[CausalScoreView, ...]
    stress: StressView | None
    notes: tuple[str, ...]
    nulls: tuple[str, ...] = NULL_WORDS


def causal_view(findings: CausalFindings, label: Explanation | None) -> CausalView:
    """A card's causal findings beside `label`, what the feature fires on."""
    calibrations = [c for c in (findings.up, findings.down) if c is not None]
    return CausalView(
        fires_on=safe_text(label.text) if label else "",
        causes=safe_text(findings.explanation.text) if findings.explanation else "",
        causes_by=safe_text(findings.explanation.author) if findings.explanation else "",
        says_nothing=findings.explanation is None,
        role=role_view(findings.role) if findings.role else None,
        effects=effects_view(findings.effects),
        strengths=strengths_view(calibrations),
        scores=score_views(findings.scores),
        stress=stress_view(findings.stress) if findings.stress else None,
        notes=tuple(map(safe_text, findings.notes)),
    )


def role_view(role: RoleFinding) -> RoleView:
    """A role with the rule that decided it."""
    words = ROLE_WORDS[role.role]
    numbers = f"input {number(role.input_value)}, output {number(role.output_value)}"
    return RoleView(words.name, words.meaning, safe_text(role.reason), numbers)


def effects_view(effects: EffectFindings) -> EffectsView:
    """Tokens that move, and the curve."""
    facts = (
        f"At {multiple_words(effects.multiple)} its largest activation, next-token KL {figure(effects.kl)}, "
        f"over {count(effects.n_prompts)} {effects.split.value} prompts"
    )
    top = max((abs(s.change) for s in (*effects.raised, *effects.lowered)), default=0.0) or 1.0
    return EffectsView(
        facts=facts,
        concept=_tokens(effects.concept),
        raised=tuple(_shift(s, top) for s in effects.raised[:_TOKENS]),
        lowered=tuple(_shift(s, top) for s in effects.lowered[:_TOKENS]),
        plot=dose_plot(effects.dose),
        points=tuple(map(dose_words, sorted(effects.dose, key=lambda p: p.multiple))),
    )


def strengths_view(calibrations: Sequence[StrengthCalibration]) -> StrengthsView:
    """Targets and curves of both signs."""
    calibrations = sorted(calibrations, key=lambda c: -c.sign)
    return StrengthsView(
        facts=tuple(calibration_words(c) for c in calibrations),
        targets=tuple(
            TargetView(sign_words(c), figure(t.target), t.reached, safe_text(target_words(t)))
            for c in calibrations
            for t in c.targets
        ),
        plot=kl_plot(calibrations),
    )


def calibration_words(calibration: StrengthCalibration) -> str:
    """Site, unit and limits of one sign, in a sentence."""
    c = calibration
    limit = (
        ""
        if c.largest_safe is None
        else f"; above {multiple_words(c.largest_safe)} the subject gives infinities or NaN"
    )
    return (
        f"{sign_words(c).capitalize()} at {c.site}: 1× is {figure(c.max_activation)} of activation along a "
        f"direction of length {figure(c.direction_norm)}; {count(c.n_prompts)} prompts, targets met within "
        f"{100 * c.tolerance:.0f} %{limit}"
    )


def score_views(scores: Sequence[InterventionScore]) -> tuple[CausalScoreView, ...]:
    """Scores by level."""
    return tuple(_score(s) for s in sorted(scores, key=lambda s: s.target_kl))


def stress_view(report: StressReport) -> StressView:
    """The grade, the grid, and everything that fails."""
    return StressView(
        grade=report.grade,
        claim=safe_text(report.claim),
        concept=_tokens(report.concept),
        reasons=tuple(map(safe_text, report.reasons)),
        band=band_words(report.band),
        tally=tally(report.cells),
        panels=stress_panels(report.cells),
        failing=tuple(safe_text(cell_words(c)) for c in report.failing),
        checks=tuple(
            CheckView(safe_text(c.name), check_sign(c), c.passed is False, check_words(c), safe_text(c.words))
            for c in report.checks
        ),
        seed=report.seed,
    )


def _score(found: InterventionScore) -> CausalScoreView:
    score = found.score
    return CausalScoreView(
        level=figure(found.target_kl),
        strength=f"{multiple_words(found.multiple)}, KL {figure(found.kl)}",
        value=signed_words(score.value, score.interval),
        excess=signed_words(found.excess, found.excess_interval),
        baselines=tuple(baseline_words(found, name) for name in NULLS),
        perplexity=perplexity_words(found),
        measured=(
            f"{count(score.n_positive)} steered, {count(score.n_negative)} clean, {score.split.value}, "
            f"read by {safe_text(score.reader)}"
        ),
        unscored=safe_text(unscored_words(score)),
    )


def _tokens(texts: Sequence[str]) -> tuple[Markup, ...]:
    return tuple(Markup(token_html(t)) for t in texts)


def _shift(shift: TokenShift, top: float) -> ShiftView:
    percent = round(100 * min(abs(shift.change) / top, 1.0), 1)
    return ShiftView(Markup(token_html(shift.token)), shift_words(shift), percent)
