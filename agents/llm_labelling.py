"""Labelling features with an LLM: explained on `explore`, chosen on `validate`, scored on `sealed`.

Features are in work side by side, so that the model is kept busy; what is computed rather than asked
happens on one thread of its own. Everything that is asked depends on the feature, the settings and the
panel alone, never on what else the run does, so a run that was killed asks the same questions again and
finds the answers in the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import NamedTuple, ParamSpec, TypeVar

from glossator.agents.admission import Admission
from glossator.agents.causal.causal_findings import Causes
from glossator.agents.explainers.explain_feature import explain_feature
from glossator.agents.explainers.explainer_settings import ExplainerSettings
from glossator.agents.explainers.material import Material, OpenViews
from glossator.agents.explainers.validated import ExplainedFeature, ValidatedCandidate
from glossator.agents.feature_preparation import FeaturePreparation, LabelledFeature, PreparedFeature
from glossator.agents.imported_labels import explained_elsewhere, imported_explanation
from glossator.agents.llm_calls.all_finished import all_finished
from glossator.agents.llm_calls.budget import Budget
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_causes import CausesReading
from glossator.agents.scorers import score_explanation
from glossator.agents.scorers.leakage import flagged
from glossator.agents.scorers.llm_bench import Activate, LlmBench, Losses
from glossator.agents.scorers.llm_scores import score_with_llm
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.agents.scorers.score_explanation import ScoredExplanation
from glossator.agents.verdict import decide
from glossator.agents.window_reading.calibration import PromptSizeChoice, choose_windows_per_prompt
from glossator.agents.window_reading.calibration_windows import claimed_windows
from glossator.agents.window_reading.reader import LlmReader
from glossator.errors import BudgetSpent
from glossator.records import Candidate, Explanation, ImportedLabel, LlmSpending

P = ParamSpec("P")
T = TypeVar("T")
PANEL = 12
"""Features whose embedded labels stand in for other features' labels in the shuffled baseline."""
_TRIED_CLAIMS = 3


@dataclass(frozen=True)
class LlmLabelling:
    """What is asked, of whom, and how much of it."""

    calls: CallRoom
    budget: Budget
    """The calls' own."""
    explainers: ExplainerSettings | None = field(default_factory=ExplainerSettings)
    """None asks no explainer: the embedded labels alone are read."""
    scoring: LlmScoringSettings = field(default_factory=LlmScoringSettings)
    windows_per_prompt: int | None = None
    """None chooses by measured agreement, which takes some calls first."""
    activate: Activate | None = None
    """Needed by generation alone."""
    losses: Losses | None = None
    """Needed by surprisal alone."""
    side_by_side: int = 8
    """Features in work at once."""
    on_choice: Callable[[PromptSizeChoice], None] | None = None
    """Told how many windows per prompt were chosen, and why."""
    agreed: Callable[[int], int] | None = None
    """What all who work on the same run keep to, after this choice; may block, called in a thread."""
    causes: Causes | None = None
    """Turns each feature up and down as well; None leaves that out, as a rehearsal does."""
    labels: Mapping[int, ImportedLabel] | None = None
    """Labels of others by feature, scored instead of asking an explainer; None asks."""
    expected: LlmSpending | None = None
    """What one feature is expected to cost; under a budget, none is begun that would not be finished."""


class Way(NamedTuple):
    """How one feature is explained and scored."""

    explainers: ExplainerSettings | None
    """None asks no explainer."""
    scoring: LlmScoringSettings


