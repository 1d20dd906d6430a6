"""What an investigation claims, tests and believes of one feature, and what it comes to."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from glossator.records.base import Record, content_id
from glossator.records.explanation import Explanation, LlmSpending, Verdict
from glossator.records.feature import FeatureRef
from glossator.records.predicate import Predicate, predicate_json
from glossator.records.score import Interval


class HypothesisOrigin(StrEnum):
    """How a hypothesis came about."""

    PROPOSED = "proposed"
    """From what was observed."""
    RECALLED = "recalled"
    """From what memory holds of this feature or its neighbours."""
    REFINED = "refined"
    """By correcting another one's mistakes."""
    FACET = "facet"
    """One of several meanings that another one mixed."""
    JOINED = "joined"
    """Several facets, and their exceptions, as one claim; joined by code."""


class Hypothesis(Record):
    """A claim about when a feature fires that could be wrong."""

    id: str
    """`h-` and 12 hex digits, from feature, author, text and predicate."""
    feature: FeatureRef
    """The feature."""
    text: str = Field(min_length=1, max_length=300)
    """The claim in plain words."""
    predicate: Predicate | None
    """The same claim, executable; None where it was only said."""
    author: str
    """Who proposed it: `embedded-analyst/1`, a model's name."""
    origin: HypothesisOrigin
    """How it came about."""
    parents: tuple[str, ...] = ()
    """Ids of the hypotheses that it was made from."""

    @classmethod
    def of(
        cls,
        feature: FeatureRef,
        text: str,
        predicate: Predicate | None,
        *,
        author: str,
        origin: HypothesisOrigin,
        parents: tuple[str, ...] = (),
    ) -> Hypothesis:
        """A hypothesis with the id that its content gives it."""
        executable = None if predicate is None else predicate_json(predicate)
        identity = content_id("h", [str(feature), author, text, executable])
        return cls(
            id=identity,
            feature=feature,
            text=text,
            predicate=predicate,
            author=author,
            origin=origin,
            parents=parents,
        )


class Expectation(StrEnum):
    """What a text is predicted to do to the feature, said before it is run."""

    FIRES = "fires"
    SILENT = "silent"


class Outcome(StrEnum):
    """What a text did, judged by code against the feature's own activations on `explore`."""

    FIRES = "fires"
    """Above the strong threshold."""
    WEAK = "weak"
    """Above 0 and below it: speaks for neither side."""
    SILENT = "silent"
    """Not at all."""


class ExperimentKind(StrEnum):
    """What an experiment does."""

    TEXTS = "texts"
    """Texts written to test a hypothesis."""
    SUBSTITUTION = "substitution"
    """Firing windows with one word replaced by another."""
    BOUNDARY = "boundary"
    """Cases at the edge of the leading claim, written to break it; the subject labels them."""
    MINIMAL_PAIRS = "minimal_pairs"
    """Pairs that differ in one thing, of which one should fire and the other not."""
    CORPUS = "corpus"
    """The predicate over every token of `explore`."""


class TriedText(Record):
    """One text with what was expected and what it did."""

    text: str
    """The text, as the subject read it."""
    expected: Expectation
    """Said before."""
    why: str = ""
    """The proposer's reason, in words."""
    activation: float
    """The feature's largest activation on it."""
    quantile: float = Field(ge=0, le=1)
    """Share of the feature's firings on `explore` that are weaker."""
    outcome: Outcome
    """Judged by code."""
    token: str = ""
    """Where it fires most; empty where it is silent."""


class Experiment(Record):
    """A batch of texts that could refute a hypothesis, run and judged. The payload of its evidence."""

    hypothesis: str
    """Id of the hypothesis that made the predictions."""
    kind: ExperimentKind
    """What was done."""
    tested: tuple[TriedText, ...]
    """Every text, also those that spoke against it."""
    threshold: float
    """The activation above which a text counts as firing."""

    @property
    def decided(self) -> int:
        """Texts that spoke for one side."""
        return sum(t.outcome is not Outcome.WEAK for t in self.tested)

    @property
    def right(self) -> int:
        """Texts that did what was expected."""
        return sum(t.outcome.value == t.expected.value for t in self.tested)


