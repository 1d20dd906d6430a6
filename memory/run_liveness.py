"""Which workers of a labelling run can still be alive, read without holding anybody up."""

from __future__ import annotations

from sqlalchemy import select, text

from glossator.memory.lease_clock import Moment, boot_id, is_over, seconds_since_boot
from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import RunWorkerRow


def living_workers(ledger: Ledger, run: str) -> frozenset[str]:
    """Workers of `run` that have not ended, and whose time is not over."""
    table = RunWorkerRow
    query = select(table.id, table.boot, table.alive_until).where(table.run == run, table.state == "alive")
    rows = ledger.read_rows(query)
    now = _now(ledger) if rows else Moment("", 0.0)
    return frozenset(r["id"] for r in rows if not is_over(Moment(r["boot"], r["alive_until"]), now))


def _now(ledger: Ledger) -> Moment:
    if not ledger.is_server:
        return Moment(boot_id(), seconds_since_boot())
    rows = ledger.read_rows(text("SELECT extract(epoch FROM clock_timestamp()) AS seconds"))
    return Moment("", float(rows[0]["seconds"]))