class LlmLabeller:
    """Labels features with an LLM; the embedded analyst's label is made first and scored beside.

    Either `label` labels a list on an event loop of its own; or features are labelled one by one with
    `label_one` on a loop that runs, after `open` and before `close`.
    """

    def __init__(self, preparation: FeaturePreparation, asked: LlmLabelling, panel: Sequence[int]) -> None:
        """A labeller.

        Args:
            preparation: what is measured.
            asked: what is asked.
            panel: features whose embedded labels make the shuffled baseline; the same for a whole run,
                whatever part of it is still to do.
        """
        self._preparation, self._asked, self._panel = preparation, asked, tuple(panel[:PANEL])
        self._computing = ThreadPoolExecutor(1, thread_name_prefix="glossator-measure")
        self._bench: LlmBench | None = None
        self.measuring = 0
        """Pieces of work on the measuring thread or waiting for it."""

    @property
    def _calls(self) -> CallRoom:
        return self._asked.calls

    @cached_property
    def _others(self) -> list[Explanation]:
        reports = [self._preparation.analysed(self._preparation.ref(i)) for i in self._panel]
        return [r.explanation for r in reports if r is not None and r.explanation is not None]

    def _shared(self) -> list[Explanation]:
        """The panel's labels; whatever else takes long and all features share is made here as well."""
        if self._asked.explainers is not None:
            _ = self._preparation.room.validate_pool
        return self._others

    def label(self, features: Sequence[int]) -> Iterator[LabelledFeature]:
        """Label `features`, each given out in order as soon as it and those before it are finished.

        Raises:
            BudgetSpent: after the last feature that the budget allowed.
            ModelAccessError: the model cannot be used as it is set.
            EndpointError: the endpoint does not answer, after trying again.
        """
        spent: BudgetSpent | None = None
        tasks: list[asyncio.Task[LabelledFeature]] = []
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
                runner.run(self._stop(tasks))
        if spent is not None:
            raise spent

    async def open(self) -> None:
        """Find out what all features share; some calls are made where windows per prompt are not set."""
        asked = self._asked
        windows = asked.windows_per_prompt or await self._measured_windows_per_prompt()
        self._bench = LlmBench(
            room=self._preparation.room,
            calls=asked.calls,
            reader=LlmReader(asked.calls, windows),
            settings=asked.scoring,
            activate=asked.activate,
            losses=asked.losses,
        )

    async def label_one(self, feature: int, way: Way | None = None) -> LabelledFeature:
        """Label one feature, as ordered or in another `way`; many may be in work at once.

        Raises:
            BudgetSpent: a call could exceed the budget.
            ModelAccessError: the model cannot be used as it is set.
            EndpointError: the endpoint does not answer, after trying again.
        """
        if self._bench is None:
            raise RuntimeError("open the labeller first")
        chosen = way or Way(self._asked.explainers, self._asked.scoring)
        return await self._label(feature, replace(self._bench, settings=chosen.scoring), chosen.explainers)

    async def close(self) -> None:
        """Let go of the call room and of the measuring thread."""
        await self._calls.close()
        self._computing.shutdown(cancel_futures=True)

    async def _start(self, features: Sequence[int]) -> list[asyncio.Task[LabelledFeature]]:
        asked = self._asked
        admission = Admission(asked.side_by_side, asked.budget, asked.expected)
        await self.open()
        return [asyncio.create_task(self._label_in_turn(i, admission)) for i in features]

    async def _measured(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` gives, on the measuring thread when its turn comes."""
        self.measuring += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._computing, partial(work, *args, **kwargs))
        finally:
            self.measuring -= 1

    async def _measured_windows_per_prompt(self) -> int:
        """By agreement on windows of `validate`, under the first labels of the panel."""
        room = self._preparation.room
        shared = await self._measured(self._shared)
        items = [
            claimed_windows(room.validate, e, room.strong_threshold(e.feature))
            for e in shared[:_TRIED_CLAIMS]
        ]
        choice = await choose_windows_per_prompt(self._calls, [i for i in items if i is not None])
        if self._asked.on_choice is not None:
            self._asked.on_choice(choice)
        if self._asked.agreed is not None:
            return await asyncio.to_thread(self._asked.agreed, choice.windows_per_prompt)
        return choice.windows_per_prompt

    async def _stop(self, tasks: Sequence[asyncio.Task[LabelledFeature]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.close()

    async def _label_in_turn(self, feature: int, admission: Admission) -> LabelledFeature:
        async with admission.feature():
            made = await self.label_one(feature)
            spent = made.card.spending
            if spent is not None and spent.calls:  # one that asked nothing says nothing of what others cost
                admission.finished(spent)
        return made

    async def _label(
        self, index: int, bench: LlmBench, explainers: ExplainerSettings | None
    ) -> LabelledFeature:
        preparation = self._preparation
        with self._calls.meter() as meter:
            feature = await self._measured(preparation.prepare, preparation.ref(index))
            if feature.unfit is not None:
                verdict = decide(preparation.room.facts(feature.ref), None, ())
                card = preparation.card(feature, None, (), feature.shown.evidence, verdict)
                return LabelledFeature(card, feature.shown.evidence)
            others = await self._measured(self._shared)
            unmarked = await self._explain(feature, bench.reader, explainers)
            explained = await self._measured(self._quotes_marked, feature, unmarked)
            scored = await self._score_all(feature, explained, others, bench)
            made = self._card(feature, explained, scored, bench.reader.name)
            if self._asked.causes is not None:
                reading = CausesReading(self._asked.causes, self._calls, bench.reader, self._computing)
                made = made.with_causes(await reading.of(feature.ref, made.card.scores))
        return LabelledFeature(made.card.model_copy(update={"spending": meter.spending}), made.evidence)

    async def _explain(
        self, feature: PreparedFeature, reader: LlmReader, explainers: ExplainerSettings | None
    ) -> ExplainedFeature:
        shown, preparation = feature.shown, self._preparation
        if self._asked.labels is not None:
            return explained_elsewhere(self._asked.labels.get(feature.ref.index), feature)
        if explainers is None:
            alone = () if feature.embedded is None else (ValidatedCandidate(feature.embedded),)
            return ExplainedFeature(alone, 0 if alone else None, {})
        material = Material(
            feature=feature.ref,
            max_activation=shown.max_activation,
            windows=shown.windows,
            silent=shown.silent_windows,
            effects=shown.effects,
            embedded=feature.embedded,
            evidence=feature.cited,
            flags=() if feature.report is None else feature.report.flags,
        )
        views = OpenViews(
            explore=preparation.index.explore,
            validate=preparation.index.validate,
            neighbours=feature.neighbours,
            explore_pool=preparation.explore_pool,
            validate_pool=preparation.room.validate_pool,
            embedder=preparation.room.embedder,
        )
        return await explain_feature(self._calls, reader, views, material, explainers)

    def _quotes_marked(self, feature: PreparedFeature, explained: ExplainedFeature) -> ExplainedFeature:
        """With a flag on labels that repeat a window, shown or sealed: they may be recognised by it."""
        room = self._preparation.room
        examples = room.examples(feature.ref, feature.neighbours)
        shown = ["".join(w.tokens) for w in (*feature.shown.windows, *feature.shown.silent_windows)]
        marked = (
            c._replace(explanation=flagged(c.explanation, room, examples, shown))
            for c in explained.candidates
        )
        return explained._replace(candidates=tuple(marked))

    async def _score_all(
        self,
        feature: PreparedFeature,
        explained: ExplainedFeature,
        others: Sequence[Explanation],
        bench: LlmBench,
    ) -> dict[str, ScoredExplanation]:
        """The chosen explanation, and roughly the best of each other method, by explanation id."""
        rough = replace(bench, settings=_rough(bench.settings))
        best = explained.best_of_each_method()
        scores = await all_finished(
            self._score(
                feature,
                explained.candidates[i].explanation,
                others,
                bench if i == explained.chosen else rough,
            )
            for i in best
        )
        return {explained.candidates[i].explanation.id: s for i, s in zip(best, scores, strict=True)}

    async def _score(
        self,
        feature: PreparedFeature,
        explanation: Explanation,
        others: Sequence[Explanation],
        bench: LlmBench,
    ) -> ScoredExplanation:
        """By the readers that cost nothing, then by the LLM."""
        room = self._preparation.room
        computed = await self._measured(
            lambda: score_explanation(
                room, explanation, others, analyst=feature.embedded, neighbours=feature.neighbours
            )
        )
        asked = await score_with_llm(
            bench, explanation, others, analyst=feature.embedded, neighbours=feature.neighbours
        )
        evidence = {e.id: e for e in (*computed.evidence, *asked.evidence)}
        return ScoredExplanation((*computed.scores, *asked.scores), tuple(evidence.values()))

    def _card(
        self,
        feature: PreparedFeature,
        explained: ExplainedFeature,
        scored: dict[str, ScoredExplanation],
        reader: str,
    ) -> LabelledFeature:
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
            if c.explanation.id in scored
        )
        scores = scored[chosen.id].scores if chosen is not None else ()
        tried = (*(f"{c.explanation.text} ({c.explanation.author})" for c in candidates), *feature.tried)
        facts = self._preparation.room.facts(feature.ref)
        verdict = decide(facts, chosen, scores, tried, reader=reader)
        measured = {e.id: e for s in scored.values() for e in s.evidence}
        labels = self._asked.labels or {}
        claimed = imported_explanation(labels.get(feature.ref.index), feature).evidence
        evidence = (*feature.shown.evidence, *claimed, *measured.values())
        card = self._preparation.card(feature, chosen, scores, evidence, verdict)
        update = {"candidates": candidates, "rejected": dict(explained.rejected)}
        return LabelledFeature(card.model_copy(update=update), evidence)


def _rough(settings: LlmScoringSettings) -> LlmScoringSettings:
    return replace(settings, half_width=max(settings.half_width, settings.rough_half_width))


async def _finished(task: asyncio.Task[LabelledFeature]) -> LabelledFeature:
    return await task
