"""What a feature does: strengths, effects, intervention scores, the stress grade, and the role.

Strengths have one canonical unit, the *multiple*: of the feature's own largest activation on `explore`.
A multiple m adds m * max_activation * direction to the output site; m < 0 turns the feature down.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from glossator.records.base import Record
from glossator.records.explanation import Explanation
from glossator.records.feature import FeatureRef, SiteRef, Split
from glossator.records.score import Interval, Score


class ContextFamily(StrEnum):
    """Where a prompt comes from."""

    OPENERS = "openers"
    """Short neutral beginnings such as "I think that"; a fixed list, parted among the splits."""
    SILENT = "silent"
    """Beginnings of windows of the corpus in which the feature is silent."""
    FIRING = "firing"
    """Windows of the corpus, cut just before the token at which the feature first fires."""


class KlPoint(Record):
    """One strength, and how far it moves the next token."""

    multiple: float
    """The strength; of the feature's largest activation."""
    kl: float | None
    """Mean over prompts of KL(clean || steered) of the next token, in nats; None where the subject gave
    infinities or NaN."""


class KlTarget(Record):
    """A target next-token KL, and the strength that reaches it."""

    target: float = Field(gt=0)
    """What was asked for, in nats."""
    multiple: float
    """The smallest strength found that reaches it; where `reached` is False, the one that comes nearest."""
    kl: float
    """What that strength reaches on the prompts it was tuned on (`validate`)."""
    kl_sealed: float | None = None
    """What it reaches on prompts of `sealed`; None where that was not measured."""
    reached: bool
    """Whether `kl` lies within the tolerance of the target."""
    reason: str = ""
    """Why not: `too weak at any safe strength`, `jumps over it`, …; empty where it is."""


class StrengthCalibration(Record):
    """Strengths of one feature in one sign, matched to next-token KL."""

    feature: FeatureRef
    """The feature."""
    site: SiteRef
    """Where its direction was added."""
    sign: int
    """1 turns it up, -1 down."""
    max_activation: float
    """Its largest activation on `explore`: one multiple."""
    direction_norm: float
    """Length of its direction: one unit of activation moves the site so far."""
    curve: tuple[KlPoint, ...]
    """Everything that was measured on the way, by strength."""
    targets: tuple[KlTarget, ...]
    """One per target."""
    largest_safe: float | None
    """The largest strength tried at which the subject gave finite numbers, where a larger one did not;
    None where all did."""
    n_prompts: int = Field(ge=1)
    """Prompts behind each KL."""
    tolerance: float
    """Relative; 0.1 is 10 %."""


class TokenShift(Record):
    """How one output token moves when the feature is turned up."""

    token: str
    """The token's text."""
    change: float
    """Change of its log-probability as the next token, in nats, mean over prompts."""
    clean: float
    """Its mean probability without."""
    steered: float
    """Its mean probability with."""


class DosePoint(Record):
    """One strength of a dose–response curve."""

    multiple: float
    """The strength; negative turns the feature down."""
    kl: float
    """Next-token KL."""
    change: float
    """Change of the log-odds that the next token is one of the concept's, in nats, mean over prompts."""
    interval: Interval
    """Its interval, over prompts."""
    null_low: float
    """Lower end of the null band: random directions of the same norm, each on the tokens it raises itself."""
    null_high: float
    """Upper end of the null band."""


class EffectFindings(Record):
    """What turning a feature up does to the next token, and the concept that this amounts to."""

    feature: FeatureRef
    """The feature."""
    multiple: float
    """The strength at which tokens were compared."""
    kl: float
    """The next-token KL there."""
    n_prompts: int = Field(ge=1)
    """Prompts behind each number."""
    split: Split
    """Where the prompts came from: `validate` for what is written from, `sealed` for what is reported."""
    raised: tuple[TokenShift, ...]
    """Tokens that rise most, most first."""
    lowered: tuple[TokenShift, ...]
    """Tokens that fall most, most first."""
    concept: tuple[str, ...]
    """Token texts that the effect's concept consists of; empty where no token rises in most prompts."""
    beyond_null: bool = False
    """Whether the concept rises more than random directions of the same norm raise theirs."""
    dose: tuple[DosePoint, ...]
    """The dose–response curve, by strength."""


