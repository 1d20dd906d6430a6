"""Which scores stand for a feature in a table.

The choice is fixed in advance (sealed split, the usual threshold, a fixed order of readers: an LLM,
else the predicate, else the embedder), never the best of what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
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
"""Readers that are no LLM, the preferred first; any other name is a model's."""


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
    return headline_of(card.scores)


def headline_value(card: FeatureCard) -> float | None:
    """The one number by which features of a run are counted: detection, else F1; None for neither."""
    best = headline(card)
    shown = best.detection_random or best.f1
    return None if shown is None else shown.value


def headline_of(scores: Iterable[Score], reader: str | None = None) -> Headline:
    """The same of one explanation's `scores`; detection by `reader` alone, if one is named."""
    listed = list(scores)
    random = _detection(listed, Negatives.RANDOM, reader)
    # Both detections are by one reader, or they would not be comparable.
    hard = _detection(listed, Negatives.HARD, random.reader if random else reader)
    f1 = _first(listed, ScoreMethod.PREDICATE, Metric.F1, Negatives.ALL_TOKENS, None)
    return Headline(random, hard, f1, baseline_of(random, BaselineName.SHUFFLED))


def is_llm(reader: str) -> bool:
    """Whether `reader` is a model's name rather than the predicate or the embedder."""
    return reader not in _READERS


def baseline_of(score: Score | None, name: BaselineName) -> Baseline | None:
    """The baseline of that name measured alongside `score`."""
    found = (b for b in (score.baselines if score else ()) if b.name is name)
    return next(found, None)


def _detection(scores: Iterable[Score], negatives: Negatives, reader: str | None) -> Score | None:
    return _first(scores, ScoreMethod.DETECTION, Metric.BALANCED_ACCURACY, negatives, reader)


def _first(
    scores: Iterable[Score], method: ScoreMethod, metric: Metric, negatives: Negatives, reader: str | None
) -> Score | None:
    """The sealed score of that kind at the usual threshold; scored before unscored, then by reader."""
    of_kind = (
        s
        for s in scores
        if (s.method, s.metric, s.negatives, s.split) == (method, metric, negatives, Split.SEALED)
        and math.isclose(s.threshold, USUAL_THRESHOLD)
        and reader in (None, s.reader)
    )
    return min(of_kind, key=_preference, default=None)


def _preference(score: Score) -> tuple[bool, int]:
    rank = 1 + _READERS.index(score.reader) if score.reader in _READERS else 0
    return score.value is None, rank
