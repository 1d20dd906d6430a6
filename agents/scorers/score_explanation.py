"""All scores of one explanation, on the sealed split, with their baselines and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from glossator.agents.scorers.compared import Compared
from glossator.agents.scorers.predicate_score import predicate_scores
from glossator.agents.scorers.room import FeatureNeighbours, ScoringRoom
from glossator.agents.scorers.window_scores import embedder_scores, predicate_detection
from glossator.records import Evidence, Explanation, Score


class ScoredExplanation(NamedTuple):
    """The scores of one explanation and the evidence that they cite."""

    scores: tuple[Score, ...]
    evidence: tuple[Evidence, ...]


def score_explanation(
    room: ScoringRoom,
    explanation: Explanation,
    others: Sequence[Explanation] = (),
    *,
    analyst: Explanation | None = None,
    neighbours: FeatureNeighbours | None = None,
) -> ScoredExplanation:
    """Measure `explanation` in every way that it allows.

    Args:
        room: the run's splits and shared measurements.
        explanation: what is scored.
        others: explanations of the run, from which the shuffled baseline takes other features'.
        analyst: the embedded analyst's label of the same feature, if the explanation is another's.
        neighbours: features whose windows make hard negatives; the same for all explanations of a
            feature, or they are not compared on the same windows.

    Raises:
        UnknownNameError: if the index has no such feature.
        UserError: if a predicate cannot be evaluated.
    """
    examples = room.examples(explanation.feature, neighbours or FeatureNeighbours())
    n = room.settings.n_donors
    executable = Compared.executable(explanation, others, analyst, n)
    scored = (
        *predicate_detection(room, executable, examples),
        *predicate_scores(room, executable),
        *embedder_scores(room, Compared.of(explanation, others, analyst, n), examples),
    )
    evidence = {s.evidence.id: s.evidence for s in scored}
    return ScoredExplanation(tuple(s.score for s in scored), tuple(evidence.values()))
