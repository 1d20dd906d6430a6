"""How the report says things: numbers, methods, negatives and flags in a reader's words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from glossator.comparison import Question
from glossator.records import (
    Baseline,
    BaselineName,
    ExplanationFlag,
    ExplanationMethod,
    FeatureCard,
    Interval,
    LlmSpending,
    Metric,
    Negatives,
    PromptRef,
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
    Metric.ACCURACY: "accuracy",
    Metric.CORRELATION: "correlation",
    Metric.GAIN: "gain",
}
METHOD_QUESTIONS = {
    ScoreMethod.PREDICATE: "Does the rule hold where the feature fires, over every token?",
    ScoreMethod.DETECTION: "Can a reader with only the label tell firing windows from silent ones?",
    ScoreMethod.EMBEDDING: "Are firing windows nearer to the label than silent ones, by sentence embedding?",
    ScoreMethod.FUZZING: "Can a reader with only the label tell rightly from wrongly marked tokens?",
    ScoreMethod.INTRUDER: "Can a reader without any label find the one window where it is silent?",
    ScoreMethod.SIMULATION: "Do activations predicted from the label go with the true ones?",
    ScoreMethod.SURPRISAL: "Does the label help a language model more with firing windows than with silent?",
    ScoreMethod.GENERATION: "Do texts written from the label fire the feature, and near misses not?",
    ScoreMethod.INTERVENTION: "Do continuations carry it when the feature is turned up, unlike clean ones?",
}
NEGATIVES_WORDS = {
    Negatives.ALL_TOKENS: "all other tokens",
    Negatives.RANDOM: "random silent windows",
    Negatives.HARD: "hard silent windows",
    Negatives.MARKED_SILENT: "silent windows with marks",
    Negatives.MISMARKED: "firing windows wrongly marked",
    Negatives.NEAR_MISSES: "near misses",
    Negatives.CLEAN: "clean continuations",
}
EXPLANATION_METHOD_WORDS = {
    ExplanationMethod.EMBEDDED: "embedded analyst, no LLM",
    ExplanationMethod.ONE_SHOT: "one-shot",
    ExplanationMethod.CONTRASTIVE: "contrastive",
    ExplanationMethod.OUTPUT_CENTRIC: "from output tokens",
    ExplanationMethod.REFINED: "refined",
    ExplanationMethod.INVESTIGATED: "investigated",
    ExplanationMethod.EFFECTS: "from its effects",
    ExplanationMethod.IMPORTED: "imported",
}
BASELINE_WORDS = {
    BaselineName.SHUFFLED: "shuffled",
    BaselineName.EMPTY: "empty",
    BaselineName.EMBEDDED_ANALYST: "embedded analyst",
    BaselineName.RANDOM_DIRECTION: "random direction",
    BaselineName.RANDOM_EXPLAINED: "random direction, explained alike",
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
    ExplanationFlag.QUOTES_WINDOWS: FlagWords(
        "quote",
        "quotes windows",
        "The label repeats words of a window, so readers may recognise the text rather than understand it.",
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


def baseline_words(baseline: Baseline) -> str:
    """`shuffled 0.52 [0.41, 0.63] (n = 5 + 5)`."""
    words = f"{BASELINE_WORDS[baseline.name]} {value_words(baseline.value, baseline.interval)}"
    n = baseline_n_words(baseline)
    return f"{words} ({n})" if n else words


def baseline_n_words(baseline: Baseline | None) -> str:
    """`n = 5 + 5`, firing and silent examples; empty where none are named."""
    if baseline is None or baseline.value is None or baseline.n_positive is None:
        return ""
    return f"n = {count(baseline.n_positive)} + {count(baseline.n_negative or 0)}"


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
    if score.method is ScoreMethod.GENERATION:
        return "texts"
    return "tokens" if score.negatives is Negatives.ALL_TOKENS else "windows"


def signed(value: float | None, digits: int = 2) -> str:
    """A difference with its sign; a dash where there is none. What rounds to nothing has no minus."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")


def signed_words(value: float | None, interval: Interval | None) -> str:
    """`+0.05 [−0.02, +0.12]`."""
    if interval is None:
        return signed(value)
    return f"{signed(value)} [{signed(interval.low)}, {signed(interval.high)}]"


def prompt_words(prompts: Iterable[PromptRef]) -> str:
    """`explain_one_shot v2, explain_refine v1`; empty for none."""
    return ", ".join(f"{p.name} v{p.version}" for p in prompts)


_STOPPED_WORDS = {
    "precise": "stopped: the interval was narrow enough",
    "clear": "stopped: the decision was clear",
    "exhausted": "all examples were read",
}


def reading_words(score: Score) -> str:
    """How the reader was asked: prompt, windows a prompt, and why it stopped; empty without a prompt."""
    parts = [prompt_words([score.prompt])] if score.prompt else []
    if score.windows_per_prompt is not None:
        parts.append(
            "1 a prompt" if score.windows_per_prompt == 1 else f"{score.windows_per_prompt} a prompt"
        )
    if score.stopped:
        parts.append(_STOPPED_WORDS.get(score.stopped, score.stopped))
    return ", ".join(parts)


def reasons_words(reasons: Mapping[str, int]) -> str:
    """`refusal 2, timed out 10`: reasons in order, with their counts."""
    return ", ".join(f"{reason} {count(n)}" for reason, n in sorted(reasons.items()))


def usd_words(usd: float | None) -> str:
    """Money in US dollars; `unknown` where a price is, never a guessed zero."""
    if usd is None or not math.isfinite(usd):
        return "unknown"
    return f"${usd:.2f}" if usd >= 1 or usd == 0 else f"${usd:.2g}" if usd >= 1e-4 else "<$0.0001"


def spending_words(spending: LlmSpending) -> str:
    """Calls, answers that were stored, tokens and money, in one line."""
    tokens = f"{count(spending.input_tokens)} tokens in, {count(spending.output_tokens)} out"
    calls = "1 call" if spending.calls == 1 else f"{count(spending.calls)} calls"
    return f"{calls}, {count(spending.cached)} from the ledger; {tokens}; cost {usd_words(spending.usd)}"


def question_words(question: Question) -> str:
    """`Detection · balanced accuracy by gpt-5-mini, against random silent windows`."""
    name = f"{question.method.value.capitalize()} · {METRIC_WORDS[question.metric]}"
    return f"{name} by {question.reader}, against {NEGATIVES_WORDS[question.negatives]}"


def topic_words(question: Question) -> str:
    """The same without the metric: `Detection by gpt-5-mini, against random silent windows`."""
    name = question.method.value.capitalize()
    return f"{name} by {question.reader}, against {NEGATIVES_WORDS[question.negatives]}"


def unscored_words(score: Score) -> str:
    """`12 unscored: timeout 10, refusal 2`; empty where all were scored."""
    if not score.unscored:
        return ""
    return f"{count(sum(score.unscored.values()))} unscored: {reasons_words(score.unscored)}"


def rejected(card: FeatureCard) -> bool:
    """Whether the card holds an explanation that was scored and not accepted."""
    return card.explanation is not None and card.verdict.kind is VerdictKind.ABSTAINED


def chance(metric: Metric) -> float | None:
    """What guessing gives; None where it depends on the share of positives."""
    return 0.5 if metric in (Metric.BALANCED_ACCURACY, Metric.AUC) else None
