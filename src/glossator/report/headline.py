"""Which scores stand for a feature in a table.

The choice is fixed in advance (sealed split, the usual threshold, a fixed order of readers), never
the best of what was measured.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from glossator.records import (
    Baseline,
    BaselineName,
    FeatureCard,
    Metric,
    Negatives,
    Score,
    ScoreMethod,
    Split,
)

USUAL_THRESHOLD = 0.3
"""A firing counts as strong above this share of the feature's maximum."""
_READERS = ("predicate", "embedder")


class Headline(NamedTuple):
    """The few scores of a card that fit a table row."""

    detection_random: Score | None
    """Detection against random silent windows."""
    detection_hard: Score | None
    """Detection against hard silent windows."""
    f1: Score | None
    """The predicate's F1 over all tokens."""
    shuffled: Baseline | None
    """Detection against random windows with the label of another feature."""


def headline(card: FeatureCard) -> Headline:
    """The scores of `card` for a table row; None where nothing of that kind was measured."""
    random = _detection(card, Negatives.RANDOM)
    f1 = _first(card, ScoreMethod.PREDICATE, Metric.F1, Negatives.ALL_TOKENS)
    return Headline(random, _detection(card, Negatives.HARD), f1, baseline_of(random, BaselineName.SHUFFLED))


def baseline_of(score: Score | None, name: BaselineName) -> Baseline | None:
    """The baseline of that name measured alongside `score`."""
    found = (b for b in (score.baselines if score else ()) if b.name is name)
    return next(found, None)


def _detection(card: FeatureCard, negatives: Negatives) -> Score | None:
    return _first(card, ScoreMethod.DETECTION, Metric.BALANCED_ACCURACY, negatives)


def _first(card: FeatureCard, method: ScoreMethod, metric: Metric, negatives: Negatives) -> Score | None:
    """The sealed score of that kind at the usual threshold; scored before unscored, then by reader."""
    of_kind = (
        s
        for s in card.scores
        if (s.method, s.metric, s.negatives, s.split) == (method, metric, negatives, Split.SEALED)
        and math.isclose(s.threshold, USUAL_THRESHOLD)
    )
    return min(of_kind, key=_preference, default=None)


def _preference(score: Score) -> tuple[bool, int]:
    reader = _READERS.index(score.reader) if score.reader in _READERS else len(_READERS)
    return score.value is None, reader
