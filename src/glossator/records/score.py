"""One measurement of one explanation, with all that makes it honest."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from glossator.records.base import Record
from glossator.records.feature import Split
from glossator.records.prompt import PromptRef


class ScoreMethod(StrEnum):
    """The question that was asked; different questions are never averaged."""

    PREDICATE = "predicate"
    """Does the predicate hold where the feature fires, over all tokens of the split?"""
    DETECTION = "detection"
    """Can a reader with only the explanation tell firing windows from silent ones?"""
    EMBEDDING = "embedding"
    """Are firing windows nearer to the explanation than silent ones, by sentence embedding?"""
    FUZZING = "fuzzing"
    """Can a reader with only the explanation tell rightly from wrongly marked tokens?"""
    INTRUDER = "intruder"
    """Can a reader without any explanation find the one window where the feature is silent?"""
    SIMULATION = "simulation"
    """Do activations predicted from the explanation go with the true ones?"""
    SURPRISAL = "surprisal"
    """Does the explanation lower a language model's loss on firing windows more than on silent ones?"""
    GENERATION = "generation"
    """Do texts written from the explanation fire the feature, and near misses not?"""
    INTERVENTION = "intervention"
    """Do continuations carry the explanation when the feature is turned up, more than clean ones?"""


class Metric(StrEnum):
    """What the number is."""

    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    BALANCED_ACCURACY = "balanced_accuracy"
    AUC = "auc"
    ACCURACY = "accuracy"
    """Share of right choices; chance is said by the empty baseline."""
    CORRELATION = "correlation"
    """Pearson's, over tokens."""
    GAIN = "gain"
    """Difference of two shares, from -1 to 1; 0 is no effect."""


class Negatives(StrEnum):
    """What firing windows were told apart from."""

    ALL_TOKENS = "all_tokens"
    """Every other token of the split."""
    RANDOM = "random"
    """Windows drawn at random where the feature is silent."""
    HARD = "hard"
    """Same token but silent; windows of neighbouring features; embedding-near windows."""
    MARKED_SILENT = "marked_silent"
    """Silent windows with as many tokens marked as firing windows have."""
    MISMARKED = "mismarked"
    """Firing windows with other tokens marked than those that fire."""
    NEAR_MISSES = "near_misses"
    """Texts written to resemble what the explanation describes without being it."""
    CLEAN = "clean"
    """Continuations of the same prompts by the untouched subject."""


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
    RANDOM_DIRECTION = "random_direction"
    """The same explanation, with a random direction of the same norm in place of the feature's."""
    RANDOM_EXPLAINED = "random_explained"
    """A random direction of the same norm, explained in the same way from its own effects."""


class Baseline(Record):
    """The same measurement on the same examples with another explanation."""

    name: BaselineName
    """Which baseline."""
    value: float | None
    """The value; None if it could not be measured."""
    interval: Interval | None
    """Its interval."""
    n_positive: int | None = Field(default=None, ge=0)
    """Firing examples that it rests on, each once, however many other explanations were read on it; None
    where it is known without any, and in cards that were stored before this was."""
    n_negative: int | None = Field(default=None, ge=0)
    """Silent examples that it rests on."""


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
    prompt: PromptRef | None = None
    """The prompt that asked the reader; None for readers that are not asked in words."""
    windows_per_prompt: int | None = Field(default=None, ge=1)
    """Examples that the reader was shown at once; None for readers without prompts."""
    stopped: str = ""
    """Why no more examples were read: `precise`, `clear`, `exhausted`; empty where all were read at once."""
