"""Investigations on a terminal: a table of many, and a summary of one with its audit.

Every text goes through `rich.text.Text`, never through markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from glossator.records import Answer, FeatureInvestigation, StoredEvent
from glossator.report.token_marks import safe_text
from glossator.report.trace_events_view import ClaimView, events_by_step
from glossator.report.trace_view import FlagView, HypothesisView, ResultView, TraceView, trace_view
from glossator.report.wording import usd_words

if TYPE_CHECKING:
    from glossator.investigation_reading import ListedInvestigation, ReadInvestigation
else:
    ListedInvestigation = ReadInvestigation = Any

_STATE = {"finished": "green", "failed": "red", "unfinished": "yellow"}
_VERDICT = {"accepted": "bold green", "tentative": "bold yellow", "abstained": "bold"}
_STANDING = {"supported": "green", "doubtful": "yellow", "unsupported": "red"}


def investigations_table(listed: Sequence[ListedInvestigation]) -> Table:
    """One row an investigation, with what it came to and cost."""
    table = Table("id", "kind", "asked", "state", "came to", "when", "cost", box=box.SIMPLE_HEAD)
    for one in listed:
        stored = one.stored
        table.add_row(
            Text(stored.id),
            Text(stored.kind),
            Text(safe_text(stored.asked)),
            Text(stored.state, style=_STATE[stored.state]),
            Text(safe_text(outcome_words(one.result))),
            Text(stored.at[:16].replace("T", " ")),
            Text(_cost(one.result)),
        )
    return table


def outcome_words(result: FeatureInvestigation | Answer | None) -> str:
    """What an investigation came to, in a few words; empty where it has not finished."""
    if result is None:
        return ""
    if isinstance(result, Answer):
        return f"{len(result.claims)} claims" if result.enough else "not enough evidence"
    said = "no label" if result.explanation is None else result.explanation.text
    return f"{result.verdict.kind.value}: {said}"


def render_investigation(read: ReadInvestigation) -> RenderableType:
    """What was asked, what it came to, what was believed, the steps, and the audit."""
    view = trace_view(read.stored, read.events, read.flags)
    parts: list[RenderableType] = [
        Text.assemble((view.title, "bold"), "  ", (view.state, _STATE[view.state])),
        Text(view.subtitle, style="dim"),
        _facts(view),
    ]
    parts += _result(view.result) if view.result else []
    parts += [_hypotheses(view.hypotheses)] if view.hypotheses else []
    parts.append(_steps(view, read.events))
    parts += _audit(view.flags)
    return Group(*parts)


def _cost(result: FeatureInvestigation | Answer | None) -> str:
    if result is None:
        return "–"
    return usd_words(result.spending.usd) if result.spending.calls else "none"


def _facts(view: TraceView) -> Table:
    table = Table.grid(padding=(0, 2))
    for row in view.rows:
        table.add_row(Text(row.name, style="dim"), Text(row.value))
    return table


def _result(result: ResultView) -> list[RenderableType]:
    parts: list[RenderableType] = [Text()]
    if result.verdict:
        said = (result.label or "no label", "bold" if result.label else "italic")
        parts.append(Text.assemble((result.verdict, _VERDICT[result.verdict]), "  ", said))
        parts.append(Text(result.reason))
    elif result.label:
        parts.append(Text(result.label, style="bold"))
    parts += [_claim(number, claim) for number, claim in enumerate(result.claims, 1)]
    parts += [Text(f"{row.name}: {row.value}") for row in result.rows]
    return [*parts, *(Text(note, style="yellow") for note in result.notes)]


def _claim(number: int, claim: ClaimView) -> Text:
    told = Text.assemble(f"{number}. {claim.text}  ", (claim.standing, _STANDING[claim.standing]))
    told.append(f"  {' '.join(claim.evidence)}", style="dim")
    for struck in claim.struck:
        told.append(f" {struck}", style="strike dim")
    return told.append(f"  {claim.remark}" if claim.remark else "", style="dim")


def _hypotheses(hypotheses: Sequence[HypothesisView]) -> Table:
    table = Table("", "hypothesis", "origin", "believed", "", box=box.SIMPLE_HEAD)
    for one in hypotheses:
        style = "red" if one.state == "refuted" else "green" if one.state == "leads" else ""
        cells = (one.name, one.text, one.origin, one.probability)
        table.add_row(*(Text(cell) for cell in cells), Text(one.state, style=style))
    return table


def _steps(view: TraceView, events: Sequence[StoredEvent]) -> Table:
    table = Table("step", "events", "last", "cost", box=box.SIMPLE_HEAD)
    for step, own in zip(view.steps, events_by_step(events).values(), strict=True):
        last = Text(step.words, overflow="ellipsis", no_wrap=True)
        table.add_row(Text(step.name), Text(str(len(own))), last, Text(_step_cost(own), style="dim"))
    return table


def _step_cost(events: Sequence[StoredEvent]) -> str:
    spent = [s.event.spent for s in events if s.event.spent is not None]
    if not spent:
        return ""
    known = [s.usd for s in spent if s.usd is not None]
    usd = usd_words(sum(known) if len(known) == len(spent) else None)
    calls = sum(s.calls for s in spent)
    return f"{calls} call{'' if calls == 1 else 's'}, {usd}"


def _audit(flags: Sequence[FlagView]) -> list[RenderableType]:
    if not flags:
        return [Text("audit: nothing to report", style="green")]
    found = [Text.assemble(("⚑ ", "red"), (f.kind, "bold red"), f" · {f.words} · {f.step}") for f in flags]
    return [Text(f"audit: {len(flags)} to look at", style="bold"), *(Padding(f, (0, 0, 0, 2)) for f in found)]
