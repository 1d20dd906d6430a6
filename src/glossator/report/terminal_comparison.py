"""A feature's explanations side by side on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from glossator.comparison import Comparison
from glossator.report.candidates_view import (
    AnswerView,
    CandidateView,
    ComparisonView,
    TopicView,
    comparison_view,
)
from glossator.report.wording import NOTHING

CHOSEN_MARK = "*"


def render_comparison(comparison: Comparison) -> RenderableType:
    """Every explanation, then every question with each explanation's answer."""
    view = comparison_view(comparison)
    parts: list[RenderableType] = [_explanations(comparison, view)]
    parts += [_topic_table(topic, view) for topic in view.topics]
    parts += [Text(line, style="dim") for line in _remarks(view)]
    return Group(*parts)


def candidates_table(comparison: Comparison) -> RenderableType:
    """The explanations with their headline scores and differences, for a feature's card."""
    view = comparison_view(comparison)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("explanation", ratio=1, min_width=16, overflow="fold")
    for name in ("detect.\nrandom", "detect.\nhard", "F1\n@0.3"):
        table.add_column(name, justify="right", overflow="fold")
    for candidate in view.candidates:
        label = Text(candidate.label, style="bold" if candidate.chosen else "")
        about = Text(f"\n{_about(candidate)}", style="dim not bold")
        cells = (_headline_cell(cell) for cell in candidate.cells)
        table.add_row(_mark(candidate.number, candidate.chosen), label.append_text(about), *cells)
    return Group(table, *(Text(line, style="dim") for line in _remarks(view)))


def _explanations(comparison: Comparison, view: ComparisonView) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for candidate in view.candidates:
        lines = [Text(candidate.label, style="bold"), Text(_about(candidate), style="dim")]
        lines += [Text(f"⚑ {f.name}: {f.meaning}", style="yellow") for f in candidate.flags]
        grid.add_row(_mark(candidate.number, candidate.chosen), Text("\n").join(lines))
    return Group(Text(str(comparison.feature), style="bold"), grid)


def _about(candidate: CandidateView) -> str:
    """Method, author, prompts and standing, in one line."""
    parts = [candidate.method, f"by {candidate.author}"]
    if candidate.prompts:
        parts.append(f"asked with {candidate.prompts}")
    parts.append("with a rule" if candidate.predicate else "without a rule")
    if candidate.validated:
        parts.append(f"validate {candidate.validated}")
    if candidate.earlier:
        parts.append("from an earlier card")
    return ", ".join([*parts, candidate.explanation_id])


def _topic_table(topic: TopicView, view: ComparisonView) -> RenderableType:
    """One block a topic; a row for each metric and explanation."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("", overflow="fold")
    table.add_column("", no_wrap=True)
    table.add_column("value, 95 % interval", min_width=17)
    table.add_column("n", justify="right")
    against = "" if view.reference is None else f"minus {view.reference}, 95 % interval"
    table.add_column(against, min_width=21)
    table.add_column("paired n" if against else "", justify="right")
    for metric in topic.metrics:
        for k, answer in enumerate(metric.answers):
            style = "bold" if answer.chosen else ""
            table.add_row(
                Text(metric.name if k == 0 else ""),
                _mark(answer.number, answer.chosen),
                Text(f"{answer.value} {answer.interval}".strip(), style=style),
                Text(answer.n),
                Text(answer.difference),
                Text(answer.pairs),
            )
    parts: list[RenderableType] = [Text(topic.name, style="bold"), Text(topic.about, style="dim"), table]
    parts += [Text(line, style="yellow") for line in _unscored(topic)]
    parts += [Text(f"no difference: {note}", style="dim") for note in topic.notes]
    return Padding(Group(*parts), (1, 0, 0, 0))


def _unscored(topic: TopicView) -> Iterator[str]:
    """What was left out, said once where all metrics left out the same."""
    said: dict[tuple[int, str], list[str]] = {}
    for metric in topic.metrics:
        for answer in metric.answers:
            if answer.unscored:
                said.setdefault((answer.number, answer.unscored), []).append(metric.name)
    for (place, unscored), names in sorted(said.items()):
        where = "" if len(names) == len(topic.metrics) else f" ({', '.join(names)})"
        yield f"explanation {place}: {unscored}{where}"


def _headline_cell(cell: AnswerView | None) -> Text:
    """The value with its interval beneath, and the difference beneath that."""
    if cell is None:
        return Text(NOTHING, style="dim")
    shown = Text(cell.value)
    for line in (cell.interval, cell.difference):
        if line:
            shown.append(f"\n{line}", style="dim")
    return shown


def _mark(place: int, chosen: bool) -> Text:
    return Text(f"{place}{CHOSEN_MARK if chosen else ' '}", style="bold" if chosen else "")


def _remarks(view: ComparisonView) -> Iterator[str]:
    """What a reader must know to read the tables."""
    if any(c.chosen for c in view.candidates):
        yield f"{CHOSEN_MARK} shown on the feature's card; chosen on validate texts, not by these scores"
    if view.reader:
        yield f"detection read by {view.reader}"
    if view.reference is not None and any(
        a.difference for t in view.topics for m in t.metrics for a in m.answers
    ):
        yield (
            f"differences are against explanation {view.reference}, on the examples that both were "
            "scored on, with whole documents drawn for both"
        )
