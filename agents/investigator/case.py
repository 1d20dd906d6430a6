"""Everything about one investigation that can be made again after a kill, each part once per process."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING

from glossator.agents.feature_preparation import PreparedFeature
from glossator.agents.firing_facts import STRONG
from glossator.agents.investigator.bench import InvestigatorBench
from glossator.agents.investigator.corpus_fit import CorpusFit
from glossator.agents.investigator.limits import InvestigationLimits
from glossator.agents.investigator.progress import Progress
from glossator.agents.investigator.proposer import Observed, Proposer, Standing
from glossator.agents.investigator.tested_tokens import TestedTexts
from glossator.agents.trace.trace import StepTrace, Trace
from glossator.errors import StorageError
from glossator.records import Experiment, FeatureRef, Hypothesis

if TYPE_CHECKING:
    from collections.abc import Generator

_step: ContextVar[StepTrace | None] = ContextVar("glossator_step_trace", default=None)


def step_trace() -> StepTrace | None:
    """The events of the step that the running code belongs to; None outside an investigation."""
    return _step.get()


@contextmanager
def tracing(events: StepTrace) -> Generator[None]:
    """Inside, `step_trace` gives `events`: proposers write down what they ask and hear."""
    token = _step.set(events)
    try:
        yield
    finally:
        _step.reset(token)


class Case:
    """One feature under investigation."""

    def __init__(
        self,
        bench: InvestigatorBench,
        ref: FeatureRef,
        proposer: Proposer,
        limits: InvestigationLimits,
        trace: Trace,
    ) -> None:
        self.bench, self.ref, self.proposer, self.limits, self.trace = bench, ref, proposer, limits, trace
        self._experiments: dict[str, Experiment] = {}

    @cached_property
    def prepared(self) -> PreparedFeature:
        """Measurements on `explore`, neighbours, and the embedded analyst's label."""
        return self.bench.preparation.prepare(self.ref)

    @cached_property
    def corpus(self) -> CorpusFit:
        """The feature on `explore`."""
        return CorpusFit(self.bench.preparation.index.explore, self.ref.index)

    @cached_property
    def texts(self) -> TestedTexts:
        """Texts as the subject reads them."""
        text = self.bench.preparation.index.explore.text
        return TestedTexts(self.bench.activations, self.ref.index, text)

    @property
    def threshold(self) -> float:
        """The activation above which a text counts as firing."""
        return STRONG * self.corpus.maximum

    def observed(self, progress: Progress) -> Observed:
        """What a proposer is shown."""
        return Observed(
            self.ref, self.prepared.shown, self.threshold, progress.recalled, progress.distractors
        )

    def standing(self, progress: Progress) -> Standing:
        """Where the investigation stands, for a proposer."""
        by_id = {h.id: h for h in progress.hypotheses}
        beliefs = tuple(b for b in progress.beliefs if b.hypothesis not in progress.refuted)
        believed = tuple(by_id[b.hypothesis] for b in beliefs)
        return Standing(believed, beliefs, self.experiments(progress.experiments), progress.rounds)

    def leader(self, progress: Progress) -> Hypothesis | None:
        """The most believed hypothesis that is not refuted."""
        return self.standing(progress).leader

    def knows(self, identity: str, experiment: Experiment) -> None:
        """Keep an experiment at hand under its evidence id."""
        self._experiments[identity] = experiment

    def experiments(self, ids: Sequence[str]) -> tuple[Experiment, ...]:
        """What was run, from the ledger where this process did not run it.

        Raises:
            StorageError: the ledger does not hold one of them.
        """
        for identity in ids:
            if identity not in self._experiments:
                self._experiments[identity] = self._stored(identity)
        return tuple(self._experiments[i] for i in ids)

    def _stored(self, identity: str) -> Experiment:
        evidence = self.trace.store.evidence(identity)
        if evidence is None:
            raise StorageError(
                f"the investigation {self.trace.investigation} rests on evidence {identity}, which this "
                "ledger does not hold: resume it with the ledger that it was begun with"
            )
        return Experiment.model_validate(evidence.payload)
