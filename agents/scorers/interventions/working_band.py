"""The working band: strengths at which a feature does what is claimed, and the text stays fluent."""

from __future__ import annotations

from collections.abc import Sequence

from glossator.records import Interval, StressCell

FLUENT = 0.8
"""Share of clean fluency below which a strength does not count as working."""


def working_band(cells: Sequence[StressCell], layer: int) -> Interval | None:
    """The longest run of neighbouring strengths that work in the feature's own layer; None without any.

    A strength works where the feature is turned up, more than half of the families pass, and fluency,
    mean over families, is at least `FLUENT`. Of two runs of the same length the weaker is taken. The ends
    are multiples that were tested; what lies between two working ones was not.

    Args:
        cells: the grid.
        layer: the feature's own, at which continuations were generated.
    """
    by_multiple: dict[float, list[StressCell]] = {}
    for cell in cells:
        if cell.layer == layer and cell.level > 0:
            by_multiple.setdefault(cell.multiple, []).append(cell)
    best: list[float] = []
    run: list[float] = []
    for multiple in sorted(by_multiple):
        run = [*run, multiple] if _works(by_multiple[multiple]) else []
        best = max(best, run, key=len)
    return Interval(low=best[0], high=best[-1], method="strengths tested") if best else None


def _works(cells: Sequence[StressCell]) -> bool:
    """Cells of one strength, over the families."""
    fluency = [cell.fluency for cell in cells if cell.fluency is not None]
    if not fluency:
        return False
    return 2 * sum(cell.passed for cell in cells) > len(cells) and sum(fluency) / len(fluency) >= FLUENT
