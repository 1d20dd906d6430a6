"""What a feature causes, on a terminal. Signatures only, so far; each gives something rich can print."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from glossator.records import (
    CausalFindings,
    EffectFindings,
    InterventionScore,
    StrengthCalibration,
    StressReport,
)


def render_causal(findings: CausalFindings) -> RenderableType:
    """Everything causal that a card holds."""
    raise NotImplementedError


def render_strengths(calibration: StrengthCalibration) -> RenderableType:
    """Strengths of one sign: targets, what reaches them, and what could not be reached."""
    raise NotImplementedError


def render_effects(
    effects: EffectFindings, up: StrengthCalibration | None = None, down: StrengthCalibration | None = None
) -> RenderableType:
    """Tokens that rise and fall, and the dose–response curve; strengths too where they are given."""
    raise NotImplementedError


def render_scores(scores: Sequence[InterventionScore]) -> RenderableType:
    """Intervention scores by KL level with their baselines."""
    raise NotImplementedError


def render_stress(report: StressReport) -> RenderableType:
    """The grade, its reasons, the grid, and every failing cell and check."""
    raise NotImplementedError
