"""Features that were labelled before under the same settings, whichever run or command did it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import not_, or_, select

from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import CardRow, RunItemRow, RunRow, WorkItemRow
from glossator.records import ItemState


class DoneBefore(NamedTuple):
    """A feature's card, and where it is from."""

    card: str
    run: str


def done_before(ledger: Ledger, work_key: str, failures: Iterable[str] = ()) -> dict[str, DoneBefore]:
    """Features (as text) that have a card under `work_key`, the latest of each.

    Cards whose calls failed for one of `failures` (reasons as cards name them) are left out: doing such a
    feature again asks only what was not answered. No card is parsed.
    """
    failed = [CardRow.record.contains(f'"{reason}":') for reason in failures]
    query = (
        select(RunItemRow.feature, RunItemRow.card, RunItemRow.run)
        .join(RunRow, RunRow.id == RunItemRow.run)
        .where(RunRow.work_key == work_key)
        .order_by(RunItemRow.seq)
    )
    items = WorkItemRow
    worked = select(items.feature, items.card, items.run).where(
        items.work_key == work_key,
        items.state == ItemState.DONE.value,
        items.variant == 0,
        items.card.is_not(None),
    )
    if failed:
        query = query.join(CardRow, CardRow.id == RunItemRow.card).where(not_(or_(*failed)))
        worked = worked.join(CardRow, CardRow.id == items.card).where(not_(or_(*failed)))
    rows = [*ledger.read_rows(worked.order_by(items.ended)), *ledger.read_rows(query)]
    return {r["feature"]: DoneBefore(r["card"], r["run"]) for r in rows}
