"""A labelling run over many features: the order, what became of each feature, and what happened."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, JsonValue

from glossator.records.base import Record
from glossator.records.explanation import LlmSpending
from glossator.records.feature import FeatureNames, FeatureRef


class Depth(StrEnum):
    """How thoroughly each feature is looked at."""

    LABEL = "label"
    """Explained once and scored."""
    INVESTIGATE = "investigate"
    """Hypotheses, experiments that could refute them, then scores."""


class ItemState(StrEnum):
    """Where a feature of a run stands."""

    PLANNED = "planned"
    """Nobody is at it."""
    LEASED = "leased"
    """A worker is at it, or was until its lease ran out."""
    DONE = "done"
    """It has its card."""
    FAILED = "failed"
    """It could not be done; the reason says whether trying again could help."""
    SKIPPED = "skipped"
    """There was nothing to do: dead, rare, always on, or labelled before under the same settings."""


class Shortfall(StrEnum):
    """What a run does when the first features show that its budget will not pay for all."""

    FEWER = "fewer"
    """Those that come first are done as ordered; the rest stays planned."""
    CHEAPER = "cheaper"
    """The rest is asked for less: no fuzzing, wider intervals; then fewer, if that is not enough."""


class RunOrder(StrEnum):
    """Which features come first."""

    PROMISING = "promising"
    """Cheap and promising first: often enough to be scored well, not too dense, not trivial."""
    INDEX = "index"
    """By number."""
    DENSE = "dense"
    """Those that fire most often first."""
    GIVEN = "given"
    """As the selection names them."""


class RunVariant(Record):
    """One way to do an item; a run has one, or two where it may turn to a cheaper one."""

    work_key: str
    """Names the work whatever run does it."""
    explain_by: tuple[str, ...] = ()
    """Methods of the explainer; empty without one."""
    score_by: tuple[str, ...] = ()
    """Methods that ask a model; empty without one."""
    samples: int = 1
    """Explanations drawn per method."""
    half_width: float | None = None
    """Half width of the interval at which reading stops; None for the usual."""


class RunPlan(Record):
    """Everything that a run was ordered with: another machine can go on with it from this alone."""

    names: FeatureNames
    """Subject and dictionary."""
    index_identity: str
    """The activation index that all of it is measured on."""
    depth: Depth
    """How thoroughly."""
    selection: str
    """Which features, as it was said: `all`, `0-99,812`, `random 500`."""
    order: RunOrder
    """Which come first."""
    variants: tuple[RunVariant, ...] = Field(min_length=1, max_length=2)
    """The ordered way, then the cheaper one if there is one."""
    panel: tuple[int, ...]
    """Features whose embedded labels make the shuffled baseline of all."""
    budget: str = ""
    """What may be spent, in the form of `--budget`; empty for no limit."""
    until: str = ""
    """When no new feature is begun any more, ISO 8601 with its offset from UTC; empty for never."""
    shortfall: Shortfall = Shortfall.FEWER
    """What is done when the budget will not pay for all."""
    causal: bool = False
    """Whether each feature is turned up and down as well."""
    workers: int = Field(default=1, ge=1)
    """Worker processes."""
    notify: str = ""
    """Shell command to run at the end and on trouble; empty for none."""
    labels_from: str = ""
    """Author of imported labels that are scored instead of new ones being written; empty for none."""
    settings: dict[str, JsonValue]
    """The settings that the work depends on, and where to store it; never a key or a password."""


class RunEventKind(StrEnum):
    """What an event of a run says."""

    STARTED = "started"
    """It was ordered, or goes on after a stop."""
    PAUSED = "paused"
    """Somebody asked it to rest: nothing new is begun."""
    STOPPED = "stopped"
    """Somebody asked it to end; what is left stays planned."""
    RETRIED = "retried"
    """Failed features were planned again."""
    WORKER_STARTED = "worker_started"
    """A worker began."""
    WORKER_ENDED = "worker_ended"
    """A worker ended in order."""
    WORKER_LOST = "worker_lost"
    """A worker was found gone: killed, or its machine; its features are free again."""
    OUTAGE_BEGAN = "outage_began"
    """A model's endpoint stopped answering; the run waits for it."""
    OUTAGE_ENDED = "outage_ended"
    """It answers again."""
    TROUBLE = "trouble"
    """Something else went wrong: a full disk, a model that cannot be used."""
    PROJECTED = "projected"
    """After the first features: what all would cost, and what the budget will buy."""
    SHORTFALL = "shortfall"
    """What was chosen because the budget will not pay for all."""
    WINDOWS_CHOSEN = "windows_chosen"
    """How many windows a prompt shows was chosen by measured agreement; all workers keep to the first."""
    BUDGET_SPENT = "budget_spent"
    """The budget pays for no further feature."""
    TIME_UP = "time_up"
    """The time ordered is over."""
    FINISHED = "finished"
    """Nothing is left to do."""
    NOTIFIED = "notified"
    """The command of `--notify` was run."""


