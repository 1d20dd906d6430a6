"""One measurement of one explanation, with all that makes it honest."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from glossator.records.base import Record
from glossator.records.feature import Split


class ScoreMethod(StrEnum):
    """The question that was asked; different questions are never averaged."""

    PREDICATE = "predicate"
    """Does the predicate hold where the feature fires, over all tokens of the split?"""
    DETECTION = "detection"
    """Can a reader with only the explanation tell firing windows from silent ones?"""
    EMBEDDING = "embedding"
    """Are firing windows nearer to the explanation than silent ones, by sentence embedding?"""


class Metric(StrEnum):
    """What the number is."""

    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    BALANCED_ACCURACY = "balanced_accuracy"
    AUC = "auc"


class Negatives(StrEnum):
    """What firing windows were told apart from."""

    ALL_TOKENS = "all_tokens"
    """Every other token of the split."""
    RANDOM = "random"
    """Windows drawn at random where the feature is silent."""
    HARD = "hard"
    """Same token but silent; windows of neighbouring features; embedding-near windows."""


class Interval(Record):
    """A 95 % interval."""

    low: float
    """Lower end."""
    high: float
    """Upper end."""
    method: str
    """How it was computed: `wilson`, `bootstrap over documents`, …"""


class BaselineName(StrEnum):
    """What the score is compared with."""

    SHUFFLED = "shuffled"
    """The explanation of another feature."""
    EMPTY = "empty"
    """No explanation: a reader that knows nothing."""
    EMBEDDED_ANALYST = "embedded_analyst"
    """The embedded analyst's label of the same feature."""


class Baseline(Record):
    """The same measurement on the same examples with another explanation."""

    name: BaselineName
    """Which baseline."""
    value: float | None
    """The value; None if it could not be measured."""
    interval: Interval | None
    """Its interval."""


class Score(Record):
    """One number, its interval, and what it was measured on."""

    method: ScoreMethod
    """The question."""
    metric: Metric
    """What the number is."""
    reader: str
    """Who read the explanation: `predicate`, `embedder`, a model's name."""
    negatives: Negatives
    """What firing examples were told apart from."""
    split: Split
    """Where the examples came from; `sealed` for reported scores."""
    threshold: float = Field(ge=0)
    """The activation above which an example counts as firing, as a share of the feature's maximum on
    `explore`; 0 counts every firing."""
    value: float | None
    """The value; None where nothing could be scored, with the reason in `unscored`."""
    interval: Interval | None
    """Its 95 % interval; None exactly where `value` is."""
    n_positive: int = Field(ge=0)
    """Firing examples that were scored."""
    n_negative: int = Field(ge=0)
    """Silent examples that were scored."""
    unscored: dict[str, int] = Field(default_factory=dict)
    """Reason to count, for examples that got no answer."""
    baselines: tuple[Baseline, ...] = ()
    """Baselines measured alongside."""
    evidence: str | None = None
    """Id of the evidence behind the number."""
