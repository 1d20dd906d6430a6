"""What a worker of a labelling run does with one feature, whatever that is: a label, an investigation."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from glossator.memory.run_workers import Amount
from glossator.memory.work_queue import Ended, Lease


class WorkLoad(NamedTuple):
    """What the work is doing at present."""

    slots: int = 0
    """Requests to models that may be in flight now; 0 without models."""
    in_flight: int = 0
    """Requests that are."""
    waiting: int = 0
    """Requests that wait for a slot."""
    busy_share: float | None = None
    """Share of slot time in use since it began; None without models."""
    outage: str = ""
    """The model whose endpoint does not answer; empty for none."""


@runtime_checkable
class ItemWork(Protocol):
    """Does features side by side, on one event loop."""

    def wanted(self, in_work: int) -> int:
        """How many features it would take up besides the `in_work` at present: enough that no slot stands
        idle, few enough that memory is bounded and the budget pays for what is begun. Asked often.

        Raises:
            BudgetSpent: nothing is in work, and the budget will not pay for another feature.
            BudgetError: it would not pay for a single one.
        """
        ...

    async def do(self, lease: Lease, variant: int) -> Ended:
        """What becomes of one feature, by the plan's variant number `variant`.

        What concerns this feature alone ends it as failed. What concerns the whole run is raised, and the
        feature is given back; everything that was paid is in the ledger.

        Raises:
            BudgetSpent: no further call is paid.
            EndpointError: the endpoint does not answer, and the run's patience is over.
            ModelAccessError: the model cannot be used as it is set.
            StorageError: the disk is full, or the ledger cannot be written.
        """
        ...

    def spent(self) -> Amount:
        """What was spent since the work was opened."""
        ...

    def load(self) -> WorkLoad:
        """What it is doing at present."""
        ...

    async def close(self) -> None:
        """Let go of connections and threads."""
        ...
