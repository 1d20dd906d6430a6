"""What several parts of a run's report are made of: estimates, questions, distributions, features."""

from __future__ import annotations

from pydantic import Field

from glossator.records.base import Record
from glossator.records.score import Interval, Metric, Negatives, ScoreMethod


class Reason(Record):
    """A reason and how often it was given."""

    words: str
    n: int = Field(ge=0)


class Estimate(Record):
    """A value over features with its interval."""

    value: float | None = None
    """None where there was nothing to estimate it from."""
    interval: Interval | None = None
    """95 %; None where too few features say how much they differ."""
    n: int = Field(default=0, ge=0)
    """Features (or documents, where it says so) behind it."""


class NamedEstimate(Record):
    """An estimate and what it is of."""

    name: str
    estimate: Estimate


class RunQuestion(Record):
    """What a score answers: scores are only put together where all of this is the same."""

    method: ScoreMethod
    metric: Metric
    reader: str
    negatives: Negatives
    threshold: float


class BaselineSpread(Record):
    """What a baseline reached, over the same features."""

    name: str
    """Which baseline."""
    median: Estimate
    mean: Estimate


class ScoreDistribution(Record):
    """The scores of all features for one question."""

    question: RunQuestion
    low: float
    """Lower edge of the histogram."""
    high: float
    """Upper edge."""
    bins: tuple[int, ...]
    """Features per bin, of equal widths."""
    median: Estimate
    mean: Estimate
    baselines: tuple[BaselineSpread, ...]
    n_positive: int = Field(ge=0)
    """Firing examples, summed over features."""
    n_negative: int = Field(ge=0)
    """Silent examples, summed over features."""
    unscored_features: int = Field(ge=0)
    """Features that were asked it and got no value."""
    unscored: tuple[Reason, ...] = ()
    """Why examples were not scored."""


class ShownFeature(Record):
    """A feature in a list of the report."""

    feature: int
    label: str
    """What was claimed; empty where nothing was."""
    verdict: str
    value: float | None
    """The score that its verdict rests on."""
    interval: Interval | None
    n_positive: int = Field(ge=0)
    n_negative: int = Field(ge=0)
    shuffled: float | None
    """What labels of other features reach on the same examples."""
    shuffled_interval: Interval | None
    shuffled_n: tuple[int, int] | None = None
    """Firing and silent examples that this was read on; None where the card does not say."""
    reader: str
    """Who read the label."""
