"""What LLM calls brought over a whole run, and what they cost: labels against the embedded analyst's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from glossator.comparison import Question
from glossator.records import (
    Candidate,
    ExplanationMethod,
    FeatureCard,
    LlmSpending,
    Metric,
    Score,
    ScoreMethod,
    Split,
)
from glossator.report.wording import EXPLANATION_METHOD_WORDS, question_words, threshold_words

_COMPARED = (ScoreMethod.DETECTION, ScoreMethod.FUZZING)
"""Asked of every explanation, whatever it is; the embedded analyst's rules answer to the others too well."""
SHOWN = "the label shown"


def total_spending(cards: Iterable[FeatureCard]) -> LlmSpending | None:
    """What the cards' LLM calls cost together; None where none was asked.

    Money is unknown as soon as one card's is: a sum that leaves out what is unknown would be too low.
    """
    spent = [card.spending for card in cards if card.spending is not None]
    if not spent:
        return None
    known = [s.usd for s in spent if s.usd is not None]
    unscored = sum((Counter(s.unscored) for s in spent), Counter[str]())
    return LlmSpending(
        calls=sum(s.calls for s in spent),
        cached=sum(s.cached for s in spent),
        input_tokens=sum(s.input_tokens for s in spent),
        output_tokens=sum(s.output_tokens for s in spent),
        usd=sum(known) if len(known) == len(spent) else None,
        unscored=dict(sorted(unscored.items())),
    )


def total_rejected(cards: Iterable[FeatureCard]) -> dict[str, int]:
    """Reason to count, for explanations of all cards that were not fit to be scored."""
    return dict(sorted(sum((Counter(card.rejected) for card in cards), Counter[str]()).items()))


def feature_differences(cards: Sequence[FeatureCard]) -> Mapping[str, list[float]]:
    """Each feature's difference to the embedded analyst's label, by whose label and which question.

    Both labels are read on windows in the same order, but the one shown may have been read further, until
    its interval was narrow: the means are of features, not of windows. `glossator compare` pairs windows.

    Features without an embedded label, or where one of the two was not measured, are left out. The
    label shown may be the embedded one: its difference is then 0, as it is for who reads the table.
    """
    found: dict[str, list[float]] = {}
    for card in cards:
        embedded = _first(card.candidates, ExplanationMethod.EMBEDDED)
        if embedded is None:
            continue
        base = dict(_compared(embedded.scores))
        for whose, candidate in _contenders(card.candidates):
            for question, value in _compared(candidate.scores):
                if question in base:
                    found.setdefault(_name(whose, question), []).append(value - base[question])
    return dict(sorted(found.items(), key=lambda item: not item[0].startswith(SHOWN)))


def _contenders(candidates: Sequence[Candidate]) -> Iterator[tuple[str, Candidate]]:
    yield from ((SHOWN, c) for c in candidates if c.chosen)
    for method in ExplanationMethod:
        best = None if method is ExplanationMethod.EMBEDDED else _first(candidates, method)
        if best is not None:
            yield EXPLANATION_METHOD_WORDS[method], best


def _first(candidates: Sequence[Candidate], method: ExplanationMethod) -> Candidate | None:
    """The candidate of that method that did best on `validate`."""
    of_method = [c for c in candidates if c.explanation.method is method]
    return max(of_method, key=lambda c: c.validate_value or 0.0, default=None)


def _compared(scores: Iterable[Score]) -> Iterator[tuple[Question, float]]:
    for score in scores:
        sealed = score.split is Split.SEALED and score.metric is Metric.BALANCED_ACCURACY
        if sealed and score.method in _COMPARED and score.value is not None:
            yield Question.of(score), score.value


def _name(whose: str, question: Question) -> str:
    return f"{whose}: {question_words(question)}, {threshold_words(question.threshold)}"
