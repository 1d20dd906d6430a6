"""What a labelling run says at its head: counts, and means over features, each of one question."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from jaxtyping import Float

import glossator
from glossator.llm_summary import feature_differences, total_rejected, total_spending
from glossator.probes.intervals import t_quantile
from glossator.records import FeatureCard, Interval, LlmSpending, Score
from glossator.report.context import ReportContext, ReportTotals, SummaryMean
from glossator.report.wording import NEGATIVES_WORDS, score_name, threshold_words
from glossator.settings import Settings

_DRAWS = 2000
_LLM_SETTINGS = ("explainer", "scorer", "windows_per_prompt")  # no URL: one may hold a key
_DIFFERENCES_NOTE = (
    "Differences are of sealed scores by the same reader, within each feature that has both labels; the "
    "label shown was chosen on validate texts and may be the embedded analyst's own."
)


def report_context(
    cards: Sequence[FeatureCard],
    settings: Settings,
    *,
    tokens: int,
    created: datetime,
    spending: LlmSpending | None = None,
) -> ReportContext:
    """The head of the report over `cards`.

    Args:
        cards: The features of the report.
        settings: What they were labelled with.
        tokens: Size of the index's explore split.
        created: When the run ended.
        spending: What the whole run spent; by default the sum over the cards, stored ones included.

    """
    first = cards[0].feature if cards else None
    subject = first.subject if first else settings.subject
    dictionary = first.dictionary if first else settings.dictionary
    differences = llm_differences(cards, seed=settings.seed)
    shown = ["subject", "dictionary", "corpus", "tokens", "context", "embedder", "seed"]
    shown += [key for key in _LLM_SETTINGS if getattr(settings, key) is not None]
    values = settings.model_dump(mode="json")
    return ReportContext(
        title=f"{len(cards)} features of {subject}/{dictionary}",
        subject=subject,
        dictionary=dictionary,
        corpus=settings.corpus,
        tokens=tokens,
        created=created,
        version=glossator.__version__,
        totals=ReportTotals.of(cards),
        means=summary_means(cards, seed=settings.seed),
        differences=differences,
        spending=spending or total_spending(cards),
        rejected=total_rejected(cards),
        settings={key: str(values[key]) for key in shown},
        notes=(
            "Means are over all features for which a label was proposed, rejected ones included; "
            "intervals are bootstrapped over features.",
            *((_DIFFERENCES_NOTE,) if differences else ()),
        ),
    )


def llm_differences(cards: Sequence[FeatureCard], *, seed: int) -> tuple[SummaryMean, ...]:
    """LLM labels minus the embedded analyst's on sealed text, each question's mean over features."""
    found = feature_differences(cards)
    return tuple(_mean(name, np.asarray(values), seed) for name, values in found.items())


def summary_means(cards: Sequence[FeatureCard], *, seed: int) -> tuple[SummaryMean, ...]:
    """The mean of each kind of score over the labelled features that have it."""
    values: dict[str, list[float]] = {}
    for card in cards:
        for score in card.scores if card.explanation is not None else ():
            if score.value is not None:
                values.setdefault(_kind(score), []).append(score.value)
    return tuple(_mean(name, np.asarray(found), seed) for name, found in values.items())


def _kind(score: Score) -> str:
    against = f"against {NEGATIVES_WORDS[score.negatives]}, {threshold_words(score.threshold)}"
    return f"{score_name(score)} ({score.reader}, {against}, {score.split.value})"


def _mean(name: str, values: Float[np.ndarray, " features"], seed: int) -> SummaryMean:
    """The mean, with percentiles widened for few features (Hesterberg 2015, arXiv:1411.5279, section 5.3)."""
    from scipy.special import ndtr

    n = len(values)
    if n < 2:  # one feature says nothing of how features differ
        return SummaryMean(name=name, value=float(values.mean()), interval=None, n=n)
    drawn = np.random.default_rng(seed).integers(n, size=(_DRAWS, n))
    tail = float(ndtr(-math.sqrt(n / (n - 1)) * t_quantile(n - 1)))
    low, high = np.quantile(values[drawn].mean(axis=1), (tail, 1 - tail))
    interval = Interval(low=float(low), high=float(high), method="bootstrap over features")
    return SummaryMean(name=name, value=float(values.mean()), interval=interval, n=n)
