"""What a labelling run says at its head: counts, and means over features, each of one question."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from jaxtyping import Float

import glossator
from glossator.records import FeatureCard, Interval, Score
from glossator.report.context import ReportContext, ReportTotals, SummaryMean
from glossator.report.wording import NEGATIVES_WORDS, score_name, threshold_words
from glossator.settings import Settings

_DRAWS = 2000


def report_context(
    cards: Sequence[FeatureCard], settings: Settings, *, tokens: int, created: datetime
) -> ReportContext:
    """The head of the report over `cards`; `tokens` is the size of the index's explore split."""
    first = cards[0].feature if cards else None
    subject = first.subject if first else settings.subject
    dictionary = first.dictionary if first else settings.dictionary
    shown = ("subject", "dictionary", "corpus", "tokens", "context", "embedder", "seed")
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
        settings={key: str(values[key]) for key in shown},
        notes=(
            "Means are over all features for which a label was proposed, rejected ones included; "
            "intervals are bootstrapped over features.",
        ),
    )


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
    drawn = np.random.default_rng(seed).integers(len(values), size=(_DRAWS, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), (0.025, 0.975))
    interval = Interval(low=float(low), high=float(high), method="bootstrap over features")
    return SummaryMean(name=name, value=float(values.mean()), interval=interval, n=len(values))