class InterventionScore(Record):
    """Whether steered continuations carry an explanation, at one strength."""

    explanation: str
    """Id of the explanation."""
    target_kl: float
    """The KL level."""
    kl: float
    """The KL reached on the prompts of the score."""
    multiple: float
    """The strength."""
    score: Score
    """`intervention`: share of continuations that carry it, steered minus clean, with its baselines."""
    excess: float | None
    """The score minus that of random directions of the same norm, each explained in the same way."""
    excess_interval: Interval | None
    """Its interval; None exactly where `excess` is."""
    perplexity_clean: float | None
    """Perplexity of the clean continuations under the clean subject; None where not measured."""
    perplexity_steered: float | None
    """Perplexity of the steered continuations under the clean subject; None where not measured."""
    perplexity_random: float | None
    """The same under random directions of the same norm; None where not measured."""


class StressCell(Record):
    """One cell of the grid."""

    layer: int
    """The block whose output the direction was added to."""
    level: float
    """The KL level, negative where the feature is turned down."""
    family: ContextFamily
    """Where the prompts came from."""
    multiple: float
    """The strength."""
    kl: float | None
    """The KL that it has here; None where the subject gave infinities or NaN at every prompt."""
    change: float | None
    """Change of the concept's log-odds as the next token, mean over prompts; None as with `kl`."""
    null_low: float | None
    """Lower end of the null band; None where the subject gave no finite numbers for random directions."""
    null_high: float | None
    """Upper end of the null band."""
    carried: float | None
    """Share of continuations that carry the concept, steered minus clean; None where none were generated."""
    fluency: float | None
    """Clean perplexity over steered perplexity, at most 1; None where none were generated."""
    n: int = Field(ge=1)
    """Prompts."""
    passed: bool
    """The predicted sign, and beyond the null."""
    reason: str = ""
    """Why not; empty where it passed."""


class StressCheck(Record):
    """One other test of the stress grade."""

    name: str
    """`lexical neighbours`, `siblings`, `weak activations`, `prompting`, `difference of means`, …"""
    passed: bool | None
    """None where it could not be made, with the reason in `words`."""
    value: float | None
    """What was measured."""
    interval: Interval | None
    """Its interval; None exactly where `value` is."""
    bound: float | None
    """What the value had to reach; None where the check only informs."""
    n: int = Field(default=0, ge=0)
    """Examples behind it."""
    words: str
    """What was compared, and what came out."""


class StressReport(Record):
    """How far a causal claim about a feature holds, with everything that fails."""

    feature: FeatureRef
    """The feature."""
    claim: str
    """What was put to the test, in words."""
    concept: tuple[str, ...]
    """Token texts that should rise."""
    cells: tuple[StressCell, ...]
    """The grid."""
    checks: tuple[StressCheck, ...]
    """The other tests."""
    band: Interval | None
    """Multiples from the weakest to the strongest at which the concept rises and fluency stays above
    80 % of clean; None where there are none."""
    grade: str = Field(pattern=r"^[A-F]$")
    """From the written rule; F where nothing holds."""
    reasons: tuple[str, ...]
    """What the rule says of this report, worst first."""
    seed: int
    """Of prompts and random directions."""

    @property
    def failing(self) -> tuple[StressCell, ...]:
        """The cells that did not pass."""
        return tuple(cell for cell in self.cells if not cell.passed)


class FeatureRole(StrEnum):
    """Which side of the model a feature speaks of."""

    INPUT = "input"
    """What it reads predicts its firing; turning it up does little that is specific."""
    OUTPUT = "output"
    """What it writes is strong and specific; what it reads does not predict its firing."""
    BOTH = "both"
    NEITHER = "neither"


class RoleFinding(Record):
    """A feature's role with the numbers that decide it."""

    role: FeatureRole
    """Decided by a written rule."""
    input_value: float | None
    """How well firing is predicted from the input: sealed detection (balanced accuracy) by the reader that
    decides the verdict; None where no label could be tested."""
    output_value: float | None
    """Excess of the intervention score; None where no effect could be explained."""
    reason: str
    """The rule with its numbers."""


class CausalFindings(Record):
    """Everything causal that is known of a feature."""

    up: StrengthCalibration
    """Strengths that turn it up."""
    down: StrengthCalibration | None = None
    """Strengths that turn it down."""
    effects: EffectFindings
    """What happens to the next token."""
    explanation: Explanation | None
    """What it causes, in words; None where no token rises in most prompts."""
    scores: tuple[InterventionScore, ...] = ()
    """Of that explanation, by KL level."""
    role: RoleFinding | None = None
    """Which side matters."""
    stress: StressReport | None = None
    """The robustness grade, where it was asked for."""
    notes: tuple[str, ...] = ()
    """What could not be done, and why."""
