"""A feature's explanations side by side, as words: what page and terminal both show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glossator.comparison import ComparedExplanation, ComparedScore, Comparison, Difference, Question
from glossator.records import ExplanationFlag, Metric, Score
from glossator.report.headline import headline_of
from glossator.report.token_marks import safe_text
from glossator.report.wording import (
    EXPLANATION_METHOD_WORDS,
    FLAG_WORDS,
    METHOD_QUESTIONS,
    METRIC_WORDS,
    FlagWords,
    count,
    interval_words,
    number,
    prompt_words,
    signed_words,
    threshold_words,
    topic_words,
    unscored_words,
)


@dataclass(frozen=True)
class AnswerView:
    """One explanation's score for one question."""

    number: int
    """The explanation's, from 1."""
    chosen: bool
    value: str
    interval: str
    n: str
    """Examples scored."""
    difference: str
    """Against the reference; empty where there is none."""
    pairs: str
    """Examples behind the difference."""
    note: str
    """Why there is no difference."""
    unscored: str


@dataclass(frozen=True)
class MetricView:
    """One number of a topic and every explanation's answer."""

    name: str
    answers: tuple[AnswerView, ...]


@dataclass(frozen=True)
class TopicView:
    """One method, reader and kind of negatives: the metrics that share their examples."""

    name: str
    meaning: str
    about: str
    """Split and threshold."""
    metrics: tuple[MetricView, ...]
    notes: tuple[str, ...]
    """Why there is no difference, with the metrics that this is said of; each reason once."""


@dataclass(frozen=True)
class CandidateView:
    """One explanation."""

    number: int
    label: str
    author: str
    method: str
    prompts: str
    explanation_id: str
    chosen: bool
    reference: bool
    earlier: bool
    predicate: bool
    flags: tuple[FlagWords, ...]
    validated: str
    """What the choice was made by: the value on `validate` and its n."""
    cells: tuple[AnswerView | None, ...]
    """Detection against random and hard windows, and F1; None where not measured."""


@dataclass(frozen=True)
class ComparisonView:
    """All explanations of a feature."""

    reader: str
    """Who read them in the candidates' detection cells; empty where nobody did."""
    reference: int | None
    """Number of the explanation that the differences are against."""
    candidates: tuple[CandidateView, ...]
    topics: tuple[TopicView, ...]


def comparison_view(comparison: Comparison) -> ComparisonView:
    """`comparison` in words; every text in it is made safe for a page or a terminal."""
    explained = comparison.explanations
    reader = _common_reader(explained)
    return ComparisonView(
        reader=safe_text(reader or ""),
        reference=1 if comparison.reference is not None else None,
        candidates=tuple(_candidate(k, e, comparison.reference, reader) for k, e in enumerate(explained, 1)),
        topics=_topics(comparison),
    )


def flag_words(flags: Sequence[ExplanationFlag]) -> tuple[FlagWords, ...]:
    """The flags in a reader's words."""
    return tuple(FLAG_WORDS[flag] for flag in flags)


def difference_words(difference: Difference | None) -> str:
    """`+0.05 [−0.02, +0.12]`; empty where nothing was paired."""
    if difference is None or difference.value is None:
        return ""
    return signed_words(difference.value, difference.interval)


def _common_reader(explained: Sequence[ComparedExplanation]) -> str | None:
    """Whose detection is shown: the reader of the chosen one's headline, else of the first that has one."""
    for one in sorted(explained, key=lambda e: not e.chosen):
        shown = headline_of(s.score for s in one.scores).detection_random
        if shown is not None and shown.value is not None:
            return shown.reader
    return None


def _candidate(
    place: int, one: ComparedExplanation, reference: str | None, reader: str | None
) -> CandidateView:
    claim = one.explanation
    shown = headline_of((s.score for s in one.scores), reader)
    headlines = (shown.detection_random, shown.detection_hard, shown.f1)
    validated = f"{number(one.validate_value)} (n {count(one.validate_n)})"
    return CandidateView(
        number=place,
        label=safe_text(claim.text),
        author=safe_text(claim.author),
        method=EXPLANATION_METHOD_WORDS[claim.method],
        prompts=safe_text(prompt_words(claim.prompts)),
        explanation_id=claim.id,
        chosen=one.chosen,
        reference=claim.id == reference,
        earlier=one.earlier,
        predicate=claim.predicate is not None,
        flags=flag_words(claim.flags),
        validated="" if one.validate_value is None else validated,
        cells=tuple(_cell(place, one, score) for score in headlines),
    )


def _cell(place: int, one: ComparedExplanation, score: Score | None) -> AnswerView | None:
    found = None if score is None else one.answer(Question.of(score))
    return None if found is None else _answer(place, one, found)


def _topics(comparison: Comparison) -> tuple[TopicView, ...]:
    """The questions, those together that differ in their metric alone."""
    grouped: dict[Question, list[Question]] = {}
    for question in comparison.questions():
        first = question._replace(metric=Metric.BALANCED_ACCURACY)
        grouped.setdefault(first, []).append(question)
    return tuple(_topic(asked, comparison.explanations) for asked in grouped.values())


def _topic(asked: Sequence[Question], explained: Sequence[ComparedExplanation]) -> TopicView:
    first = asked[0]
    metrics = tuple(_metric(question, explained) for question in asked)
    noted: dict[str, list[str]] = {}
    for metric in metrics:
        for note in dict.fromkeys(a.note for a in metric.answers if a.note):
            noted.setdefault(note, []).append(metric.name)
    return TopicView(
        name=safe_text(topic_words(first)),
        meaning=METHOD_QUESTIONS[first.method],
        about=f"{first.split.value} texts, counted when {threshold_words(first.threshold)}",
        metrics=metrics,
        notes=tuple(f"{note} ({', '.join(names)})" for note, names in noted.items()),
    )


def _metric(question: Question, explained: Sequence[ComparedExplanation]) -> MetricView:
    found = ((k, one, one.answer(question)) for k, one in enumerate(explained, 1))
    answers = tuple(_answer(k, one, score) for k, one, score in found if score is not None)
    return MetricView(METRIC_WORDS[question.metric], answers)


def _answer(place: int, one: ComparedExplanation, compared: ComparedScore) -> AnswerView:
    score, difference = compared.score, compared.difference
    unpaired = difference is None or difference.value is None
    return AnswerView(
        number=place,
        chosen=one.chosen,
        value=number(score.value),
        interval=interval_words(score.interval),
        n=count(score.n_positive + score.n_negative),
        difference=difference_words(difference),
        pairs="" if difference is None or unpaired else count(difference.n),
        note="" if difference is None else difference.note,
        unscored=safe_text(unscored_words(score)),
    )
