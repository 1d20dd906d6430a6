"""What features of a labelling run have cost, for workers that must know whether the budget pays for more."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select

from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import WorkItemRow
from glossator.records import ItemState, LlmSpending


class ItemCost(NamedTuple):
    """What one finished feature cost."""

    variant: int
    """Which of the plan's ways it was done in."""
    spending: LlmSpending


def item_costs(ledger: Ledger, run: str, most: int = 500) -> list[ItemCost]:
    """Of the features of `run` that were done last and asked something, newest first."""
    items = WorkItemRow
    query = select(items.variant, items.spending).where(
        items.run == run, items.state == ItemState.DONE.value, items.spending.is_not(None)
    )
    rows = ledger.read_rows(query.order_by(items.ended.desc()).limit(most))
    costs = [ItemCost(r["variant"], LlmSpending.model_validate_json(r["spending"])) for r in rows]
    return [cost for cost in costs if cost.spending.calls]


def next_features(ledger: Ledger, run: str, n: int) -> list[str]:
    """The first `n` features, as text, that are still planned."""
    items = WorkItemRow
    query = select(items.feature).where(items.run == run, items.state == ItemState.PLANNED.value)
    return [r["feature"] for r in ledger.read_rows(query.order_by(items.number).limit(n))]
