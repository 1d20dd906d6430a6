"""What a labelling run came to: everything that its report shows, computed, before it is drawn.

Features are named by their number: a run is over one dictionary of one subject. Lists are bounded; where
one was cut, how many there were is said beside it.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from glossator.records.base import Record
from glossator.records.finding import Contradiction
from glossator.records.labelling_run import RunCounts, RunPlan, RunSpending, StoredRunEvent
from glossator.records.run_report_parts import (
    Estimate,
    NamedEstimate,
    Reason,
    RunQuestion,
    ScoreDistribution,
    ShownFeature,
)
from glossator.records.score import Interval


class RunCoverage(Record):
    """What became of all features that were asked for."""

    counts: RunCounts
    """Features by state."""
    verdicts: dict[str, int] = Field(default_factory=dict)
    """Verdict to count, over the features that have a card, skipped ones with an earlier card among them."""
    failed: tuple[Reason, ...] = ()
    """Why features failed, most frequent first."""
    retryable: int = Field(default=0, ge=0)
    """Failed ones that trying again could help."""
    skipped: tuple[Reason, ...] = ()
    """Why there was nothing to do."""
    earlier_cards: int = Field(default=0, ge=0)
    """Skipped ones that have a card of an earlier run; it counts in what follows."""
    earlier_verdicts: dict[str, int] = Field(default_factory=dict)
    """Verdict to count, over those."""
    unscored: int = Field(default=0, ge=0)
    """Features with an explanation of which no score could be measured."""
    missing_cards: int = Field(default=0, ge=0)
    """Done ones whose card was not found; nothing below knows of them."""


class RunHistory(Record):
    """What happened, in order."""

    events: tuple[StoredRunEvent, ...] = ()
    """The events; where they were too many, the first and the last ones."""
    left_out: int = Field(default=0, ge=0)
    """Events between those that are not shown."""
    counts: dict[str, int] = Field(default_factory=dict)
    """Kind to count, over all events."""
    began: str = ""
    """When it was first started, ISO 8601 in UTC; empty if it never was."""
    ended: str = ""
    """When the last event was noted, or the last feature ended."""
    running_seconds: float = 0.0
    """Time between starts and the pauses, stops and ends that followed. Where another start follows, all
    was killed: then up to the last sign of life before it."""
    outage_seconds: float = 0.0
    """Time in which some endpoint was known not to answer; overlapping outages count once."""


class SurpriseKind(StrEnum):
    """In which way a feature is surprising."""

    LLM_BETTER = "llm_better"
    """The model's label detects far better than the embedded analyst's, by the same reader."""
    LLM_WORSE = "llm_worse"
    """The embedded analyst's label detects far better than the model's, by the same reader."""
    READERS_DISAGREE = "readers_disagree"
    """The label's predicate and the model that read its words disagree: their intervals do not meet."""
    TOPIC_ONLY = "topic_only"
    """An accepted label that tells firing windows from random ones but not from ones that look alike."""
    OTHER_OUTPUT = "other_output"
    """An accepted label without a word in common with output tokens that the feature raises strongly."""


class Surprise(Record):
    """A feature that does not behave as one would expect."""

    kind: SurpriseKind
    """In which way."""
    feature: int
    """The feature."""
    label: str
    """What is claimed of it."""
    words: str
    """The numbers, with intervals and n."""
    size: float
    """By how much; larger is more surprising within its kind."""


class AbstentionGroup(Record):
    """Features that were left without a label for the same kind of reason."""

    reason: str
    """The reason without its numbers."""
    n: int = Field(ge=1)
    """Features."""
    examples: tuple[int, ...]
    """Some of them."""


class DirectionPair(Record):
    """Two features that write nearly the same."""

    first: int
    second: int
    cosine: float
    """Of their directions."""
    first_label: str
    second_label: str
    same_words: bool
    """Their labels are the same but for case, quotes and punctuation."""


class NearDirections(Record):
    """Pairs of nearly identical directions among the features of the run."""

    compared: int = Field(default=0, ge=0)
    """Features that were compared, each with each."""
    threshold: float
    """Cosine from which two are near."""
    pairs: int = Field(default=0, ge=0)
    """How many pairs there are."""
    features: int = Field(default=0, ge=0)
    """How many features are in one."""
    shown: tuple[DirectionPair, ...] = ()
    """The nearest."""
    note: str = ""
    """Why not all could be compared; empty where all were."""


