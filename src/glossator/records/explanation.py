"""What is claimed of a feature, and what was decided."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from glossator.records.base import Record, content_id
from glossator.records.feature import FeatureRef
from glossator.records.predicate import Predicate, predicate_json
from glossator.records.prompt import PromptRef
from glossator.records.score import Score


class ExplanationFlag(StrEnum):
    """Something a reader should know about an explanation before trusting or paying for more."""

    TOKEN_TRIVIAL = "token_trivial"
    """Explained by the current token alone."""
    BIGRAM_TRIVIAL = "bigram_trivial"
    """Explained by the current and the previous token."""
    DENSE = "dense"
    """Fires on more than 10 % of tokens."""
    SPARSE_EVIDENCE = "sparse_evidence"
    """Fewer firings than the analyst wants for a firm label."""
    QUOTES_WINDOWS = "quotes_windows"
    """The text repeats a run of words of a window: it may be recognised rather than understood."""


class ExplanationMethod(StrEnum):
    """How an explanation came about."""

    EMBEDDED = "embedded"
    """By the embedded analyst: token statistics and executable rules, no LLM."""
    ONE_SHOT = "one_shot"
    """From firing windows of all strengths, in one question."""
    CONTRASTIVE = "contrastive"
    """From firing windows beside hard negatives."""
    OUTPUT_CENTRIC = "output_centric"
    """From the output tokens that the feature raises and lowers."""
    REFINED = "refined"
    """By correcting another explanation's false alarms and misses."""
    INVESTIGATED = "investigated"
    """Proposed by a model, tested by experiments on the subject, chosen on `validate`."""
    EFFECTS = "effects"
    """From the tokens that rise and fall when the feature is turned up: what it causes, not when it fires."""
    IMPORTED = "imported"
    """Written elsewhere and read from files of others; scored here like any other."""


class Explanation(Record):
    """Text and, where possible, the same claim in executable form."""

    id: str
    """`x-` and 12 hex digits, from feature, author, text and predicate."""
    feature: FeatureRef
    """The feature it explains."""
    author: str
    """Who wrote it: `embedded-analyst/1`, a model's name."""
    text: str = Field(min_length=1, max_length=300)
    """The label, in plain words."""
    predicate: Predicate | None
    """The same claim, executable."""
    flags: tuple[ExplanationFlag, ...] = ()
    """What a reader should know."""
    evidence: tuple[str, ...] = ()
    """Ids of the evidence that it rests on."""
    method: ExplanationMethod = ExplanationMethod.EMBEDDED
    """How it came about."""
    prompts: tuple[PromptRef, ...] = ()
    """The prompts that asked for it; none where no LLM wrote it."""

    @classmethod
    def of(
        cls,
        feature: FeatureRef,
        author: str,
        text: str,
        predicate: Predicate | None,
        flags: tuple[ExplanationFlag, ...] = (),
        evidence: tuple[str, ...] = (),
        *,
        method: ExplanationMethod = ExplanationMethod.EMBEDDED,
        prompts: tuple[PromptRef, ...] = (),
    ) -> Explanation:
        """An explanation with the id that its content gives it."""
        executable = None if predicate is None else predicate_json(predicate)
        identity = content_id("x", [str(feature), author, text, executable])
        return cls(
            id=identity,
            feature=feature,
            author=author,
            text=text,
            predicate=predicate,
            flags=flags,
            evidence=evidence,
            method=method,
            prompts=prompts,
        )


class Candidate(Record):
    """One explanation of a feature with its scores, beside the others that were tried."""

    explanation: Explanation
    """What was claimed."""
    scores: tuple[Score, ...]
    """Its scores, on the same examples as the other candidates'."""
    chosen: bool
    """It is the one that the card shows; chosen on `validate`, never by these scores."""
    validate_value: float | None = None
    """What the choice was made by: detection on `validate`; None where it could not be measured."""
    validate_n: int = Field(default=0, ge=0)
    """Examples behind that."""


class LlmSpending(Record):
    """What LLM calls cost."""

    calls: int = Field(default=0, ge=0)
    """Calls that were paid; answers from the ledger are not among them."""
    cached: int = Field(default=0, ge=0)
    """Answers that the ledger already held."""
    input_tokens: int = Field(default=0, ge=0)
    """Tokens sent, as the endpoint counts them."""
    output_tokens: int = Field(default=0, ge=0)
    """Tokens received."""
    usd: float | None = None
    """Money, in US dollars; None where a price is unknown."""
    unscored: dict[str, int] = Field(default_factory=dict)
    """Reason to count, for calls without a usable answer."""


class VerdictKind(StrEnum):
    """What was decided, by a written rule, from scores."""

    ACCEPTED = "accepted"
    TENTATIVE = "tentative"
    ABSTAINED = "abstained"


class Verdict(Record):
    """The decision about one feature, with its reason in words."""

    kind: VerdictKind
    """What was decided."""
    reason: str
    """Which rule decided it, with the numbers."""
    tried: tuple[str, ...] = ()
    """What was tried, best first, in words; kept above all where the verdict is abstention."""


class TokenEffect(Record):
    """How much a unit of the feature's direction raises (or lowers) one output token's logit."""

    token: str
    """The token's text."""
    effect: float
    """Change of the logit per unit along the direction, final norm folded in, mean logit removed."""
