"""Cards on a terminal: a table of many, and a line of JSON for programs.

Every text goes through `rich.text.Text`, never through markup, so a token `[red]` stays itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from rich import box, get_console
from rich.table import Table
from rich.text import Text

from glossator.records import Baseline, FeatureCard, Score
from glossator.report.headline import Headline, headline, is_llm
from glossator.report.terminal_card import label_text, render_card, verdict_text
from glossator.report.token_marks import safe_text
from glossator.report.wording import FLAG_WORDS, NOTHING, baseline_n_words, density_words, number

__all__ = ["card_json_line", "cards_table", "render_card"]


class _Column(NamedTuple):
    """A column of the table, and the least terminal width at which it is shown."""

    heading: str
    from_width: int


_COLUMNS = (
    _Column("index", 0),
    _Column("label", 0),
    _Column("verdict", 0),
    _Column("detect.\nrandom", 56),
    _Column("detect.\nhard", 66),
    _Column("F1\n@0.3", 76),
    _Column("shuff-\nled", 76),
    _Column("density", 92),
    _Column("flags", 92),
    _Column("read by", 104),
)
_READER_WIDTH = 14


def cards_table(cards: Sequence[FeatureCard], width: int | None = None) -> Table:
    """One row a card; intervals stand beneath their values.

    Where an LLM read a label, detection is its; a wide table then says who read.

    Args:
        cards: What to show, in this order.
        width: Columns of the terminal; the current console's if None. Narrow ones get fewer columns.

    """
    width = get_console().width if width is None else width
    rows = [_row(card) for card in cards]
    read_by_llm = any(row[-1].plain for row in rows)
    shown = [
        i
        for i, column in enumerate(_COLUMNS)
        if width >= column.from_width and (column.heading != "read by" or read_by_llm)
    ]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for i in shown:
        name = _COLUMNS[i].heading
        is_label = name == "label"
        table.add_column(
            Text(name),
            ratio=1 if is_label else None,
            min_width=16 if is_label else None,
            justify="left" if name in ("label", "verdict", "flags", "read by") else "right",
            max_width=_READER_WIDTH if name == "read by" else None,
            overflow="fold",
            no_wrap=name in ("index", "verdict", "flags"),
        )
    for cells in rows:
        table.add_row(*(cells[i] for i in shown))
    return table


def card_json_line(card: FeatureCard) -> str:
    """The card as one line of ASCII JSON, without the newline; read it back with `model_validate_json`."""
    return json.dumps(json.loads(card.model_dump_json()), separators=(",", ":"))


def _row(card: FeatureCard) -> list[Text]:
    """The cells of one card, in the order of the columns."""
    shown: Headline = headline(card)
    scores = (shown.detection_random, shown.detection_hard, shown.f1, shown.shuffled)
    flags = card.explanation.flags if card.explanation else ()
    return [
        Text(str(card.feature.index), style="bold"),
        label_text(card),
        verdict_text(card),
        *(_stacked(s) if s else Text(NOTHING, style="dim") for s in scores),
        Text(density_words(card.density)),
        Text(" ".join(FLAG_WORDS[f].short for f in flags)),
        Text(_llm_reader(shown), style="dim"),
    ]


def _llm_reader(shown: Headline) -> str:
    score = shown.detection_random
    return safe_text(score.reader) if score is not None and is_llm(score.reader) else ""


def _stacked(measured: Score | Baseline) -> Text:
    """A value with its interval beneath, as `.88–.95`, and beneath a baseline's how many it rests on."""
    shown, interval = Text(number(measured.value)), measured.interval
    if interval is not None:
        ends = "–".join(number(end).removeprefix("0") for end in (interval.low, interval.high))
        shown.append(f"\n{ends}", style="dim")
    if isinstance(measured, Baseline) and (n := baseline_n_words(measured)):
        shown.append(f"\n{n.replace(' + ', '+')}", style="dim")
    return shown