class SharedLabel(Record):
    """One label, or nearly one, that several features have."""

    label: str
    """In the words of the first."""
    features: tuple[int, ...]
    """Some of them."""
    n: int = Field(ge=2)
    """How many there are."""
    others: tuple[str, ...] = ()
    """Other wordings; empty where all are worded alike."""


class Nesting(StrEnum):
    """How the narrower of two features lies to the wider one, whose label covers its own."""

    TWINS = "twins"
    """Each fires where the other does: one feature twice."""
    INSIDE = "inside"
    """The narrower fires nearly only where the wider does: a part of it."""
    ABSORBED = "absorbed"
    """The wider is silent nearly everywhere the narrower fires, though its label holds there."""


class NestedPair(Record):
    """A feature and a wider one."""

    kind: Nesting
    """How they lie to each other."""
    narrow: int
    wide: int
    narrow_label: str
    wide_label: str
    share: Estimate
    """Share of the narrower one's firings on which the wider one fires; n is documents."""
    firings: int
    """Firings of the narrower one on explore texts."""
    why: str
    """Why the wider one's label is taken to cover the narrower one's."""


class Nestings(Record):
    """What was found of duplicates and absorption by where features fire."""

    checked: int = Field(default=0, ge=0)
    """Pairs whose firings were compared."""
    candidates: int = Field(default=0, ge=0)
    """Pairs whose labels suggested it."""
    cut: bool = False
    """Not all pairs were looked for, where many features share a label or a token: there are at least so
    many candidates."""
    counts: dict[str, int] = Field(default_factory=dict)
    """Kind to count, over those whose firings were compared."""

    @property
    def partly(self) -> bool:
        """`counts` are the least that there can be: not every pair was compared."""
        return self.cut or self.checked < self.candidates

    shown: tuple[NestedPair, ...] = ()
    """Some of each kind, the clearest first."""
    note: str = ""
    """Why nothing was compared; empty where it was."""


class MethodCost(Record):
    """What features cost whose label came about in one way."""

    method: str
    """How the label that is shown came about; `no label` where there is none."""
    features: int
    """Features."""
    calls: Estimate
    """Mean of calls that were paid."""
    tokens: Estimate
    """Mean of tokens, sent and received."""
    usd: Estimate
    """Mean of money; without a value where a price is unknown."""


class RunCost(Record):
    """The bill."""

    spending: RunSpending
    """The whole run, with what could not be accounted for."""
    accepted: int = Field(ge=0)
    """Accepted labels that this run made."""
    ended: int = Field(ge=0)
    """Features that this run did."""
    usd_per_accepted: float | None = None
    """Money of the whole run by accepted label; None without either."""
    usd_per_feature: Estimate
    """Mean over features done."""
    calls_per_feature: Estimate
    tokens_per_feature: Estimate
    seconds_per_feature: Estimate
    """From lease to end; features are in work side by side."""
    by_method: tuple[MethodCost, ...] = ()


class PacePoint(Record):
    """Features that ended within one stretch of time."""

    at: str
    """Its beginning, ISO 8601 in UTC."""
    minutes: float
    """Its length."""
    features: int = Field(ge=0)
    """Features that ended in it."""


class LabelTest(Record):
    """A label held against what other features' labels reach."""

    feature: int
    label: str
    p: float
    """Chance of so good a detection if it were no better than that; one-sided."""
    adjusted: float
    """Benjamini and Hochberg's adjusted p; 1 for labels that were not accepted."""
    value: float
    """Its detection."""
    interval: Interval | None
    reached: float
    """What it had to beat."""
    reached_by: str = ""
    """Whose that is, and the n that it rests on."""
    documents: int
    """Documents behind it."""


