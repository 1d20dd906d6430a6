"""What every labelling of a feature starts from and ends in: measurements on `explore`, and the card.

The scoring room, the analyst and the pool of windows are shared by all features of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

from glossator.agents.causal.causal_findings import CausalMeasurement
from glossator.agents.embedded_analyst.analyst import AnalystReport, EmbeddedAnalyst
from glossator.agents.feature_evidence import EvidenceSettings, FeatureEvidence, gather_evidence
from glossator.agents.scorers import FeatureNeighbours, ScoringRoom, open_scoring_room
from glossator.agents.verdict import unfit_to_explain
from glossator.probes.activation_index import ActivationIndex
from glossator.probes.dictionary import Dictionary
from glossator.probes.negatives import WindowPool
from glossator.probes.neighbours import nearest_by_direction
from glossator.probes.text_embedder import TextEmbedder
from glossator.probes.token_effects import TokenEffects
from glossator.records import Evidence, Explanation, FeatureCard, FeatureNames, FeatureRef, Score, Verdict

NEIGHBOURS = 8
"""Neighbours of each kind that are looked at."""
_POOL = 512
_POOL_SEED = 7


class LabelledFeature(NamedTuple):
    """One finished feature: its card, and the evidence that the card cites."""

    card: FeatureCard
    evidence: tuple[Evidence, ...]

    def with_causes(self, found: CausalMeasurement | str) -> LabelledFeature:
        """The same with what the feature causes, or with why that is not known."""
        if isinstance(found, str):
            card = self.card.model_copy(update={"causal_missing": found})
            return LabelledFeature(card, self.evidence)
        evidence = tuple({e.id: e for e in (*self.evidence, *found.evidence)}.values())
        update = {"causal": found.findings, "evidence": tuple(e.id for e in evidence)}
        return LabelledFeature(self.card.model_copy(update=update), evidence)


class PreparedFeature(NamedTuple):
    """What is measured of a feature whoever explains it."""

    ref: FeatureRef
    unfit: str | None
    """Why no explanation should be tried; None if one should."""
    report: AnalystReport | None
    """What the embedded analyst says; None where it was not asked."""
    neighbours: FeatureNeighbours
    shown: FeatureEvidence

    @property
    def embedded(self) -> Explanation | None:
        """The embedded analyst's label, citing the evidence; None after abstention."""
        if self.report is None or self.report.explanation is None:
            return None
        return self.report.explanation.model_copy(update={"evidence": self.cited})

    @property
    def cited(self) -> tuple[str, ...]:
        """Ids of the evidence that an explanation rests on."""
        return tuple(e.id for e in self.shown.evidence)

    @property
    def tried(self) -> tuple[str, ...]:
        """What the analyst tried, best first."""
        return () if self.report is None else tried_in_words(self.report)


def tried_in_words(report: AnalystReport) -> tuple[str, ...]:
    """What was tried, best first; rules that read alike (sets cut to their first members) once."""
    said: dict[str, str] = {}
    for rule in report.tried:
        said.setdefault(rule.text, f"{rule.text} (F1 {rule.f1:.2f} on validate)")
    return tuple(said.values())


class FeaturePreparation:
    """Prepares features of one index; not for several threads at once."""

    def __init__(
        self,
        index: ActivationIndex,
        dictionary: Dictionary,
        effects: Callable[[int], TokenEffects],
        *,
        embedder: TextEmbedder | None,
        names: FeatureNames,
        shown: EvidenceSettings | None = None,
    ) -> None:
        self.index, self._dictionary, self._effects, self._names = index, dictionary, effects, names
        self._shown = shown or EvidenceSettings()
        self.room: ScoringRoom = open_scoring_room(index, embedder)
        self.analyst = EmbeddedAnalyst(index.explore, index.validate, embedder)

    def ref(self, feature: int) -> FeatureRef:
        """The full name of feature number `feature`."""
        return FeatureRef(subject=self._names.subject, dictionary=self._names.dictionary, index=feature)

    def analysed(self, ref: FeatureRef) -> AnalystReport | None:
        """What the analyst says; None where the feature fires too seldom or too often to ask."""
        return None if unfit_to_explain(self.room.facts(ref)) is not None else self.analyst.explain(ref)

    def prepare(self, ref: FeatureRef, report: AnalystReport | None = None) -> PreparedFeature:
        """Measure what is shown of `ref`; asks the analyst unless its `report` is given.

        Raises:
            UnknownNameError: for an index that the dictionary does not have.
        """
        neighbours = self.neighbours(ref)
        shown = self.shown(ref, neighbours)
        unfit = unfit_to_explain(self.room.facts(ref))
        return PreparedFeature(ref, unfit, report or self.analysed(ref), neighbours, shown)

    def neighbours(self, ref: FeatureRef) -> FeatureNeighbours:
        """The features nearest to `ref`, whose windows make hard negatives."""
        return FeatureNeighbours(
            by_direction=tuple(
                nearest_by_direction(self._dictionary.directions(), ref.index, NEIGHBOURS).indices.tolist()
            ),
            by_coactivation=tuple(self.index.coactivation(ref.index, NEIGHBOURS).indices.tolist()),
        )

    def shown(self, ref: FeatureRef, neighbours: FeatureNeighbours) -> FeatureEvidence:
        """What a card shows of `ref`, measured on `explore`."""
        return gather_evidence(
            self.index, ref, self._effects(ref.index), neighbours,
            pool=self.explore_pool, embedder=self.room.embedder, settings=self._shown,
        )  # fmt: skip

    @cached_property
    def explore_pool(self) -> WindowPool | None:
        """Random windows of `explore`, embedded once; None without an embedder."""
        embedder = self.room.embedder
        return (
            None
            if embedder is None
            else WindowPool.draw(self.index.explore, embedder, size=_POOL, seed=_POOL_SEED)
        )

    def card(
        self,
        feature: PreparedFeature,
        explanation: Explanation | None,
        scores: tuple[Score, ...],
        evidence: Sequence[Evidence],
        verdict: Verdict,
    ) -> FeatureCard:
        """The card of a feature that is finished."""
        shown = feature.shown
        return FeatureCard(
            feature=feature.ref,
            explanation=explanation,
            verdict=verdict,
            scores=scores,
            density=shown.density,
            n_firings=shown.n_firings,
            max_activation=shown.max_activation,
            histogram_edges=shown.histogram.edges,
            histogram_counts=shown.histogram.counts,
            promoted=shown.effects.promoted,
            suppressed=shown.effects.suppressed,
            windows=shown.windows,
            silent_windows=shown.silent_windows,
            neighbours=feature.neighbours.by_direction,
            evidence=tuple(e.id for e in evidence),
            index_identity=self.index.identity,
        )
