"""Labels as the work of a labelling run without an LLM: the embedded analyst's, on one thread.

The shuffled baseline is made from the run's fixed panel, so that a feature's card is the same whatever else
this worker has done.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from glossator.agents.labelling import FeatureLabeller
from glossator.agents.run_work.item_work import WorkLoad
from glossator.agents.run_work.label_end import ended_with
from glossator.memory.run_workers import Amount
from glossator.memory.work_queue import Ended, Lease
from glossator.records import Explanation

AHEAD = 16
"""Features taken up at once: those that wait cost nothing, and the next batch comes before these are done."""


class EmbeddedLabelWork:
    """An `ItemWork` whose items are the embedded analyst's labels."""

    def __init__(self, labeller: FeatureLabeller, panel: tuple[int, ...]) -> None:
        """Nothing is measured yet; `panel` names the features of the shuffled baseline."""
        self._labeller, self._panel = labeller, panel
        self._computing = ThreadPoolExecutor(1, thread_name_prefix="glossator-measure")

    @cached_property
    def _others(self) -> list[Explanation]:
        return self._labeller.explained(self._panel)

    def wanted(self, in_work: int) -> int:
        """A batch whenever half of the last is done, so that claims share a transaction."""
        return AHEAD - in_work if in_work <= AHEAD // 2 else 0

    async def do(self, lease: Lease, variant: int) -> Ended:
        """Label one feature when its turn comes."""
        return await asyncio.get_running_loop().run_in_executor(self._computing, self._done, lease, variant)

    def spent(self) -> Amount:
        """Nothing: nobody is asked."""
        return Amount()

    def load(self) -> WorkLoad:
        """No slots: nobody is asked."""
        return WorkLoad()

    async def close(self) -> None:
        """Let go of the measuring thread."""
        self._computing.shutdown(cancel_futures=True)

    def _done(self, lease: Lease, variant: int) -> Ended:
        return ended_with(lease, variant, self._labeller.label_one(lease.feature.index, self._others))
