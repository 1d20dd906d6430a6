"""How the report says things: numbers, methods, negatives and flags in a reader's words."""

from __future__ import annotations

import math
from typing import NamedTuple

from glossator.records import (
    BaselineName,
    ExplanationFlag,
    FeatureCard,
    Interval,
    Metric,
    Negatives,
    Score,
    ScoreMethod,
    TokenEffect,
    VerdictKind,
)

NOTHING = "–"

METRIC_WORDS = {
    Metric.PRECISION: "precision",
    Metric.RECALL: "recall",
    Metric.F1: "F1",
    Metric.BALANCED_ACCURACY: "balanced accuracy",
    Metric.AUC: "AUC",
}
METHOD_QUESTIONS = {
    ScoreMethod.PREDICATE: "Does the rule hold where the feature fires, over every token?",
    ScoreMethod.DETECTION: "Can a reader with only the label tell firing windows from silent ones?",
    ScoreMethod.EMBEDDING: "Are firing windows nearer to the label than silent ones, by sentence embedding?",
}
NEGATIVES_WORDS = {
    Negatives.ALL_TOKENS: "all other tokens",
    Negatives.RANDOM: "random silent windows",
    Negatives.HARD: "hard silent windows",
}
BASELINE_WORDS = {
    BaselineName.SHUFFLED: "shuffled",
    BaselineName.EMPTY: "empty",
    BaselineName.EMBEDDED_ANALYST: "embedded analyst",
}
VERDICT_SIGNS = {VerdictKind.ACCEPTED: "✓", VerdictKind.TENTATIVE: "~", VerdictKind.ABSTAINED: "∅"}


class FlagWords(NamedTuple):
    """One flag, short and explained."""

    short: str
    """For a narrow column."""
    name: str
    """For a badge."""
    meaning: str
    """What a reader should make of it."""


FLAG_WORDS = {
    ExplanationFlag.TOKEN_TRIVIAL: FlagWords(
        "tok", "token-trivial", "The current token alone explains when it fires; context adds nothing."
    ),
    ExplanationFlag.BIGRAM_TRIVIAL: FlagWords(
        "bi", "bigram-trivial", "The current and the previous token together explain when it fires."
    ),
    ExplanationFlag.DENSE: FlagWords(
        "dense", "dense", "It fires on more than 10 % of tokens, so a short label can hardly be exact."
    ),
    ExplanationFlag.SPARSE_EVIDENCE: FlagWords(
        "few", "sparse evidence", "It fired less often than a firm label needs."
    ),
}


def number(value: float | None, digits: int = 2) -> str:
    """`value` with fixed digits; a dash where there is none."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def activation_words(value: float) -> str:
    """An activation with three significant digits."""
    return f"{value:.3g}" if math.isfinite(value) else NOTHING


def interval_words(interval: Interval | None) -> str:
    """`[low, high]`; empty where there is none."""
    return "" if interval is None else f"[{number(interval.low)}, {number(interval.high)}]"


def value_words(value: float | None, interval: Interval | None) -> str:
    """`0.91 [0.88, 0.94]`."""
    return f"{number(value)} {interval_words(interval)}".strip()


def density_words(density: float) -> str:
    """A share of tokens as a percentage with two significant digits; `never` for none."""
    if not math.isfinite(density):
        return NOTHING
    if density <= 0:
        return "never"
    percent = 100 * density
    return "<0.001 %" if percent < 0.001 else f"{percent:.2g} %" if percent < 10 else f"{percent:.0f} %"


def threshold_words(threshold: float) -> str:
    """Which firings count as positive."""
    return "firing at all" if threshold == 0 else f">{100 * threshold:.0f} % of max"


def effect_words(effect: TokenEffect) -> str:
    """A logit effect with its sign."""
    return f"{effect.effect:+.2f}" if math.isfinite(effect.effect) else NOTHING


def count(value: int) -> str:
    """A whole number with thin thousands."""
    return f"{value:,}"


def score_name(score: Score) -> str:
    """`Detection · balanced accuracy`."""
    return f"{score.method.value.capitalize()} · {METRIC_WORDS[score.metric]}"


def examples_unit(score: Score) -> str:
    """What the examples of a score are."""
    return "tokens" if score.negatives is Negatives.ALL_TOKENS else "windows"


def unscored_words(score: Score) -> str:
    """`12 unscored: timeout 10, refusal 2`; empty where all were scored."""
    total = sum(score.unscored.values())
    if not score.unscored:
        return ""
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in sorted(score.unscored.items()))
    return f"{total:,} unscored: {reasons}"


def rejected(card: FeatureCard) -> bool:
    """Whether the card holds an explanation that was scored and not accepted."""
    return card.explanation is not None and card.verdict.kind is VerdictKind.ABSTAINED


def chance(metric: Metric) -> float | None:
    """What guessing gives; None where it depends on the share of positives."""
    return 0.5 if metric in (Metric.BALANCED_ACCURACY, Metric.AUC) else None
