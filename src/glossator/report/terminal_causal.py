"""What a feature causes, on a terminal: strengths, effects, scores, the stress grid, the role.

Each renderer stands alone, so that a command can print what it measured without a card. Signs say what
colours say; every text goes through `rich.text.Text`, never through markup.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from glossator.records import (
    CausalFindings,
    ContextFamily,
    DosePoint,
    EffectFindings,
    InterventionScore,
    RoleFinding,
    StrengthCalibration,
    StressCell,
    StressCheck,
    StressReport,
    TokenShift,
)
from glossator.report.causal_view import calibration_words
from glossator.report.causal_wording import (
    FAILED,
    FAMILY_WORDS,
    NULLS,
    PASSED,
    ROLE_WORDS,
    band_words,
    baseline_words,
    beyond_null,
    cell_words,
    check_sign,
    check_words,
    figure,
    multiple_words,
    perplexity_words,
    shift_words,
    tally,
    target_words,
)
from glossator.report.token_marks import safe_text, token_text
from glossator.report.wording import count, number, signed, signed_words, unscored_words

_TOKENS = 12
_BAR = 12
_SHORT_NULLS = ("random", "explained alike", "shuffled")
"""The baselines of `NULLS`: random directions under this explanation and under their own, another label."""


def render_causal(findings: CausalFindings) -> RenderableType:
    """Everything causal that a card holds."""
    parts: list[RenderableType] = []
    if findings.role is not None:
        parts.append(_role(findings.role))
    if findings.explanation is None:
        parts.append(Text("Causes: nothing coherent rises beyond the null.", style="italic"))
    else:
        by = (f"  by {safe_text(findings.explanation.author)}", "dim")
        parts.append(Text.assemble("Causes: ", (safe_text(findings.explanation.text), "bold"), by))
    parts.append(render_effects(findings.effects, findings.up, findings.down))
    if findings.scores:
        parts += [_heading("Intervention scores"), render_scores(findings.scores)]
    if findings.stress is not None:
        parts += [_heading("Stress"), render_stress(findings.stress)]
    parts += [Text(f"Note: {safe_text(note)}", style="yellow") for note in findings.notes]
    return Group(*parts)


def render_strengths(calibration: StrengthCalibration) -> RenderableType:
    """Strengths of one sign: targets, what reaches them, and what could not be reached."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for target in calibration.targets:
        style = "" if target.reached else "yellow"
        sign = PASSED if target.reached else FAILED
        name = Text(f"{sign} KL {figure(target.target)}", style=style)
        grid.add_row(name, Text(safe_text(target_words(target)), style=style))
    return Group(Text(calibration_words(calibration), style="dim"), grid)


def render_effects(
    effects: EffectFindings, up: StrengthCalibration | None = None, down: StrengthCalibration | None = None
) -> RenderableType:
    """Tokens that rise and fall, and the dose–response curve; strengths too where they are given."""
    facts = Text(
        f"At {multiple_words(effects.multiple)}, next-token KL {figure(effects.kl)}, over "
        f"{count(effects.n_prompts)} {effects.split.value} prompts",
        style="dim",
    )
    concept = Text(", ").join(token_text(t, style="bold") for t in effects.concept)
    nothing = "none rises beyond the null" + ("; the curve is of those that rise most" * bool(effects.dose))
    parts: list[RenderableType] = [
        _heading("Effect on the next token"),
        facts,
        Text.assemble("Concept: ", concept if effects.concept else nothing),
        _shifts(effects),
    ]
    if effects.dose:
        parts += [_heading("Dose–response: change of the concept's log-odds"), _dose(effects.dose)]
    for calibration, name in ((up, "Strengths, turned up"), (down, "Strengths, turned down")):
        if calibration is not None:
            parts += [_heading(name), render_strengths(calibration)]
    return Group(*parts)


def render_scores(scores: Sequence[InterventionScore]) -> RenderableType:
    """Intervention scores by KL level with their baselines."""
    table = _table()
    for name in ("KL", "strength", "carried", "excess"):
        table.add_column(name, overflow="fold")
    table.add_column("baselines", style="dim", overflow="fold")
    table.add_column("perplexity:\nclean / steered\n/ random", style="dim", overflow="fold")
    for found in sorted(scores, key=lambda s: s.target_kl):
        score = found.score
        carried = Text(signed_words(score.value, score.interval), style="bold")
        if score.unscored:
            carried.append(f"\n{safe_text(unscored_words(score))}", style="yellow")
        names = zip(NULLS, _SHORT_NULLS, strict=True)
        table.add_row(
            Text(figure(found.target_kl)),
            Text(f"{multiple_words(found.multiple)}\nKL {figure(found.kl)}"),
            carried,
            Text(signed_words(found.excess, found.excess_interval)),
            Text("\n".join(f"{words} {baseline_words(found, name)}" for name, words in names)),
            Text(perplexity_words(found)),
        )
    return table


