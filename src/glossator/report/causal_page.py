"""One feature's causal evidence as an HTML page of its own, for a command's `--out`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glossator.records import (
    EffectFindings,
    Explanation,
    InterventionScore,
    RoleFinding,
    StrengthCalibration,
    StressReport,
)
from glossator.report.causal_view import (
    CausalView,
    effects_view,
    role_view,
    score_views,
    strengths_view,
    stress_view,
)
from glossator.report.page_file import environment, write_page
from glossator.report.token_marks import safe_text


def write_causal_page(
    path: Path,
    title: str,
    *,
    subtitle: str = "",
    effects: EffectFindings | None = None,
    calibrations: Sequence[StrengthCalibration] = (),
    explanation: Explanation | None = None,
    scores: Sequence[InterventionScore] = (),
    role: RoleFinding | None = None,
    stress: StressReport | None = None,
    notes: Sequence[str] = (),
) -> Path:
    """Write the page to `path`, whole or not at all, and give `path` back; what is not given is left out.

    Args:
        path: Where to; an older page there is replaced.
        title: The page's heading, such as the feature's name and label.
        subtitle: A line below it.
        effects: What happens to the next token.
        calibrations: Strengths, up and down.
        explanation: What it causes, in words.
        scores: Of that explanation.
        role: Which side matters.
        stress: The robustness grade.
        notes: What a reader should know besides.

    Raises:
        StorageError: It cannot be written.

    """
    view = CausalView(
        fires_on="",
        causes=safe_text(explanation.text) if explanation else "",
        causes_by=safe_text(explanation.author) if explanation else "",
        says_nothing=False,
        role=role_view(role) if role else None,
        effects=effects_view(effects) if effects else None,
        strengths=strengths_view(calibrations) if calibrations else None,
        scores=score_views(scores),
        stress=stress_view(stress) if stress else None,
        notes=tuple(map(safe_text, notes)),
    )
    page = environment().get_template("causal_page.jinja")
    html = page.render(title=safe_text(title), subtitle=safe_text(subtitle), view=view)
    return write_page(path, html.encode("utf-8", "replace").decode())
