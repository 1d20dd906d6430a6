"""Labelling features with an LLM: explained on `explore`, chosen on `validate`, scored on `sealed`.

Features are in work side by side, so that the model is kept busy; what is computed rather than asked
happens on one thread of its own. Everything that is asked depends on the feature, the settings and the
panel alone, never on what else the run does, so a run that was killed asks the same questions again and
finds the answers in the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

from glossator.agents.explainers.explain_feature import ExplainedFeature, explain_feature
from glossator.agents.explainers.material import ExplainerSettings, Material, OpenViews
from glossator.agents.feature_preparation import FeaturePreparation, LabelledFeature, PreparedFeature
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.scorers import score_explanation
from glossator.agents.scorers.llm_bench import LlmBench
from glossator.agents.scorers.llm_scores import score_with_llm
from glossator.agents.scorers.score_explanation import ScoredExplanation
from glossator.agents.verdict import decide
from glossator.errors import BudgetSpent
from glossator.records import Candidate, Evidence, Explanation, FeatureCard

PANEL = 12
"""Features whose embedded labels stand in for other features' labels in the shuffled baseline."""


@dataclass(frozen=True)
class LlmLabelling:
    """What is asked of the model, feature by feature."""

    bench: LlmBench
    explainers: ExplainerSettings = field(default_factory=ExplainerSettings)
    side_by_side: int = 8
    """Features in work at once."""


class LlmLabeller:
    """Labels features with an LLM; the embedded analyst's label is made first and scored beside."""

    def __init__(self, preparation: FeaturePreparation, asked: LlmLabelling, panel: Sequence[int]) -> None:
        """A labeller.

        Args:
            preparation: what is measured; its scoring room is the bench's.
            asked: what is asked.
            panel: features whose embedded labels make the shuffled baseline; the same for a whole run,
                whatever part of it is still to do.
        """
        self._preparation, self._asked, self._panel = preparation, asked, tuple(panel[:PANEL])
        self._computing = ThreadPoolExecutor(1, thread_name_prefix="glossator-measure")

    @property
    def _calls(self) -> CallRoom:
        return self._asked.bench.calls

    @cached_property
    def _others(self) -> list[Explanation]:
        reports = [self._preparation.analysed(self._preparation.ref(i)) for i in self._panel]
        return [r.explanation for r in reports if r is not None and r.explanation is not None]

    def label(self, features: Sequence[int]) -> Iterator[LabelledFeature]:
        """Label `features`, each given out in order as soon as it and those before it are finished.

        Raises:
            BudgetSpent: after the last feature that the budget allowed.
            ModelAccessError: the model cannot be used as it is set.
            EndpointError: the endpoint does not answer, after trying again.
        """
        spent: BudgetSpent | None = None
        with asyncio.Runner() as runner:
            try:
                tasks = runner.run(self._start(features))
                for task in tasks:
                    try:
                        made = runner.run(_finished(task))
                    except BudgetSpent as error:
                        spent = spent or error
                    else:
                        yield made
            finally:
                runner.run(self._calls.close())
                self._computing.shutdown(cancel_futures=True)
        if spent is not None:
            raise spent

    async def _start(self, features: Sequence[int]) -> list[asyncio.Task[LabelledFeature]]:
        gate = asyncio.Semaphore(self._asked.side_by_side)
        return [asyncio.create_task(self._label_in_turn(i, gate)) for i in features]

    async def _label_in_turn(self, feature: int, gate: asyncio.Semaphore) -> LabelledFeature:
        async with gate:
            return await self._label(feature)

    async def _label(self, index: int) -> LabelledFeature:
        loop, preparation = asyncio.get_running_loop(), self._preparation
        with self._calls.meter() as meter:
            feature = await loop.run_in_executor(
                self._computing, preparation.prepare, preparation.ref(index)
            )
            if feature.unfit is not None:
                verdict = decide(preparation.room.facts(feature.ref), None, ())
                card = preparation.card(feature, None, (), feature.shown.evidence, verdict)
                return LabelledFeature(card, feature.shown.evidence)
            others = await loop.run_in_executor(self._computing, lambda: self._others)
            explained = await self._explain(feature)
            scored = {
                c.explanation.id: await self._score(feature, c.explanation, others)
                for c in explained.candidates
            }
        card, evidence = self._card(feature, explained, scored)
        return LabelledFeature(card.model_copy(update={"spending": meter.spending}), evidence)

    async def _explain(self, feature: PreparedFeature) -> ExplainedFeature:
        shown, index = feature.shown, self._preparation.index
        material = Material(
            feature=feature.ref,
            max_activation=shown.max_activation,
            windows=shown.windows,
            silent=shown.silent_windows,
            effects=shown.effects,
            embedded=feature.embedded,
            evidence=feature.cited,
        )
        views = OpenViews(index.explore, index.validate, feature.neighbours)
        bench = self._asked.bench
        return await explain_feature(self._calls, bench.reader, views, material, self._asked.explainers)

    async def _score(
        self, feature: PreparedFeature, explanation: Explanation, others: Sequence[Explanation]
    ) -> ScoredExplanation:
        """By the readers that cost nothing, then by the LLM."""
        room = self._preparation.room
        computed = await asyncio.get_running_loop().run_in_executor(
            self._computing,
            lambda: score_explanation(
                room, explanation, others, analyst=feature.embedded, neighbours=feature.neighbours
            ),
        )
        asked = await score_with_llm(
            self._asked.bench, explanation, others, analyst=feature.embedded, neighbours=feature.neighbours
        )
        evidence = {e.id: e for e in (*computed.evidence, *asked.evidence)}
        return ScoredExplanation((*computed.scores, *asked.scores), tuple(evidence.values()))

    def _card(
        self, feature: PreparedFeature, explained: ExplainedFeature, scored: dict[str, ScoredExplanation]
    ) -> tuple[FeatureCard, tuple[Evidence, ...]]:
        chosen = None if explained.chosen is None else explained.candidates[explained.chosen].explanation
        candidates = tuple(
            Candidate(
                explanation=c.explanation,
                scores=scored[c.explanation.id].scores,
                chosen=c.explanation is chosen,
                validate_value=c.value,
                validate_n=c.n,
            )
            for c in explained.candidates
        )
        scores = scored[chosen.id].scores if chosen is not None else ()
        tried = (*(f"{c.explanation.text} ({c.explanation.author})" for c in candidates), *feature.tried)
        room, reader = self._preparation.room, self._asked.bench.reader.name
        verdict = decide(room.facts(feature.ref), chosen, scores, tried, reader=reader)
        measured = {e.id: e for s in scored.values() for e in s.evidence}
        evidence = (*feature.shown.evidence, *measured.values())
        card = self._preparation.card(feature, chosen, scores, evidence, verdict)
        update = {"candidates": candidates, "rejected": dict(explained.rejected)}
        return card.model_copy(update=update), evidence


async def _finished(task: asyncio.Task[LabelledFeature]) -> LabelledFeature:
    return await task
