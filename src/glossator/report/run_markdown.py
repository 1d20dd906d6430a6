"""The report of a labelling run as Markdown: the same words and tables as the page, drawings in characters.

Whatever comes from models, memory or a ledger is escaped, so that it can make neither markup nor a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import glossator
from glossator.records import RunReport
from glossator.report.run_document import Cell, CellKind, Section, Table
from glossator.report.run_page import run_document
from glossator.report.token_marks import safe_text

_SIGNS = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")
_BLOCK = re.compile(r"^(\d{0,9})([.)+=-])(?=[\s=-]|$)")
"""Where a line so begins, it is a list, a rule or a heading."""
_LINK = re.compile(r"(?i)(?=://)|(?<=www)(?=\.)|(?<=@)(?=[\w.+-])|(?<=#)(?=\d)|(?<=\bgh)(?=-\d)")
"""Where GitHub would see an address, somebody's name or an issue's number, escaped or not: after
https://github.github.com/gfm/#autolinks-extension- and what it makes of text afterwards."""
_BREAK = "\u200b"
"""Of no width: keeps what looks like an address from being made a link."""


def run_report_markdown(report: RunReport) -> str:
    """The report as Markdown (CommonMark with tables)."""
    document = run_document(report)
    tiles = " · ".join(f"**{tile.value}** {tile.words}" for tile in document.tiles)
    lines = [f"# {plain(document.title)}", "", plain(document.subtitle), "", tiles, ""]
    lines += [f"- {plain(line)}" for line in document.summary]
    for section in document.sections:
        lines += ["", *_section(section)]
    lines += ["", "## How to read this", ""]
    for paragraph in document.reading:
        lines += [plain(paragraph), ""]
    lines.append(f"Made by Glossator {plain(glossator.__version__)}.")
    return "\n".join(lines).encode("utf-8", "replace").decode() + "\n"


def plain(text: str) -> str:
    """`text` with whatever Markdown or HTML would read as markup written out; on one line."""
    escaped = _SIGNS.sub(r"\\\1", " ".join(safe_text(text).split()))
    return _LINK.sub(_BREAK, _BLOCK.sub(r"\1\\\2", escaped))


def _section(section: Section) -> Iterator[str]:
    yield f"## {plain(section.title)}"
    for paragraph in section.lead:
        yield ""
        yield plain(paragraph)
    for plot in section.scores:
        yield ""
        yield f"- {plain(plot.title)}, {plain(plot.against)}: `{plot.low} {plot.blocks} {plot.high}`"
    if section.pace is not None:
        yield ""
        yield f"{plain(section.pace.words)}: `{section.pace.blocks}`"
    for table in section.tables:
        yield ""
        yield from _table(table)


def _table(table: Table) -> Iterator[str]:
    if table.caption:
        yield f"**{plain(table.caption)}**"
        yield ""
    if table.note:
        yield plain(table.note)
        yield ""
    numbers = [bool(table.rows) and row_kind in _RIGHT for row_kind in _kinds(table)]
    yield _row([plain(h) for h in table.head])
    yield _row(["---:" if number else "---" for number in numbers])
    for row in table.rows:
        yield _row([_cell(cell) for cell in row])


_RIGHT = (CellKind.NUMBER, CellKind.FEATURE)


def _kinds(table: Table) -> list[CellKind]:
    return [cell.kind for cell in table.rows[0]] if table.rows else [CellKind.TEXT for _ in table.head]


def _cell(cell: Cell) -> str:
    return plain(cell.text) + (f" ({plain(cell.small)})" if cell.small else "")


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
