"""What an investigation measures with. The shell makes it; investigations side by side share it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from glossator.agents.feature_preparation import FeaturePreparation
from glossator.agents.investigator.reads_texts import ReadsTexts
from glossator.agents.investigator.recalled import Recall
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.scorers.llm_bench import LlmBench
from glossator.memory.finding_store import FindingStore
from glossator.records import Explanation

PANEL = 8
"""Features whose embedded labels stand in for other features' in the shuffled baseline."""
T = TypeVar("T")


@dataclass(frozen=True)
class InvestigatorBench:
    """One index, its subject, and whatever reads, remembers and pays."""

    preparation: FeaturePreparation
    activations: ReadsTexts
    """Runs texts through subject and dictionary."""
    reading: LlmBench | None = None
    """Asks a model to read explanations; None does without."""
    memory: FindingStore | None = None
    """Where findings go; None remembers nothing."""
    recall: Recall | None = None
    """What earlier investigations found; None starts from nothing."""
    calls: CallRoom | None = None
    """Where the proposer and the reader ask; for spending. None where no model is asked."""
    panel: tuple[int, ...] | None = None
    """Features for the shuffled baseline; None takes `PANEL` spread over the dictionary."""
    computing: Executor | None = field(default=None, repr=False)
    """One thread on which everything is computed, so that models are kept busy; None computes in place."""

    async def compute(self, work: Callable[[], T]) -> T:
        """What `work` comes to."""
        if self.computing is None:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self.computing, work)

    @cached_property
    def others(self) -> tuple[Explanation, ...]:
        """Embedded labels of the panel; the analyst is asked at first use."""
        n = self.preparation.index.statistics.count.shape[0]
        spread = tuple(range(0, n, max(1, n // PANEL)))[:PANEL]
        panel = spread if self.panel is None else self.panel
        reports = [self.preparation.analysed(self.preparation.ref(i)) for i in panel]
        return tuple(r.explanation for r in reports if r is not None and r.explanation is not None)