def render_stress(report: StressReport) -> RenderableType:
    """The grade, its reasons, the grid, and every failing cell and check."""
    parts: list[RenderableType] = [
        Text.assemble(("Grade ", "dim"), (report.grade, "bold"), f"  {safe_text(report.claim)}"),
        Text.assemble(("Concept ", "dim"), Text(", ").join(token_text(t) for t in report.concept)),
        Text.assemble(("Band ", "dim"), band_words(report.band)),
        *(Text(f"  · {safe_text(reason)}") for reason in report.reasons),
    ]
    for family in ContextFamily:
        cells = [c for c in report.cells if c.family is family]
        if cells:
            parts += [_heading(f"On {FAMILY_WORDS[family]}: {tally(tuple(cells))}"), _grid(cells)]
    parts += [_heading("Checks"), _checks(report.checks)]
    parts.append(_heading(f"Failing cells: {count(len(report.failing))} of {count(len(report.cells))}"))
    parts += [Text(f"{FAILED} {safe_text(cell_words(cell))}") for cell in report.failing]
    parts.append(Text(f"seed {report.seed}", style="dim"))
    return Group(*parts)


def _role(role: RoleFinding) -> RenderableType:
    words = ROLE_WORDS[role.role]
    numbers = f"input {number(role.input_value)}, output {number(role.output_value)}"
    return Text.assemble(
        "Role: ", (words.name, "bold"), f", {words.meaning} ({numbers}). {safe_text(role.reason)}"
    )


def _shifts(effects: EffectFindings) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, shifts in (("rise", effects.raised), ("fall", effects.lowered)):
        if shifts:
            grid.add_row(name, Text("   ").join(_shift(s) for s in shifts[:_TOKENS]))
    return grid


def _shift(shift: TokenShift) -> Text:
    return Text.assemble(token_text(shift.token, style="bold"), (f" {shift_words(shift)}", "dim"))


def _dose(dose: Sequence[DosePoint]) -> Table:
    """A row a strength; a bar runs left for falls, right for rises, and the sign says beyond or within."""
    table = _table()
    for name in ("strength", "KL", "change, 95 %", "null band"):
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("beyond null", overflow="fold")
    top = max((abs(p.change) for p in dose), default=0.0) or 1.0
    for point in sorted(dose, key=lambda p: p.multiple):
        bar = round(_BAR * min(abs(point.change) / top, 1.0)) * "█"
        beyond = beyond_null(point)
        table.add_row(
            Text(multiple_words(point.multiple)),
            Text(figure(point.kl)),
            Text(signed_words(point.change, point.interval), style="bold" if beyond else ""),
            Text(f"{signed(point.null_low)} to {signed(point.null_high)}", style="dim"),
            Text.assemble(
                f"{PASSED if beyond else FAILED} ", (bar, "yellow" if point.change > 0 else "blue")
            ),
        )
    return table


def _grid(cells: Sequence[StressCell]) -> Table:
    """Layers by levels; each cell its change with a tick or a cross."""
    levels = sorted({c.level for c in cells})
    table = _table()
    table.add_column("block", justify="right")
    for level in levels:
        table.add_column(f"KL {figure(level)}", justify="right", no_wrap=True)
    at = {(c.layer, c.level): c for c in cells}
    for layer in sorted({c.layer for c in cells}, reverse=True):
        row = [_cell(at[layer, level]) if (layer, level) in at else Text("") for level in levels]
        table.add_row(Text(str(layer)), *row)
    return table


def _cell(cell: StressCell) -> Text:
    sign, style = (PASSED, "green") if cell.passed else (FAILED, "red")
    return Text.assemble(signed(cell.change, 1), (sign, style))


def _checks(checks: Sequence[StressCheck]) -> RenderableType:
    if not checks:
        return Text("none was made", style="dim")
    grid = Table.grid(padding=(0, 1))
    for _ in range(3):
        grid.add_column(overflow="fold")
    for check in checks:
        style = {True: "green", False: "red", None: "yellow"}[check.passed]
        name = Text(f"{check_sign(check)} {safe_text(check.name)}", style=style)
        grid.add_row(name, Text(check_words(check)), Text(safe_text(check.words), style="dim"))
    return grid


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)


def _heading(words: str) -> RenderableType:
    return Padding(Text(words, style="bold"), (1, 0, 0, 0))
