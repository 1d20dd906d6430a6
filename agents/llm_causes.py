"""What features cause, with an LLM: it words the effect, and reads whether continuations carry it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import NamedTuple, TypeVar

from glossator.agents.causal.causal_findings import CausalMeasurement, Causes, MeasuredCauses
from glossator.agents.causal.llm_effect_explanation import NotExplained, explain_effect
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.scorers.interventions.read_interventions import read_intervention_scores
from glossator.agents.window_reading.reader import LlmReader
from glossator.errors import ProbeError, UserError
from glossator.records import Explanation, FeatureRef, Score

T = TypeVar("T")


class _Worded(NamedTuple):
    explanation: Explanation | None
    notes: tuple[str, ...]


class CausesReading:
    """Measures on one thread of its own, and asks in between."""

    def __init__(self, causes: Causes, calls: CallRoom, reader: LlmReader, computing: Executor) -> None:
        self._causes, self._calls, self._reader, self._computing = causes, calls, reader, computing

    async def of(self, feature: FeatureRef, label_scores: Sequence[Score]) -> CausalMeasurement | str:
        """What `feature` causes, or why that could not be measured.

        Args:
            feature: the feature.
            label_scores: scores of its input-side label.

        Raises:
            BudgetSpent: the next call could exceed the budget.
            EndpointError: the endpoint does not answer, after trying again.
        """
        try:
            measured = await self._computed(lambda: self._causes.measure(feature.index))
            worded = await self._worded(measured)
            read = None
            if worded.explanation is not None:
                others = self._causes.others(measured.feature)
                read = await read_intervention_scores(
                    self._causes.bench, worded.explanation, measured.up, self._reader, others
                )
            return await self._computed(
                lambda: self._causes.finish(
                    measured, worded.explanation, label_scores=label_scores,
                    reader=self._reader.name, read=read, notes=worded.notes,
                )
            )  # fmt: skip
        except (UserError, ProbeError) as error:  # of this feature: the run goes on with the others
            return str(error)

    async def _worded(self, measured: MeasuredCauses) -> _Worded:
        """The model's wording of the effect; the embedded analyst's where it gives none that is fit."""
        embedded = self._causes.explain(measured)
        if embedded is None:
            return _Worded(None, ())
        asked = await explain_effect(self._calls, self._causes.bench, measured.effects)
        if isinstance(asked, NotExplained):
            return _Worded(embedded, (f"the model gave no explanation of the effect: {asked.reason}",))
        return _Worded(asked, ())

    async def _computed(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._computing, work)
