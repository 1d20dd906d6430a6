"""Labelling runs on a terminal: a table of many, one as it stands, and the view that keeps up with it.

Every text goes through `rich.text.Text`, never through markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from glossator.records import RunEventKind, RunState, RunStatus, StoredRunEvent
from glossator.report.activation_shade import block_bars
from glossator.report.progress import duration_words, rate_words
from glossator.report.token_marks import safe_text
from glossator.report.wording import usd_words

_STATE = {
    RunState.RUNNING: "green",
    RunState.PAUSED: "yellow",
    RunState.STOPPED: "red",
    RunState.FINISHED: "bold green",
}
_REASONS = 6
_QUIET = (RunEventKind.WORKER_STARTED, RunEventKind.WORKER_ENDED)


def runs_table(statuses: Sequence[RunStatus]) -> Table:
    """One row a run."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("id", "state", "what", "done", "failed", "skipped", "left", "spent"):
        table.add_column(name, no_wrap=name in ("id", "state"))
    for one in statuses:
        counts, spent = one.counts, one.spent
        table.add_row(
            Text(one.run),
            Text(one.state.value, style=_STATE[one.state]),
            Text(safe_text(f"{one.depth.value} {one.selection}")),
            *(Text(f"{n:,}") for n in (counts.done, counts.failed, counts.skipped, counts.left)),
            Text(usd_words(spent.usd) if spent.calls else ""),
        )
    return table


def status_view(status: RunStatus, width: int = 40) -> RenderableType:
    """A run as it stands, all that is known of it."""
    parts: list[RenderableType] = [_head(status), _bar(status, width), _facts(status)]
    parts += [table for table in (_workers(status), _fresh(status)) if table.row_count]
    if status.trouble:
        parts.append(Text("\n".join(safe_text(line) for line in status.trouble), style="red"))
    return Group(*parts)


def watch_view(status: RunStatus, events: Sequence[StoredRunEvent]) -> RenderableType:
    """The same, with what happened lately below."""
    told = [stored for stored in events if stored.event.kind not in _QUIET][-5:]
    lines = [f"{stored.at[11:19]}  {safe_text(stored.event.words)}" for stored in told]
    happened = Text("\n".join(lines) or "nothing yet", style="dim")
    return Panel(Group(status_view(status), Text(), happened), title=Text(f"run {status.run}"))


def status_line(status: RunStatus) -> str:
    """A run as it stands, in one line for a log."""
    counts = status.counts
    parts = [
        f"{status.run} {status.state.value}: {counts.done:,} done, {counts.failed:,} failed, "
        f"{counts.skipped:,} skipped, {counts.left:,} left ({counts.leased:,} in work)",
        _pace(status),
        f"spent {spent_words(status)}",
        *(status.trouble[-1:]),
    ]
    return safe_text("; ".join(part for part in parts if part))


def spent_words(status: RunStatus) -> str:
    """What was spent, against the budget where there is one."""
    spent = status.spent
    if not spent.calls and not status.budget:
        return "no calls"
    money = "price unknown" if spent.usd is None else usd_words(spent.usd)
    words = f"{money}, {spent.calls:,} calls"
    if spent.unaccounted_calls:
        words += f", up to {spent.unaccounted_calls:,} more by lost workers"
    return f"{words} of {status.budget}" if status.budget else words


def _head(status: RunStatus) -> Text:
    head = Text(f"{status.run}  ").append(status.state.value, style=_STATE[status.state])
    return head.append(f"  {status.depth.value} of {safe_text(status.selection)}")


def _bar(status: RunStatus, width: int) -> Table:
    counts = status.counts
    ended = counts.total - counts.left
    filled = width * ended // max(1, counts.total)
    row = Table.grid(padding=(0, 1))
    row.add_row(
        Text("█" * filled).append("░" * (width - filled), style="dim"),
        Text(f"{ended:,}/{counts.total:,}"),
    )
    return row


def _pace(status: RunStatus) -> str:
    parts = []
    if status.features_per_minute is not None:
        parts.append(f"{rate_words(status.features_per_minute)} features/min")
    if status.seconds_left:
        parts.append(f"{duration_words(status.seconds_left)} left")
    if status.will_finish is not None and status.counts.left:
        parts.append(f"{status.will_finish:,} will be done")
    return ", ".join(parts)


def _facts(status: RunStatus) -> Table:
    counts = status.counts
    table = Table.grid(padding=(0, 2))
    rows = [
        ("features", f"{counts.done:,} done, {counts.failed:,} failed, {counts.skipped:,} skipped, "
         f"{counts.leased:,} in work, {counts.planned:,} planned"),
        ("pace", _pace(status)),
        ("spent", spent_words(status)),
        ("until", status.until),
        ("verdicts", most_frequent(status.verdicts)),
        ("scores", score_bars(status.score_deciles)),
        ("failures", most_frequent(status.failures)),
        ("skipped", most_frequent(status.skipped)),
        ("unscored", most_frequent(status.unscored)),
    ]  # fmt: skip
    for name, words in rows:
        if words:
            table.add_row(Text(name, style="dim"), Text(safe_text(words)))
    return table


def most_frequent(counts: Mapping[str, int]) -> str:
    """Reasons with their numbers, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{n:,} {reason}" for reason, n in ordered[:_REASONS]]
    return "; ".join(shown) + (f"; and {len(ordered) - _REASONS} more" if len(ordered) > _REASONS else "")


def score_bars(deciles: Sequence[int]) -> str:
    """How scores from 0 to 1 are distributed, as ten bars; empty before the first."""
    bars = block_bars([float(n) for n in deciles])
    return bars and f"0 │{bars}│ 1  ({sum(deciles):,} scored)"


def _workers(status: RunStatus) -> Table:
    table = Table("worker", "on", "features", "requests", "busy", "", box=box.SIMPLE_HEAD)
    for one in status.workers:
        busy = "" if one.busy_share is None else f"{one.busy_share:.0%}"
        told = "" if one.alive else "gone"
        told = f"waits for {one.outage}" if one.alive and one.outage else told
        requests = f"{one.in_flight} of {one.slots}" if one.slots else ""
        cells = (one.worker, f"{one.host} ({one.process})", str(one.in_work), requests, busy, told)
        table.add_row(*(Text(safe_text(cell)) for cell in cells))
    return table


def _fresh(status: RunStatus) -> Table:
    table = Table("feature", "verdict", "score", "latest labels", box=box.SIMPLE_HEAD)
    for one in status.fresh:
        value = "" if one.value is None else f"{one.value:.2f}"
        cells = (str(one.feature.index), one.verdict, value, one.label or "no label")
        table.add_row(*(Text(safe_text(cell)) for cell in cells))
    return table
