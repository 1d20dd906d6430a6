"""The stress grid as small heat maps, one per context family; `causal.jinja` draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from glossator.records import ContextFamily, StressCell
from glossator.report.causal_wording import FAILED, FAMILY_WORDS, cell_words, figure, tally
from glossator.report.wording import signed

_CELL_WIDTH, _CELL_HEIGHT = 46.0, 26.0
_LABELS = 34.0
"""Room for the layers' numbers."""
_BRIGHT = 0.55


class PanelCell(NamedTuple):
    """One cell, in drawing units."""

    x: float
    y: float
    value: str
    shade: float
    """Size of the change as a share of the largest of the report, 0 to 1."""
    raises: bool
    """The concept gets likelier."""
    bright: bool
    """Coloured so strongly that black text reads best on either background."""
    mark: str
    """A cross where the cell fails; empty where it passes."""
    words: str


class PanelLabel(NamedTuple):
    """A layer or a level."""

    at: float
    words: str


class StressPanel(NamedTuple):
    """Layers by strengths, for one family."""

    family: str
    tally: str
    cells: tuple[PanelCell, ...]
    layers: tuple[PanelLabel, ...]
    levels: tuple[PanelLabel, ...]
    width: float
    height: float
    words: str
    cell_width: float = _CELL_WIDTH
    cell_height: float = _CELL_HEIGHT
    left: float = _LABELS


def stress_panels(cells: Sequence[StressCell]) -> tuple[StressPanel, ...]:
    """One panel for each family that has cells; rows are layers, deepest on top, columns levels."""
    largest = max((abs(_change(c)) for c in cells), default=0.0) or 1.0
    by_family = {family: [c for c in cells if c.family is family] for family in ContextFamily}
    return tuple(_panel(f, own, largest) for f, own in by_family.items() if own)


def _panel(family: ContextFamily, cells: Sequence[StressCell], largest: float) -> StressPanel:
    layers = sorted({c.layer for c in cells}, reverse=True)
    levels = sorted({c.level for c in cells})
    counted = tally(tuple(cells))
    return StressPanel(
        family=FAMILY_WORDS[family],
        tally=counted,
        cells=tuple(
            _cell(
                c,
                _LABELS + levels.index(c.level) * _CELL_WIDTH,
                layers.index(c.layer) * _CELL_HEIGHT,
                largest,
            )
            for c in cells
        ),
        layers=tuple(PanelLabel((i + 0.65) * _CELL_HEIGHT, str(n)) for i, n in enumerate(layers)),
        levels=tuple(PanelLabel(_LABELS + (i + 0.5) * _CELL_WIDTH, figure(v)) for i, v in enumerate(levels)),
        width=_LABELS + len(levels) * _CELL_WIDTH,
        height=len(layers) * _CELL_HEIGHT + 34,
        words=f"Stress grid on {FAMILY_WORDS[family]}: {counted}; those that fail are listed below",
    )


def _cell(cell: StressCell, x: float, y: float, largest: float) -> PanelCell:
    share = min(abs(_change(cell)) / largest, 1.0)
    return PanelCell(
        x=round(x, 2),
        y=round(y, 2),
        value=signed(cell.change, 1),
        shade=round(share, 3),
        raises=_change(cell) > 0,
        bright=share > _BRIGHT,
        mark="" if cell.passed else FAILED,
        words=cell_words(cell),
    )


def _change(cell: StressCell) -> float:
    """The change, 0 where there is none: such a cell has no colour, and its number is a dash."""
    return cell.change if cell.change is not None and math.isfinite(cell.change) else 0.0
