"""The written rule that turns scores into a verdict. Nothing else decides whether a label is shown.

One reader answers: the predicate for labels of the embedded analyst, whose text is the predicate in
words; for a label that an LLM wrote, the LLM that reads; without one, the predicate where there is one,
else the embedder. Taking the best of them would be choosing on `sealed`, and letting an LLM judge a
predicate's label would let a poor reader sink it. Hard negatives do not decide, because how hard they
are differs between features; their number stands in the reason.

Accepted: detection of at least `ACCEPT_DETECTION`, and F1 of at least `ACCEPT_F1` where the predicate is
the reader. Tentative: less, but the whole interval of detection is above that of other features'
explanations. Abstained: everything else, and features that no label can fit.
"""

from __future__ import annotations

from collections.abc import Sequence

from glossator.agents.firing_facts import STRONG, FiringFacts
from glossator.records import (
    BaselineName,
    Explanation,
    ExplanationMethod,
    Metric,
    Negatives,
    Score,
    ScoreMethod,
    Verdict,
    VerdictKind,
)

ACCEPT_DETECTION = 0.75
"""Least detection accuracy of an accepted label. Published labels of sparse autoencoders by a 70 B
model have medians of 0.74 to 0.83 (Paulo et al. 2024), so a label below is worse than most."""
ACCEPT_F1 = 0.4
"""Least F1 over all tokens of an accepted label with a predicate. Detection alone forgives a rule that
holds on ten times as many tokens as the feature fires on; a plain set of tokens reaches 0.5 on average."""
MIN_FIRINGS_EXPLORE = 20
"""Below this a rule is fitted to a handful of tokens."""
MIN_FIRINGS_SEALED = 10
"""Below this no interval is narrow enough to decide anything."""
MAX_DENSITY = 0.5
"""Above this the feature is more often on than off, and "where it fires" is no question."""


def unfit_to_explain(facts: FiringFacts) -> str | None:
    """Why no explanation should be tried: dead, too rare or nearly always on; None if one should."""
    if facts.n_explore == 0:
        return "dead: it fires nowhere in the explore split"
    if facts.density > MAX_DENSITY:
        return (
            f"always on: it fires on {facts.density:.0%} of tokens, and more than {MAX_DENSITY:.0%} "
            "leave nothing to tell apart"
        )
    if facts.n_explore < MIN_FIRINGS_EXPLORE:
        return f"too rare: {facts.n_explore} firings in the explore split, fewer than {MIN_FIRINGS_EXPLORE}"
    if facts.n_sealed < MIN_FIRINGS_SEALED:
        return f"too rare: {facts.n_sealed} firings in the sealed split, fewer than {MIN_FIRINGS_SEALED}"
    return None


def decide(
    facts: FiringFacts,
    explanation: Explanation | None,
    scores: Sequence[Score],
    tried: Sequence[str] = (),
    *,
    reader: str | None = None,
) -> Verdict:
    """The verdict on one feature.

    Args:
        facts: how often it fires.
        explanation: the label that was scored; None if none was found.
        scores: its scores.
        tried: what was tried, best first, in words.
        reader: the LLM that read the explanation; None where none was asked.

    """
    if (unfit := unfit_to_explain(facts)) is not None:
        return _abstain(unfit, tried)
    if explanation is None:
        return _abstain("no hypothesis explained enough of its firings to be put to the test", tried)
    tried = tried or (explanation.text,)
    detection = deciding_score(explanation, scores, reader)
    if detection is None or detection.value is None or detection.interval is None:
        by = deciding_reader(explanation, reader)
        return _abstain(f"detection by the {by} could not be measured ({_reasons(detection)})", tried)
    return _judge(scores, detection, detection.value, detection.interval.low, tried)


def deciding_reader(explanation: Explanation, reader: str | None) -> str:
    """Whose detection decides; `reader` is the LLM that read the explanation, None where none was asked."""
    if reader is None or explanation.method is ExplanationMethod.EMBEDDED:
        return "predicate" if explanation.predicate is not None else reader or "embedder"
    return reader


def deciding_score(explanation: Explanation, scores: Sequence[Score], reader: str | None) -> Score | None:
    """The detection that the verdict rests on, measured or not; None where nobody asked for it."""
    by = deciding_reader(explanation, reader)
    return _score(scores, ScoreMethod.DETECTION, by, Metric.BALANCED_ACCURACY, Negatives.RANDOM)


def others_reach(detection: Score) -> float:
    """What explanations of other features reach: the upper end of its interval; chance itself where it
    could not be measured. A reader that is asked in words reads only a few windows with them, whose
    interval nothing could clear, so there the value counts."""
    for baseline in detection.baselines:
        if baseline.name is BaselineName.SHUFFLED and baseline.interval is not None:
            reached = baseline.interval.high if detection.prompt is None else baseline.value
            return max(0.5, reached or 0.5)
    return 0.5


def _judge(
    scores: Sequence[Score],
    detection: Score,
    value: float,
    low: float,
    tried: Sequence[str],
) -> Verdict:
    by_predicate = detection.reader == "predicate"
    f1 = _score(scores, ScoreMethod.PREDICATE, "predicate", Metric.F1, Negatives.ALL_TOKENS)
    chance = others_reach(detection)
    numbers = _numbers(scores, detection, f1)
    if low <= chance:
        return _abstain(f"{numbers}: not above explanations of other features (up to {chance:.2f})", tried)
    holds = f1 is not None and f1.value is not None and f1.value >= ACCEPT_F1
    if value >= ACCEPT_DETECTION and (holds or not by_predicate):
        return Verdict(
            kind=VerdictKind.ACCEPTED,
            reason=f"{numbers}: above explanations of other features (up to {chance:.2f})",
            tried=tuple(tried),
        )
    short = f"detection below {ACCEPT_DETECTION}" if value < ACCEPT_DETECTION else f"F1 below {ACCEPT_F1}"
    return Verdict(
        kind=VerdictKind.TENTATIVE,
        reason=f"{numbers}: above explanations of other features (up to {chance:.2f}), but {short}",
        tried=tuple(tried),
    )


def _abstain(reason: str, tried: Sequence[str]) -> Verdict:
    return Verdict(kind=VerdictKind.ABSTAINED, reason=f"uninterpretable so far: {reason}", tried=tuple(tried))


def _score(
    scores: Sequence[Score], method: ScoreMethod, reader: str, metric: Metric, negatives: Negatives
) -> Score | None:
    wanted = (method, reader, metric, negatives, STRONG)
    for score in scores:
        if (score.method, score.reader, score.metric, score.negatives, score.threshold) == wanted:
            return score
    return None


def _numbers(scores: Sequence[Score], detection: Score, f1: Score | None) -> str:
    parts = [f"detection {_with_interval(detection)} with random negatives"]
    hard = _score(scores, ScoreMethod.DETECTION, detection.reader, Metric.BALANCED_ACCURACY, Negatives.HARD)
    if hard is not None and hard.value is not None:
        parts.append(f"{_with_interval(hard)} with hard ones")
    if f1 is not None and f1.value is not None:
        parts.append(f"F1 {_with_interval(f1)} over all tokens")
    return ", ".join(parts)


def _with_interval(score: Score) -> str:
    if score.value is None or score.interval is None:
        return "unscored"
    return f"{score.value:.2f} ({score.interval.low:.2f} to {score.interval.high:.2f})"


def _reasons(score: Score | None) -> str:
    return "it was not asked for" if score is None else "; ".join(score.unscored) or "no reason given"
