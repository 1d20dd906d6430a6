"""Labelling features without an LLM: explain on `explore`, choose on `validate`, score on `sealed`.

Features are taken in groups: all of a group are explained before any is scored, because the shuffled
baseline scores a feature with the explanations of others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from glossator.agents.causal.causal_findings import CausalMeasurement, Causes
from glossator.agents.embedded_analyst.analyst import AnalystReport
from glossator.agents.feature_preparation import FeaturePreparation, LabelledFeature, PreparedFeature
from glossator.agents.imported_labels import imported_explanation
from glossator.agents.scorers import ScoredExplanation, score_explanation
from glossator.agents.scorers.leakage import flagged
from glossator.agents.verdict import decide
from glossator.errors import ProbeError, UserError
from glossator.probes.activation_index import ActivationIndex
from glossator.probes.dictionary import Dictionary
from glossator.probes.text_embedder import TextEmbedder
from glossator.probes.token_effects import TokenEffects
from glossator.records import Explanation, FeatureNames, FeatureRef, ImportedLabel

GROUP = 50
"""Features explained before they are scored together."""


class FeatureLabeller:
    """Labels features with the embedded analyst alone."""

    def __init__(
        self,
        preparation: FeaturePreparation,
        causes: Causes | None = None,
        labels: Mapping[int, ImportedLabel] | None = None,
    ) -> None:
        """With `causes`, each feature is turned up and down as well; `labels` of others, where given, are
        scored in place of the analyst's, which is then a baseline."""
        self._preparation, self._causes, self._labels = preparation, causes, labels

    def label(self, features: Sequence[int]) -> Iterator[LabelledFeature]:
        """Label `features` in order; each is given out as soon as it is finished."""
        for start in range(0, len(features), GROUP):
            group = [self._preparation.ref(i) for i in features[start : start + GROUP]]
            reports = {ref: self._preparation.analysed(ref) for ref in group}
            explained = [
                r.explanation for r in reports.values() if r is not None and r.explanation is not None
            ]
            for ref in group:
                yield self._finish(ref, reports[ref], explained)

    def explained(self, features: Sequence[int]) -> list[Explanation]:
        """The labels of `features`, for the shuffled baseline of others; those without one left out."""
        reports = (self._preparation.analysed(self._preparation.ref(i)) for i in features)
        return [r.explanation for r in reports if r is not None and r.explanation is not None]

    def label_one(self, feature: int, others: Sequence[Explanation]) -> LabelledFeature:
        """Label one feature; `others` make its shuffled baseline."""
        ref = self._preparation.ref(feature)
        return self._finish(ref, self._preparation.analysed(ref), others)

    def _finish(
        self, ref: FeatureRef, report: AnalystReport | None, others: Sequence[Explanation]
    ) -> LabelledFeature:
        room = self._preparation.room
        feature = self._preparation.prepare(ref, report)
        scored = ScoredExplanation((), ())
        claim, claimed = feature.embedded, ()
        if self._labels is not None:
            claim, claimed = imported_explanation(self._labels.get(ref.index), feature)
            claim = claim and flagged(claim, room, room.examples(ref, feature.neighbours))
        if claim is not None:
            scored = score_explanation(
                room, claim, others, analyst=feature.embedded, neighbours=feature.neighbours
            )
        verdict = decide(room.facts(ref), claim, scored.scores, feature.tried)
        evidence = (*feature.shown.evidence, *claimed, *scored.evidence)
        card = self._preparation.card(feature, claim, scored.scores, evidence, verdict)
        made = LabelledFeature(card, evidence)
        return made if self._causes is None else made.with_causes(self._caused(self._causes, made, feature))

    def _caused(
        self, causes: Causes, made: LabelledFeature, feature: PreparedFeature
    ) -> CausalMeasurement | str:
        if feature.unfit is not None:
            return feature.unfit
        try:
            measured = causes.measure(feature.ref.index)
            return causes.finish(measured, causes.explain(measured), label_scores=made.card.scores)
        except (UserError, ProbeError) as error:  # of this feature: the run goes on with the others
            return str(error)


def label_features(
    index: ActivationIndex,
    dictionary: Dictionary,
    effects: Callable[[int], TokenEffects],
    features: Sequence[int],
    *,
    embedder: TextEmbedder | None,
    names: FeatureNames,
    causes: Callable[[FeaturePreparation], Causes] | None = None,
    labels: Mapping[int, ImportedLabel] | None = None,
) -> Iterator[LabelledFeature]:
    """Label `features` of `index` in order, without an LLM.

    Args:
        index: a finished activation index.
        dictionary: what it was built with; for directions.
        effects: promoted and suppressed output tokens of a feature.
        features: feature indices.
        embedder: sentence embedder, or None to do without (no embedding scores, no near windows).
        names: what subject and dictionary are called in the ledger.
        causes: what measures what features cause, over the same splits; None leaves that out.
        labels: labels of others by feature, scored in place of the analyst's; None scores the analyst's.

    Raises:
        UnknownNameError: for an index that the dictionary does not have.
    """
    preparation = FeaturePreparation(index, dictionary, effects, embedder=embedder, names=names)
    return FeatureLabeller(preparation, causes and causes(preparation), labels).label(features)