class RunEvent(Record):
    """One thing that happened in a run."""

    kind: RunEventKind
    """What it says."""
    words: str
    """One line for people."""
    worker: str = ""
    """The worker that says it; empty where it is not one's own."""
    payload: dict[str, JsonValue] = Field(default_factory=dict)
    """Numbers for programs."""


class StoredRunEvent(Record):
    """An event as the ledger holds it."""

    seq: int
    """Ascending over the whole ledger."""
    at: str
    """When, ISO 8601 in UTC, by the clock of whoever noted it."""
    event: RunEvent
    """What happened."""


class RunState(StrEnum):
    """Where a run as a whole stands."""

    RUNNING = "running"
    """Somebody should be at it; whether a worker lives is another question."""
    PAUSED = "paused"
    STOPPED = "stopped"
    """On request, by its budget or by its time; it can be resumed."""
    FINISHED = "finished"


class RunItem(Record):
    """One feature of a run as it stands."""

    feature: FeatureRef
    """The feature."""
    state: ItemState
    """Where it stands."""
    priority: float
    """Higher comes first."""
    attempts: int = Field(ge=0)
    """How often it was leased."""
    variant: int = 0
    """Which of the plan's variants it was done by."""
    worker: str = ""
    """Who has or had it."""
    reason: str = ""
    """Why it failed or was skipped; empty otherwise."""
    retryable: bool = False
    """Whether trying again could help one that failed, or that lacks answers."""
    card: str | None = None
    """Id of its card."""
    investigation: str | None = None
    """Id of its investigation, where that was the depth."""
    spending: LlmSpending | None = None
    """What its calls cost, by the attempt that finished it."""
    seconds: float | None = None
    """From lease to end, of the attempt that ended it."""


class RunCounts(Record):
    """How many features stand where."""

    planned: int = 0
    leased: int = 0
    done: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def total(self) -> int:
        """All features of the run."""
        return self.planned + self.leased + self.done + self.failed + self.skipped

    @property
    def left(self) -> int:
        """Features that are still to be ended."""
        return self.planned + self.leased


class WorkerLoad(Record):
    """What one worker is doing, by its last beat."""

    worker: str
    """Its id."""
    host: str
    """Its machine."""
    process: int
    """Its process id there."""
    alive: bool
    """Its last beat is recent and it has not ended."""
    in_work: int = 0
    """Features it is at."""
    slots: int = 0
    """Requests to models that it may have in flight now."""
    in_flight: int = 0
    """Requests to models that are in flight."""
    busy_share: float | None = None
    """Share of slot time that was in use since it began; None without models."""
    outage: str = ""
    """Which endpoint it waits for; empty for none."""


class RunSpending(Record):
    """What a run cost."""

    calls: int = 0
    """Answers that were paid."""
    tokens: int = 0
    """Sent and received."""
    usd: float | None = None
    """Money; None where a price is unknown."""
    unaccounted_calls: int = 0
    """Calls that may have been paid by workers that were killed, at most; they count against the budget."""
    unaccounted_usd: float = 0.0
    """The same in money."""


class FreshLabel(Record):
    """A label just made, for watching."""

    feature: FeatureRef
    """The feature."""
    label: str
    """Its label; empty after abstention."""
    verdict: str
    """The verdict."""
    value: float | None
    """Its headline score; None where it has none."""


class RunStatus(Record):
    """A run at one moment: what the status file holds, and the live view shows."""

    run: str
    """Its id."""
    state: RunState
    """Where it stands."""
    at: str
    """When this was written, ISO 8601 in UTC."""
    depth: Depth
    """How thoroughly."""
    selection: str
    """Which features."""
    counts: RunCounts
    """Features by state."""
    features_per_minute: float | None
    """Ended lately; None before the first."""
    seconds_left: float | None
    """For what is left, or what the budget will buy of it; None while unknown."""
    will_finish: int | None
    """Features that will be done by budget and time, those done among them; None while unknown."""
    spent: RunSpending
    """So far."""
    budget: str
    """As ordered."""
    until: str
    """As ordered."""
    workers: tuple[WorkerLoad, ...]
    """Who is at it."""
    verdicts: dict[str, int] = Field(default_factory=dict)
    """Verdict to count, over what is done."""
    score_deciles: tuple[int, ...] = ()
    """Headline scores from 0 to 1 in ten bins."""
    failures: dict[str, int] = Field(default_factory=dict)
    """Reason to count."""
    skipped: dict[str, int] = Field(default_factory=dict)
    """Reason to count."""
    unscored: dict[str, int] = Field(default_factory=dict)
    """Reason to count, of model answers."""
    fresh: tuple[FreshLabel, ...] = ()
    """The latest labels, newest first."""
    trouble: tuple[str, ...] = ()
    """What goes wrong at present, or went wrong last."""
