"""The written rule that makes a letter of a stress grid and its checks; in words in docs/stress.md.

The share of passing cells gives a letter; what else failed can only cap it. Nothing is weighed against
anything: a reader can redo the grade by hand, and every cap and failing cell is among the reasons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from glossator.records import Interval, InterventionScore, StressCell, StressCheck

SHARES = (("A", 0.9), ("B", 0.75), ("C", 0.5), ("D", 0.25))
"""Least share of passing cells for each letter; F below."""
LEXICAL = "lexical neighbours"
SCORE = "intervention score"
_LETTERS = "ABCDF"


class Grade(NamedTuple):
    """What the rule decides."""

    letter: str
    """`A` to `D`, or `F`."""
    reasons: tuple[str, ...]
    """What lowered it, then the share, then what failed or could not be tested."""


class _Cap(NamedTuple):
    letter: str
    reason: str


def grade(cells: Sequence[StressCell], checks: Sequence[StressCheck], band: Interval | None) -> Grade:
    """The letter and its reasons; the same for the same report.

    Args:
        cells: the grid; none where nothing rises (no concept).
        checks: the other tests; one without a bound informs only, one that could not be made is named.
        band: the working band; None where there is none.
    """
    if not cells:
        return Grade("F", ("F: no concept to test, as no token rises in most prompts, or no prompt",))
    passed = sum(cell.passed for cell in cells)
    share = passed / len(cells)
    letter = next((name for name, least in SHARES if share >= least), "F")
    counted = f"{passed} of {len(cells)} cells pass ({share:.0%}): {letter}"
    caps = sorted(_caps(checks, band), key=lambda cap: cap.letter, reverse=True)
    worst = max((letter, *(cap.letter for cap in caps)), key=_LETTERS.index)
    return Grade(
        worst,
        (
            *(f"at most {cap.letter}: {cap.reason}" for cap in caps if cap.letter > letter),
            counted,
            *(f"at most {cap.letter}: {cap.reason}" for cap in caps if cap.letter <= letter),
            *failing_in_words(cells),
            *(f"not tested: {c.name}: {c.words}" for c in checks if c.passed is None),
        ),
    )


def score_check(score: InterventionScore | None) -> StressCheck:
    """The intervention score as a check of the grade: its excess over random directions is above 0."""
    if score is None or score.excess is None or score.excess_interval is None:
        words = "no intervention score: nothing was explained, or its level was not reached"
        return StressCheck(name=SCORE, passed=None, value=None, interval=None, bound=0.0, words=words)
    interval = score.excess_interval
    return StressCheck(
        name=SCORE,
        passed=interval.low > 0,
        value=score.excess,
        interval=interval,
        bound=0.0,
        n=score.score.n_positive,
        words=(
            f"at KL {score.target_kl:g} steered continuations carry the explanation in "
            f"{score.excess:.0%} more cases than random directions of the same norm carry theirs "
            f"(95 % interval {interval.low:.0%} to {interval.high:.0%})"
        ),
    )


def failing_in_words(cells: Sequence[StressCell]) -> tuple[str, ...]:
    """Every failing cell, by reason, most frequent reason first."""
    by_reason: dict[str, list[StressCell]] = {}
    for cell in cells:
        if not cell.passed:
            by_reason.setdefault(cell.reason, []).append(cell)
    ordered = sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        f"{len(failing)} failing, {reason}: " + "; ".join(_place(cell) for cell in failing)
        for reason, failing in ordered
    )


def _place(cell: StressCell) -> str:
    return f"layer {cell.layer}, KL {cell.level:+g}, {cell.family}"


def _caps(checks: Sequence[StressCheck], band: Interval | None) -> list[_Cap]:
    failed = [c for c in checks if c.passed is False and c.bound is not None]
    caps: list[_Cap] = []
    if band is None:
        caps.append(_Cap("B", "no strength at which the concept rises and the text stays fluent"))
    for check in failed:
        letter = {SCORE: "D", LEXICAL: "C"}.get(check.name, "B")
        caps.append(_Cap(letter, f"{check.name} failed: {check.words}"))
    if len(failed) > 1:
        caps.append(_Cap("C", f"{len(failed)} checks failed"))
    return caps
