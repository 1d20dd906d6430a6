"""Detection and embedding AUC: whether a reader can tell firing windows from silent ones.

Detection asks for yes or no and reports balanced accuracy; embedding asks for a similarity and
reports AUC (Paulo et al. 2024, https://arxiv.org/abs/2410.13928). Random and hard negatives are
separate scores on the same firing windows. A window is firing if its peak is strong, silent if it
holds no activation at all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from glossator.agents.firing_facts import STRONG
from glossator.agents.scorers.compared import COIN, Compared, Measured, Scored, baselines
from glossator.agents.scorers.examples import ScoringExamples, seed_of
from glossator.agents.scorers.predicate_score import NO_PREDICATE
from glossator.agents.scorers.readers import EmbedderReader, PredicateReader
from glossator.agents.scorers.room import ScoringRoom
from glossator.agents.scorers.score_evidence import example_outcomes, score_evidence
from glossator.probes.auc import auc_interval, auc_value
from glossator.probes.intervals import Counts, replicated_intervals, replicated_value
from glossator.records import Metric, Negatives, Score, ScoreMethod, Split

NO_FIRING = "no window fires above the threshold"
NO_SILENT = "no such silent window was found"
NO_TUNING = "no window of validate fires above the threshold, so the embedder cannot set its own"
Readings = Bool[np.ndarray, "readings windows"] | Float[np.ndarray, "readings windows"]


class _Question(NamedTuple):
    method: ScoreMethod
    metric: Metric
    reader: str


_BY_PREDICATE = _Question(ScoreMethod.DETECTION, Metric.BALANCED_ACCURACY, PredicateReader.name)
_BY_EMBEDDER = _Question(ScoreMethod.DETECTION, Metric.BALANCED_ACCURACY, EmbedderReader.name)
_SIMILARITY = _Question(ScoreMethod.EMBEDDING, Metric.AUC, EmbedderReader.name)


class _Asked(NamedTuple):
    """The examples of one score and what every explanation made of them."""

    firing: Bool[np.ndarray, " windows"]
    document: Int[np.ndarray, " windows"]
    readings: Readings


def predicate_detection(
    room: ScoringRoom, compared: Compared, examples: ScoringExamples
) -> tuple[Scored, ...]:
    """Detection by the predicate, against random and against hard negatives."""
    if compared.explanation.predicate is None:
        return _for_both(room, compared, examples, _BY_PREDICATE, NO_PREDICATE)
    answers = PredicateReader(room.held).answers(compared.readings, examples.windows)
    return _for_both(room, compared, examples, _BY_PREDICATE, answers)


def embedder_scores(room: ScoringRoom, compared: Compared, examples: ScoringExamples) -> tuple[Scored, ...]:
    """Detection by the embedder and AUC of its similarity; none without an embedder."""
    if room.embedder is None:
        return ()
    reader, read = EmbedderReader(room.embedder), np.flatnonzero(examples.embedded)
    seen = reader.similarities(compared.readings, room.sealed, examples.windows.take(read))
    similarities = np.full((len(seen), len(examples.windows)), np.nan, np.float32)
    similarities[:, read] = seen
    tuning = room.tuning_examples(compared.explanation.feature)
    answers: Readings | str = NO_TUNING
    if tuning.firing.any() and not tuning.firing.all():
        calibration = reader.similarities(compared.readings, room.validate, tuning.windows)
        answers = reader.answers(similarities, calibration, tuning.firing)
    detection = _for_both(room, compared, examples, _BY_EMBEDDER, answers)
    return (*detection, *_for_both(room, compared, examples, _SIMILARITY, similarities))


def _for_both(
    room: ScoringRoom,
    compared: Compared,
    examples: ScoringExamples,
    question: _Question,
    readings: Readings | str,
) -> tuple[Scored, ...]:
    """The score against random and against hard negatives; `readings` may be a reason why there are none."""
    everyone = np.ones(len(examples.windows), dtype=bool)
    part = examples.embedded if question.reader == EmbedderReader.name else everyone
    pair = (Negatives.RANDOM, Negatives.HARD)
    return tuple(
        _scored(room, compared, examples, question, n, part & examples.against(n), readings) for n in pair
    )


def _scored(
    room: ScoringRoom,
    compared: Compared,
    examples: ScoringExamples,
    question: _Question,
    negatives: Negatives,
    chosen: Bool[np.ndarray, " windows"],
    readings: Readings | str,
) -> Scored:
    positive, negative = (int((chosen & side).sum()) for side in (examples.firing, ~examples.firing))
    reason = (
        NO_FIRING
        if not positive
        else readings
        if isinstance(readings, str)
        else NO_SILENT
        if not negative
        else None
    )
    own = shuffled = analyst = empty = None
    payload = {}
    if reason is None and not isinstance(readings, str):
        asked = _Asked(examples.firing[chosen], examples.windows.document[chosen], readings[:, chosen])
        own, shuffled, analyst = _measurements(room, compared, question, asked)
        empty = COIN
        payload = example_outcomes(room.sealed, examples, chosen, asked.readings[0])
    recipe = {
        "score": question.method.value, "reader": question.reader, "negatives": negatives.value,
        "threshold": STRONG, "examples": dict(examples.recipe),
    }  # fmt: skip
    evidence = score_evidence(room, compared, recipe, payload)
    score = Score(
        method=question.method,
        metric=question.metric,
        reader=question.reader,
        negatives=negatives,
        split=Split.SEALED,
        threshold=STRONG,
        value=own and own.value,
        interval=own and own.interval,
        n_positive=positive if own else 0,
        n_negative=negative if own else 0,
        unscored={} if reason is None else {reason: positive + negative},
        baselines=baselines(shuffled, empty, analyst),
        evidence=evidence.id,
    )
    return Scored(score, evidence)


class _Measurements(NamedTuple):
    own: Measured | None
    shuffled: Measured | None
    analyst: Measured | None


def _measurements(room: ScoringRoom, compared: Compared, question: _Question, asked: _Asked) -> _Measurements:
    measure = _area if question.metric is Metric.AUC else _balanced_accuracy
    seed, draws = seed_of(compared.explanation.feature, "bootstrap"), room.settings.draws
    others = slice(1, 1 + len(compared.donors))
    rows = (slice(0, 1), others, slice(others.stop, None))
    return _Measurements(*(measure(asked._replace(readings=asked.readings[r]), seed, draws) for r in rows))


def _balanced_accuracy(asked: _Asked, seed: int, draws: int) -> Measured | None:
    """Balanced accuracy, averaged over the readings; None without any."""
    documents, number = np.unique(asked.document, return_inverse=True)

    def tally(chosen: Bool[np.ndarray, " windows"]) -> Int[np.ndarray, " documents"]:
        return np.bincount(number[chosen], minlength=len(documents))

    fires = asked.firing
    counts = [
        Counts(tally(fires & said), tally(~fires & said), tally(fires & ~said), tally(~fires & ~said))
        for said in asked.readings.astype(bool)
    ]
    value = replicated_value(counts, Metric.BALANCED_ACCURACY)
    if value is None:
        return None
    (interval,) = replicated_intervals(counts, [Metric.BALANCED_ACCURACY], seed=seed, draws=draws)
    return Measured(value, interval, int(fires.sum()), int((~fires).sum()))


def _area(asked: _Asked, seed: int, draws: int) -> Measured | None:
    """AUC, averaged over the readings; None without any. Its interval needs no draws."""
    del seed, draws
    scores = asked.readings.astype(np.float64)
    value = auc_value(scores, asked.firing)
    if value is None:
        return None
    interval = auc_interval(scores, asked.firing, asked.document)
    return Measured(value, interval, int(asked.firing.sum()), int((~asked.firing).sum()))
