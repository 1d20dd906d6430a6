"""What a report says besides its cards: where they come from, the counts and the means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from glossator.records import FeatureCard, Interval, LlmSpending, Record, VerdictKind


class ReportTotals(Record):
    """How many features ended how."""

    features: int = Field(ge=0)
    """Features in the report."""
    labelled: int = Field(ge=0)
    """Features whose label was accepted."""
    tentative: int = Field(ge=0)
    """Features with a tentative label."""
    abstained: int = Field(ge=0)
    """Features left without a label."""
    unscored: int = Field(ge=0)
    """Features with a label that no score could be measured for."""

    @classmethod
    def of(cls, cards: Iterable[FeatureCard]) -> ReportTotals:
        """The totals of `cards`."""
        listed = list(cards)
        kinds = Counter(card.verdict.kind for card in listed)
        unscored = sum(c.explanation is not None and all(s.value is None for s in c.scores) for c in listed)
        return cls(
            features=len(listed),
            labelled=kinds[VerdictKind.ACCEPTED],
            tentative=kinds[VerdictKind.TENTATIVE],
            abstained=kinds[VerdictKind.ABSTAINED],
            unscored=unscored,
        )


class SummaryMean(Record):
    """A mean over features, as computed by whoever asked for the report."""

    name: str
    """What was averaged: one method, metric and kind of negatives."""
    value: float | None
    """The mean; None if there was nothing to average."""
    interval: Interval | None
    """Its 95 % interval."""
    n: int = Field(ge=0)
    """Features averaged."""


class ReportContext(Record):
    """Everything on the page that is not about one feature."""

    title: str
    """The page's title."""
    subject: str
    """The model under study."""
    dictionary: str
    """The dictionary whose features are shown."""
    corpus: str
    """The texts that they were measured on."""
    tokens: int = Field(ge=0)
    """Tokens in those texts."""
    created: datetime
    """When the run ended; given, so that the same run makes the same page."""
    version: str
    """Glossator's version."""
    totals: ReportTotals
    """Counts by verdict."""
    means: tuple[SummaryMean, ...] = ()
    """Means over features, each of one question only."""
    differences: tuple[SummaryMean, ...] = ()
    """Means over features of an LLM's label minus the embedded analyst's, each of one question only."""
    spending: LlmSpending | None = None
    """What LLM calls cost; None where no LLM was asked."""
    rejected: dict[str, int] = Field(default_factory=dict)
    """Reason to count, for explanations that a model gave and that were not fit to be scored."""
    settings: dict[str, str] = Field(default_factory=dict)
    """Settings worth knowing, name to value."""
    notes: tuple[str, ...] = ()
    """What a reader should know before believing the page."""
