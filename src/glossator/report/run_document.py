"""A run's report as sections of words and tables, from which both the page and the Markdown are made."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from glossator.records import Estimate, Interval, Reason
from glossator.report.plots import WhiskerPlot
from glossator.report.run_plots import PacePlot, ScorePlot
from glossator.report.wording import NOTHING, count, signed_words, value_words


class CellKind(StrEnum):
    """How a cell is dressed."""

    TEXT = "text"
    NUMBER = "num"
    VERDICT = "verdict"
    FEATURE = "feature"
    """A feature's number, which `glossator show` opens."""


class Cell(NamedTuple):
    """A cell of a table."""

    text: str
    kind: CellKind = CellKind.TEXT
    small: str = ""
    """A second line."""


Row = tuple[Cell, ...]


class Table(NamedTuple):
    """A table."""

    head: tuple[str, ...]
    rows: tuple[Row, ...]
    caption: str = ""
    note: str = ""
    """What was left out, and how to read it."""
    folded: bool = False
    """Shown only when it is asked for."""
    wide: int = 0
    """The column that takes the room."""
    whiskers: tuple[WhiskerPlot | None, ...] = ()
    """One drawing behind each row; none, or as many as rows."""


class Section(NamedTuple):
    """A part of the report."""

    anchor: str
    title: str
    lead: tuple[str, ...] = ()
    """Paragraphs before the tables."""
    tables: tuple[Table, ...] = ()
    scores: tuple[ScorePlot, ...] = ()
    """Histograms, drawn on the page; the Markdown draws them in characters."""
    pace: PacePlot | None = None


class Tile(NamedTuple):
    """A count at the head of the page."""

    value: str
    words: str
    kind: str = ""
    """Style: a verdict, or nothing."""


class RunDocument(NamedTuple):
    """The whole report in words."""

    title: str
    subtitle: str
    tiles: tuple[Tile, ...]
    summary: tuple[str, ...]
    sections: tuple[Section, ...]
    reading: tuple[str, ...]
    """How to read it."""


def number_cell(value: int) -> Cell:
    """A count."""
    return Cell(count(value), CellKind.NUMBER)


def feature_cell(feature: int) -> Cell:
    """A feature's number."""
    return Cell(str(feature), CellKind.FEATURE)


def verdict_cell(verdict: str) -> Cell:
    """A verdict."""
    return Cell(verdict, CellKind.VERDICT)


def label_cell(label: str) -> Cell:
    """A label."""
    return Cell(label or "no label")


def value_cell(value: float | None, interval: Interval | None, small: str = "") -> Cell:
    """A value with its interval."""
    return Cell(value_words(value, interval), CellKind.NUMBER, small)


def estimate_cell(estimate: Estimate, unit: str = "n") -> Cell:
    """An estimate with its interval, and n beneath it."""
    return Cell(value_words(estimate.value, estimate.interval), CellKind.NUMBER, n_words(estimate, unit))


def difference_cell(estimate: Estimate) -> Cell:
    """A signed estimate with its interval."""
    return Cell(signed_words(estimate.value, estimate.interval), CellKind.NUMBER, n_words(estimate))


def n_words(estimate: Estimate, unit: str = "n") -> str:
    """`n = 812`."""
    return f"{unit} = {count(estimate.n)}"


def reasons_table(reasons: tuple[Reason, ...], caption: str, unit: str, *, most: int = 25) -> Table:
    """Reasons with their counts; the rarest are put together."""
    rows = [(Cell(r.words), number_cell(r.n)) for r in reasons[:most]]
    rest = sum(r.n for r in reasons[most:])
    if rest:
        rows.append((Cell(f"{len(reasons) - most} other reasons"), number_cell(rest)))
    return Table(("Reason", unit), tuple(rows), caption)


def counted(n: int, one: str, many: str = "") -> str:
    """`1 worker`, `3 workers`; `many` where an s is not enough."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def features_words(features: tuple[int, ...], n: int) -> str:
    """`3, 17, 20 and 14 more`."""
    listed = ", ".join(str(f) for f in features)
    more = n - len(features)
    return f"{listed} and {count(more)} more" if more > 0 else listed or NOTHING
