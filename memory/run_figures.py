"""What the live view shows of a labelling run, summed up by the database."""

from __future__ import annotations

import time
from collections import Counter
from typing import NamedTuple

from sqlalchemy import case, func, select

from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import CardRow, ExplanationRow, WorkItemRow
from glossator.records import FeatureRef, FreshLabel, ItemState, LlmSpending

_RECENT_SPENDING = 500
_SKEW = 5000
"""Milliseconds by which the clocks of two machines may differ."""


class RunFigures(NamedTuple):
    """Counts over the features of a run that have ended."""

    verdicts: dict[str, int]
    deciles: tuple[int, ...]
    """Headline scores from 0 to 1 in ten bins."""
    failures: dict[str, int]
    """Reason to count."""
    skipped: dict[str, int]
    """Reason to count."""
    unscored: dict[str, int]
    """Reason to count, over the features that ended lately."""
    fresh: tuple[FreshLabel, ...]
    """Newest first."""


def run_figures(ledger: Ledger, run: str, fresh: int = 5) -> RunFigures:
    """The figures of `run`, with its `fresh` latest labels."""
    verdicts, deciles = _done(ledger, run)
    return RunFigures(
        verdicts=verdicts,
        deciles=deciles,
        failures=_by(ledger, run, ItemState.FAILED, "reason"),
        skipped=_by(ledger, run, ItemState.SKIPPED, "reason"),
        unscored=_unscored(ledger, run),
        fresh=_fresh(ledger, run, fresh),
    )


def ended_since(ledger: Ledger, run: str, milliseconds: int) -> int:
    """Features that ended after this moment of the wall clock.

    What ended later than now, by a clock that was set back since, is left out.
    """
    items, now = WorkItemRow, int(time.time() * 1000) + _SKEW
    query = select(func.count().label("n")).where(items.run == run, items.ended > milliseconds)
    return ledger.read_rows(query.where(items.ended <= now))[0]["n"]


def ended_times(ledger: Ledger, run: str) -> list[int]:
    """When each feature of `run` that was worked on ended, ascending, in milliseconds of the wall clock."""
    items = WorkItemRow
    worked = (ItemState.DONE.value, ItemState.FAILED.value)
    query = select(items.ended).where(items.run == run, items.state.in_(worked), items.ended > 0)
    return [row["ended"] for row in ledger.read_rows(query.order_by(items.ended))]


def _by(ledger: Ledger, run: str, state: ItemState, column: str) -> dict[str, int]:
    items = WorkItemRow
    said = getattr(items, column)
    query = select(said.label("said"), func.count().label("n"))
    query = query.where(items.run == run, items.state == state.value).group_by(said)
    rows = ledger.read_rows(query.order_by(func.count().desc()))
    return {r["said"]: r["n"] for r in rows if r["said"]}


class _Done(NamedTuple):
    verdicts: dict[str, int]
    deciles: tuple[int, ...]


def _done(ledger: Ledger, run: str) -> _Done:
    """Verdicts and scores of what is done, in one pass: over 10^6 features a pass takes seconds."""
    items = WorkItemRow
    bins = case(*((items.value < (i + 1) / 10, i) for i in range(9)), (items.value.is_not(None), 9))
    decile = bins.label("decile")
    query = select(items.verdict, decile, func.count().label("n"))
    query = query.where(items.run == run, items.state == ItemState.DONE.value)
    verdicts, deciles = Counter[str](), [0] * 10
    for row in ledger.read_rows(query.group_by(items.verdict, decile)):
        if row["verdict"]:
            verdicts[row["verdict"]] += row["n"]
        if row["decile"] is not None:
            deciles[row["decile"]] += row["n"]
    return _Done(dict(verdicts.most_common()), tuple(deciles))


def _unscored(ledger: Ledger, run: str) -> dict[str, int]:
    items = WorkItemRow
    query = select(items.spending).where(items.run == run, items.spending.is_not(None))
    rows = ledger.read_rows(query.order_by(items.ended.desc()).limit(_RECENT_SPENDING))
    counts: dict[str, int] = {}
    for row in rows:
        for reason, n in LlmSpending.model_validate_json(row["spending"]).unscored.items():
            counts[reason] = counts.get(reason, 0) + n
    return counts


def _fresh(ledger: Ledger, run: str, n: int) -> tuple[FreshLabel, ...]:
    items = WorkItemRow
    query = (
        select(items.feature, items.verdict, items.value, ExplanationRow.text)
        .join(CardRow, CardRow.id == items.card)
        .outerjoin(ExplanationRow, ExplanationRow.id == CardRow.explanation)
        .where(items.run == run, items.state == ItemState.DONE.value)
        .order_by(items.ended.desc())
        .limit(n)
    )
    return tuple(
        FreshLabel(
            feature=FeatureRef.parse(r["feature"]),
            label="" if r["verdict"] == "abstained" else r["text"] or "",
            verdict=r["verdict"],
            value=r["value"],
        )
        for r in ledger.read_rows(query)
    )
