"""Labelling features without an LLM: explain on `explore`, choose on `validate`, score on `sealed`.

Features are taken in groups: all of a group are explained before any is scored, because the shuffled
baseline scores a feature with the explanations of others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from glossator.agents.embedded_analyst.analyst import AnalystReport, EmbeddedAnalyst
from glossator.agents.feature_evidence import EvidenceSettings, FeatureEvidence, gather_evidence
from glossator.agents.scorers import (
    FeatureNeighbours,
    ScoredExplanation,
    ScoringRoom,
    open_scoring_room,
    score_explanation,
)
from glossator.agents.verdict import decide, unfit_to_explain
from glossator.probes.activation_index import ActivationIndex
from glossator.probes.dictionary import Dictionary
from glossator.probes.negatives import WindowPool
from glossator.probes.neighbours import nearest_by_direction
from glossator.probes.text_embedder import TextEmbedder
from glossator.probes.token_effects import TokenEffects
from glossator.records import Evidence, Explanation, FeatureCard, FeatureNames, FeatureRef, Verdict

GROUP = 50
"""Features explained before they are scored together."""
NEIGHBOURS = 8
"""Neighbours of each kind that are looked at."""
_POOL = 512
_POOL_SEED = 7


class LabelledFeature(NamedTuple):
    """One finished feature: its card, and the evidence that the card cites."""

    card: FeatureCard
    evidence: tuple[Evidence, ...]


class FeatureLabeller:
    """Labels features of one index; what they share is computed once."""

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
        self._index, self._dictionary, self._effects, self._names = index, dictionary, effects, names
        self._shown = shown or EvidenceSettings()
        self._room: ScoringRoom = open_scoring_room(index, embedder)
        self._embedder = embedder
        self._analyst = EmbeddedAnalyst(index.explore, index.validate, embedder)

    def label(self, features: Sequence[int]) -> Iterator[LabelledFeature]:
        """Label `features` in order; each is given out as soon as it is finished."""
        for start in range(0, len(features), GROUP):
            group = [self._ref(i) for i in features[start : start + GROUP]]
            reports = {ref: self._explain(ref) for ref in group}
            explained = [
                r.explanation for r in reports.values() if r is not None and r.explanation is not None
            ]
            for ref in group:
                yield self._finish(ref, reports[ref], explained)

    def _ref(self, feature: int) -> FeatureRef:
        return FeatureRef(subject=self._names.subject, dictionary=self._names.dictionary, index=feature)

    def _explain(self, ref: FeatureRef) -> AnalystReport | None:
        """What the analyst says; None where the feature fires too seldom or too often to ask."""
        if unfit_to_explain(self._room.facts(ref)) is not None:
            return None
        return self._analyst.explain(ref)

    def _finish(
        self, ref: FeatureRef, report: AnalystReport | None, others: Sequence[Explanation]
    ) -> LabelledFeature:
        neighbours = FeatureNeighbours(
            by_direction=tuple(
                nearest_by_direction(self._dictionary.directions(), ref.index, NEIGHBOURS).indices.tolist()
            ),
            by_coactivation=tuple(self._index.coactivation(ref.index, NEIGHBOURS).indices.tolist()),
        )
        shown = gather_evidence(
            self._index, ref, self._effects(ref.index), neighbours,
            pool=self._explore_pool, embedder=self._room.embedder, settings=self._shown,
        )  # fmt: skip
        explanation = None if report is None else report.explanation
        scored = ScoredExplanation((), ())
        if explanation is not None:
            cited = tuple(e.id for e in shown.evidence)
            explanation = explanation.model_copy(update={"evidence": cited})
            scored = score_explanation(self._room, explanation, others, neighbours=neighbours)
        tried = () if report is None else _in_words(report)
        verdict = decide(self._room.facts(ref), explanation, scored.scores, tried)
        evidence = (*shown.evidence, *scored.evidence)
        return LabelledFeature(
            self._card(ref, explanation, scored, shown, neighbours, evidence, verdict), evidence
        )

    @cached_property
    def _explore_pool(self) -> WindowPool | None:
        embedder = self._room.embedder
        return (
            None
            if embedder is None
            else WindowPool.draw(self._index.explore, embedder, size=_POOL, seed=_POOL_SEED)
        )

    def _card(
        self,
        ref: FeatureRef,
        explanation: Explanation | None,
        scored: ScoredExplanation,
        shown: FeatureEvidence,
        neighbours: FeatureNeighbours,
        evidence: Sequence[Evidence],
        verdict: Verdict,
    ) -> FeatureCard:
        return FeatureCard(
            feature=ref,
            explanation=explanation,
            verdict=verdict,
            scores=scored.scores,
            density=shown.density,
            n_firings=shown.n_firings,
            max_activation=shown.max_activation,
            histogram_edges=shown.histogram.edges,
            histogram_counts=shown.histogram.counts,
            promoted=shown.effects.promoted,
            suppressed=shown.effects.suppressed,
            windows=shown.windows,
            silent_windows=shown.silent_windows,
            neighbours=neighbours.by_direction,
            evidence=tuple(e.id for e in evidence),
            index_identity=self._index.identity,
        )


def _in_words(report: AnalystReport) -> tuple[str, ...]:
    """What was tried, best first; rules that read alike (sets cut to their first members) once."""
    said: dict[str, str] = {}
    for rule in report.tried:
        said.setdefault(rule.text, f"{rule.text} (F1 {rule.f1:.2f} on validate)")
    return tuple(said.values())


def label_features(
    index: ActivationIndex,
    dictionary: Dictionary,
    effects: Callable[[int], TokenEffects],
    features: Sequence[int],
    *,
    embedder: TextEmbedder | None,
    names: FeatureNames,
) -> Iterator[LabelledFeature]:
    """Label `features` of `index` in order.

    Args:
        index: a finished activation index.
        dictionary: what it was built with; for directions.
        effects: promoted and suppressed output tokens of a feature.
        features: feature indices.
        embedder: sentence embedder, or None to do without (no embedding scores, no near windows).
        names: what subject and dictionary are called in the ledger.

    Raises:
        UnknownNameError: for an index that the dictionary does not have.
    """
    return FeatureLabeller(index, dictionary, effects, embedder=embedder, names=names).label(features)
