"""Features that do not behave as one would expect, by definitions that code can check.

Each definition wants intervals that do not meet, so that a handful of windows surprises nobody; what is
said of output tokens is a hint alone, because a feature may well be read where it is not written.
"""

from __future__ import annotations

import re
from array import array

import numpy as np

from glossator.comparison import Question, candidates_of
from glossator.records import (
    Candidate,
    ExplanationMethod,
    FeatureCard,
    Interval,
    Negatives,
    Score,
    Surprise,
    SurpriseKind,
    TokenIn,
    VerdictKind,
    WordIn,
)
from glossator.report.headline import is_llm
from glossator.report.token_marks import plain_token
from glossator.report.wording import value_words
from glossator.run_report.standings import Standing, detections
from glossator.run_report.top_list import TopList

SHOWN = 5
"""Features shown of each kind."""
STRONG_OUTPUT = 0.9
"""Only features whose strongest raised token is above this quantile of the run's count as strong."""
_FEWEST = 10
"""Of fewer features none is in the upper tenth."""
_PROMOTED = 5
_STEM = 4
_WORD = re.compile(r"\w{2,}")


class Surprises:
    """Collects surprising features card by card; keeps a few of each kind and counts all."""

    def __init__(self) -> None:
        self._lists = {kind: TopList[Surprise](SHOWN) for kind in SurpriseKind}
        self._strengths = array("d")
        self._apart = array("d")

    def add(self, card: FeatureCard, standing: Standing) -> None:
        """Look at one card."""
        self._against_embedded(card, standing)
        if standing.label:
            self._readers(card, standing)
            self._topic(card, standing)
        self._outputs(card, standing)

    def found(self) -> tuple[Surprise, ...]:
        """What is shown, by kind, the most surprising first."""
        kept = [s for top in self._lists.values() for s in top.entries()]
        floor = self._floor()
        return tuple(s for s in kept if s.kind is not SurpriseKind.OTHER_OUTPUT or s.size >= floor)

    def counts(self) -> dict[str, int]:
        """How many features of each kind there are."""
        counts = {kind.value: top.passed for kind, top in self._lists.items()}
        counts[SurpriseKind.OTHER_OUTPUT.value] = int((np.asarray(self._apart) >= self._floor()).sum())
        return counts

    def _floor(self) -> float:
        if len(self._strengths) < _FEWEST:
            return float("inf")
        return float(np.quantile(np.asarray(self._strengths), STRONG_OUTPUT))

    def _against_embedded(self, card: FeatureCard, standing: Standing) -> None:
        candidates = candidates_of(card)
        embedded = _best(candidates, embedded=True)
        model = _best(candidates, embedded=False)
        if embedded is None or model is None:
            return
        answered = {Question.of(s): s for s in detections(embedded.scores, Negatives.RANDOM)}
        for score in detections(model.scores, Negatives.RANDOM):
            other = answered.get(Question.of(score))
            if other is None or not _apart(score, other):
                continue
            better = (score.value or 0.0) > (other.value or 0.0)
            kind = SurpriseKind.LLM_BETTER if better else SurpriseKind.LLM_WORSE
            words = (
                f"detection by {score.reader}: {_said(score)} for “{model.explanation.text}”, "
                f"{_said(other)} for the embedded analyst's “{embedded.explanation.text}”"
            )
            self._offer(kind, standing, words, abs((score.value or 0.0) - (other.value or 0.0)))
            return

    def _readers(self, card: FeatureCard, standing: Standing) -> None:
        found = detections(card.scores, Negatives.RANDOM)
        model = next((s for s in found if is_llm(s.reader)), None)
        rule = next((s for s in found if s.reader == "predicate"), None)
        if model is None or rule is None or not _apart(model, rule):
            return
        words = f"detection by {model.reader} {_said(model)}, by the label's predicate {_said(rule)}"
        size = abs((model.value or 0.0) - (rule.value or 0.0))
        self._offer(SurpriseKind.READERS_DISAGREE, standing, words, size)

    def _topic(self, card: FeatureCard, standing: Standing) -> None:
        hard = [s for s in detections(card.scores, Negatives.HARD) if s.reader == standing.reader]
        if not standing.accepted or not hard or hard[0].value is None or standing.value is None:
            return
        interval = hard[0].interval
        if interval is None or interval.high >= standing.low or interval.low > 0.5:
            return
        random = _counted(standing.value, standing.interval, standing.n_positive, standing.n_negative)
        words = f"detection {random} against random windows, {_said(hard[0])} against hard ones"
        self._offer(SurpriseKind.TOPIC_ONLY, standing, words, standing.value - hard[0].value)

    def _outputs(self, card: FeatureCard, standing: Standing) -> None:
        if not card.promoted:
            return
        strength = card.promoted[0].effect
        self._strengths.append(strength)
        top = [e.token for e in card.promoted[:_PROMOTED]]
        if not standing.accepted or _stems(" ".join(top)) & _claimed(card):
            return
        self._apart.append(strength)
        shown = ", ".join(f"“{plain_token(t)}”" for t in top)
        words = f"raises {shown} most (strongest by {strength:.2f} logits per unit)"
        self._offer(SurpriseKind.OTHER_OUTPUT, standing, words, strength)

    def _offer(self, kind: SurpriseKind, standing: Standing, words: str, size: float) -> None:
        def make() -> Surprise:
            return Surprise(kind=kind, feature=standing.feature, label=standing.label, words=words, size=size)

        self._lists[kind].offer(size, standing.feature, make)


def _best(candidates: tuple[Candidate, ...], *, embedded: bool) -> Candidate | None:
    """The embedded analyst's, or the model's that did best on `validate` (the chosen one first)."""
    of_kind = [c for c in candidates if (c.explanation.method is ExplanationMethod.EMBEDDED) is embedded]
    return max(of_kind, key=lambda c: (c.chosen, c.validate_value or 0.0), default=None)


def _apart(a: Score, b: Score) -> bool:
    """Both were measured, and their intervals do not meet."""
    if a.interval is None or b.interval is None:
        return False
    return a.interval.low > b.interval.high or b.interval.low > a.interval.high


def _said(score: Score) -> str:
    return _counted(score.value, score.interval, score.n_positive, score.n_negative)


def _counted(value: float | None, interval: Interval | None, positive: int, negative: int) -> str:
    return f"{value_words(value, interval)} (n = {positive} + {negative})"


def _claimed(card: FeatureCard) -> set[str]:
    """Stems of the label's words and of the tokens that its predicate names."""
    claim = card.explanation
    if claim is None or card.verdict.kind is VerdictKind.ABSTAINED:
        return set()
    named = claim.predicate
    tokens = named.tokens if isinstance(named, TokenIn) else named.words if isinstance(named, WordIn) else ()
    return _stems(" ".join((claim.text, *tokens)))


def _stems(text: str) -> set[str]:
    """First letters of each word, enough to tell most words apart and `court` from `courts` not."""
    return {word[:_STEM] for word in _WORD.findall(text.casefold())}
