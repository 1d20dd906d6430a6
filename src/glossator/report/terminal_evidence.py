"""Evidence on a terminal: what was measured, how, what came out, and who cites it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from pydantic import ValidationError
from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from glossator.agents.tools.evidence_summary import about, summary_lines
from glossator.agents.tools.rerun import Rerun
from glossator.memory.citations import Citations
from glossator.records import AnyEvidence, Evidence, EvidenceKind, Experiment, Outcome, Window
from glossator.report.activation_shade import peak_activation
from glossator.report.terminal_ablation import render_ablation
from glossator.report.terminal_card import window_text
from glossator.report.terminal_steering import render_steering
from glossator.report.token_marks import safe_text, token_text

_LONGEST = 400
_OUTCOME_STYLES = {Outcome.FIRES: "bold", Outcome.WEAK: "yellow", Outcome.SILENT: "dim"}


def render_evidence(
    evidence: AnyEvidence, cited: Citations, windows: Sequence[Window] | None = None
) -> RenderableType:
    """Everything that is stored of it.

    Args:
        evidence: What to show.
        cited: Who cites it.
        windows: The windows that it holds, with their texts; None where no index at hand has them.

    """
    parts: list[RenderableType] = [
        Text(safe_text(about(evidence)), style="bold"),
        _heading("Recipe"),
        _recipe(evidence),
        _heading("Came out"),
        _payload(evidence, windows),
        _heading("Cited by"),
        *(Text(safe_text(line)) for line in _citations(cited)),
    ]
    return Group(*parts)


def render_rerun(evidence: AnyEvidence, again: Rerun) -> RenderableType:
    """Whether measuring again gave the same, and what differs."""
    if again.reproduced:
        return Text(f"reproduced: measured again, {evidence.id} comes out the same", style="green")
    if again.reason:
        return Text(safe_text(f"not measured again: {again.reason}"), style="yellow")
    said = [Text(f"not reproduced: measured again, {evidence.id} comes out otherwise", style="bold red")]
    return Group(*said, *(Text(f"  {safe_text(line)}") for line in again.differences))


def _heading(words: str) -> RenderableType:
    return Padding(Text(words, style="bold"), (1, 0, 0, 0))


def _recipe(evidence: AnyEvidence) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    arguments = evidence.recipe.get("arguments")
    given = {f"  {key}": value for key, value in arguments.items()} if isinstance(arguments, dict) else {}
    for key, value in ({k: v for k, v in evidence.recipe.items() if k != "arguments"} | given).items():
        grid.add_row(Text(safe_text(key)), _value(value))
    return grid


def _payload(evidence: AnyEvidence, windows: Sequence[Window] | None) -> RenderableType:
    if windows is not None:
        return _windows(windows)
    try:
        own = _record(evidence)
    except ValidationError:
        own = None  # another version wrote it: shown as lines
    if own is not None:
        return own
    payload = evidence.payload
    if evidence.kind is not EvidenceKind.SCORE and isinstance(payload, dict) and _rows_of(payload):
        rest = [k for k in payload if k != "rows"]
        lines = [f"{key.replace('_', ' ')}: {_value(payload[key]).plain}" for key in rest]
        return Group(*(Text(safe_text(line)) for line in lines), _table(_rows_of(payload)))
    return Group(*(Text(safe_text(line)) for line in summary_lines(evidence)))


def _record(evidence: AnyEvidence) -> RenderableType | None:
    """Payloads that have a form of their own; None for the others."""
    text = json.dumps(evidence.payload)
    if evidence.kind is EvidenceKind.EXPERIMENT:
        return _experiment(Experiment.model_validate_json(text))
    if evidence.kind is EvidenceKind.STEERING:
        from glossator.agents.causal.steering_run import SteeringFindings

        return render_steering(SteeringFindings.model_validate_json(text))
    if evidence.kind is EvidenceKind.ABLATION and isinstance(evidence, Evidence):
        from glossator.agents.causal.ablation import AblationFindings
        from glossator.agents.causal.ablation_run import ablation_by

        by = ablation_by(str(evidence.recipe.get("by", "zero")))
        return render_ablation(evidence.feature, by, AblationFindings.model_validate_json(text))
    return None


def _windows(windows: Sequence[Window]) -> RenderableType:
    if not windows:
        return Text("no windows")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", style="dim")
    grid.add_column(overflow="fold")
    strongest = max(peak_activation(w) for w in windows)
    for window in windows:
        grid.add_row(f"{window.activations[window.peak]:.3g}", window_text(window, strongest))
    return grid


def _experiment(ran: Experiment) -> RenderableType:
    table = _plain_table("expected", "was", "activation", "on", "text")
    for tried in ran.tested:
        right = tried.outcome.value == tried.expected.value
        style = _OUTCOME_STYLES[tried.outcome] if right or tried.outcome is Outcome.WEAK else "bold red"
        table.add_row(
            Text(tried.expected.value), Text(tried.outcome.value, style=style),
            Text(f"{tried.activation:.3g}"), token_text(tried.token) if tried.token else Text(""),
            Text(safe_text(tried.text)),
        )  # fmt: skip
    why = list(dict.fromkeys(t.why for t in ran.tested if t.why))
    guess = [Text(safe_text(f"the guess: {w}")) for w in why[:1]]
    said = f"{ran.right} of {len(ran.tested)} as expected; a text fires above {ran.threshold:.3g}"
    return Group(*guess, Text(said), table)


def _rows_of(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = payload.get("rows")
    return [r for r in cast("list[Any]", rows) if isinstance(r, dict)] if isinstance(rows, list) else []


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = _plain_table(*(c.replace("_", " ") for c in columns))
    for row in rows:
        table.add_row(*(_value(row.get(column, "")) for column in columns))
    return table


def _plain_table(*columns: str) -> Table:
    return Table(*columns, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)


def _value(value: object) -> Text:
    if isinstance(value, float):
        return Text(f"{value:.4g}")
    if isinstance(value, str):
        return Text(safe_text(value[:_LONGEST]))
    if isinstance(value, list) and all(isinstance(v, str | int | float) for v in cast("list[object]", value)):
        return Text(safe_text(", ".join(str(v) for v in cast("list[object]", value))[:_LONGEST]))
    return Text(safe_text(json.dumps(value, ensure_ascii=False)[:_LONGEST]))


def _citations(cited: Citations) -> Iterable[str]:
    if not any(cited):
        yield "nothing"
    for card in cited.cards:
        yield f"card {card}"
    for finding in cited.findings:
        yield f"finding {finding.id}: {finding.text}"
    for investigation in cited.investigations:
        yield f"investigation {investigation}"