class FalseDiscovery(Record):
    """Which accepted labels hold when chance is given its due."""

    q: float
    """Share of false ones among those that hold, at most, on average."""
    tested: int = Field(default=0, ge=0)
    """Labels that were tested, rejected ones among them: all count."""
    accepted: int = Field(default=0, ge=0)
    """Accepted labels in the run."""
    accepted_tested: int = Field(default=0, ge=0)
    """Accepted labels that could be tested."""
    holding: tuple[int, ...] = ()
    """Accepted labels that hold: all of them, by number."""
    expected_false: float = 0.0
    """False ones among those, at most, on average: `q` times their number."""
    threshold: float | None = None
    """The largest p among those that hold."""
    weakest: tuple[LabelTest, ...] = ()
    """Those that hold with the largest p."""
    falling: tuple[LabelTest, ...] = ()
    """Accepted labels that do not hold, the nearest first."""
    fallen: int = Field(default=0, ge=0)
    """How many of these there are."""
    untested: tuple[Reason, ...] = ()
    """Why labels could not be tested."""


class ChangedFeature(Record):
    """A feature whose score changed since an earlier run."""

    feature: int
    before_label: str
    label: str
    before_verdict: str
    verdict: str
    before: float
    """Its deciding score then."""
    before_interval: Interval | None
    before_n: int
    """Examples behind it."""
    value: float
    """The same question's now."""
    interval: Interval | None
    """Of the score now."""
    n: int
    """Examples behind the score now."""


class EarlierComparison(Record):
    """The run beside an earlier one, feature by feature."""

    run: str
    """The earlier run."""
    shared: int = Field(default=0, ge=0)
    """Features that both have a card of, on the same index."""
    only_here: int = Field(default=0, ge=0)
    only_there: int = Field(default=0, ge=0)
    other_index: int = Field(default=0, ge=0)
    """Features of both that were measured on different indexes: their scores answer different questions."""
    same_card: int = Field(default=0, ge=0)
    """Features with one card in both, which one of the two skipped: left out of everything else."""
    labelled: int = Field(default=0, ge=0)
    """Shared features that have a label in both."""
    same_label: int = Field(default=0, ge=0)
    """Of those, the ones whose label did not change."""
    differences: tuple[NamedEstimate, ...] = ()
    """Mean of now minus then by question, over the features that answered it both times."""
    transitions: dict[str, dict[str, int]] = Field(default_factory=dict)
    """Verdict then to verdict now to count."""
    changed: tuple[ChangedFeature, ...] = ()
    """Those whose deciding score changed most."""
    note: str = ""
    """Why nothing could be compared; empty where something was."""


class RunReport(Record):
    """Everything that the report of a labelling run shows."""

    run: str
    """The run's id."""
    plan: RunPlan
    """What was ordered."""
    coverage: RunCoverage
    history: RunHistory
    distributions: tuple[ScoreDistribution, ...] = ()
    """One for each question that was asked, what decides verdicts first."""
    deciding: tuple[RunQuestion, ...] = ()
    """The questions that verdicts rest on."""
    against_embedded: tuple[NamedEstimate, ...] = ()
    """Labels of a model minus the embedded analyst's, paired by feature."""
    best: tuple[ShownFeature, ...] = ()
    """By the lower end of the deciding score's interval."""
    worst: tuple[ShownFeature, ...] = ()
    """By its upper end."""
    surprises: tuple[Surprise, ...] = ()
    surprise_counts: dict[str, int] = Field(default_factory=dict)
    """Kind to count, over all features."""
    abstentions: tuple[AbstentionGroup, ...] = ()
    unscored: tuple[Reason, ...] = ()
    """Answers that could not be scored, by reason."""
    rejected: tuple[Reason, ...] = ()
    """Explanations that a model gave and that were not fit to be scored."""
    discovery: FalseDiscovery
    directions: NearDirections
    shared_labels: tuple[SharedLabel, ...] = ()
    shared_label_count: int = Field(default=0, ge=0)
    """How many labels, or groups of near ones, several features have."""
    shared_label_note: str = ""
    """Why not all labels of one meaning were put together; empty where they were."""
    nestings: Nestings
    contradictions: tuple[Contradiction, ...] = ()
    contradiction_count: int | None = Field(default=0, ge=0)
    """None where nobody looked: they are compared in pairs, which too many labels do not allow."""
    cost: RunCost
    pace: tuple[PacePoint, ...] = ()
    earlier: EarlierComparison | None = None