class Belief(Record):
    """How much is believed of one hypothesis; computed, never said by a model."""

    hypothesis: str
    """Its id."""
    probability: float = Field(ge=0, le=1)
    """Posterior among the hypotheses in play and "none of them"."""
    log_odds: float
    """Sum of the log-likelihood ratios of everything seen, prior included."""
    n: int = Field(ge=0)
    """Decided texts behind it."""


class Facet(Record):
    """One of the meanings of a feature that has several."""

    hypothesis: str
    """Id of the hypothesis that says it."""
    text: str
    """In words."""
    share: float = Field(ge=0, le=1)
    """Share of the firing windows of `validate` that it covers."""
    precision: float = Field(ge=0, le=1)
    """Share of the tokens on `validate` where it holds on which the feature fires."""


class ExceptionRegion(Record):
    """Where a claim would hold and the feature is silent all the same."""

    text: str
    """In words."""
    predicate: Predicate
    """Where it is silent."""
    n: int = Field(ge=0)
    """Places of `explore`, or experiment texts, that showed it."""


class MinimalContext(Record):
    """The fewest tokens of a firing text on which the feature still fires."""

    text: str
    """The whole text."""
    kept: str
    """What is left of it."""
    tokens: tuple[str, ...]
    """The tokens kept."""
    activation: float
    """On what is left."""
    share: float
    """Of the activation on the whole text."""
    runs: int = Field(ge=1)
    """Texts that the subject read for it."""


class StopReason(StrEnum):
    """Why an investigation stopped experimenting."""

    DECIDED = "decided"
    """One hypothesis is believed, and attempts to break it failed."""
    STAGNATED = "stagnated"
    """Several experiments moved nothing."""
    STEPS = "step limit"
    BUDGET = "budget spent"
    TIME = "time limit"
    NOTHING_TO_TEST = "nothing to test"
    """No hypothesis was proposed, or none that could be tested."""
    UNFIT = "unfit to explain"
    """Dead, too rare, or nearly always on."""


class FeatureInvestigation(Record):
    """What an investigation of one feature came to."""

    id: str
    """`i-` and 12 hex digits."""
    feature: FeatureRef
    """The feature."""
    proposer: str
    """Who proposed."""
    explanation: Explanation | None
    """What was scored on `sealed`; None where nothing was worth scoring."""
    verdict: Verdict
    """By the written rule."""
    hypotheses: tuple[Hypothesis, ...]
    """Everything that was considered, most believed first."""
    beliefs: tuple[Belief, ...]
    """Final, in the same order."""
    refuted: tuple[str, ...] = ()
    """Ids of hypotheses that experiments spoke against."""
    experiments: tuple[str, ...] = ()
    """Evidence ids of every experiment, in order."""
    facets: tuple[Facet, ...] = ()
    """Where the feature has several meanings; empty or at least two."""
    exceptions: tuple[ExceptionRegion, ...] = ()
    """Where the claim does not hold."""
    minimal: tuple[MinimalContext, ...] = ()
    """Shortest firing contexts of a few strong windows."""
    stopped: StopReason
    """Why it stopped experimenting."""
    baseline_f1: float | None = None
    """Sealed F1 of the embedded analyst's one-shot label, on the same tokens; None where it has none."""
    f1: float | None = None
    """Sealed F1 of the explanation's predicate; None where it has none."""
    f1_interval: Interval | None = None
    """Its interval."""
    evidence: tuple[str, ...] = ()
    """Ids of all evidence behind it, the card's among them."""
    spending: LlmSpending = Field(default_factory=LlmSpending)
    """What LLM calls cost; none without an LLM."""
    seconds: float = Field(ge=0)
    """Wall time, of this process and those before it."""
