"""The difference of two scores on the same examples, from the outcomes stored as their evidence.

Two layouts are read: one entry per window (`documents`, `positions`, `fires`, `answers`, aligned), and
counts per document (`documents`, `tp`, `fp`, `fn`). Evidence is data from a file: whatever else it
holds gives no difference, never a wrong one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Bool, Float
from pydantic import BaseModel, ValidationError

from glossator.comparison import Difference
from glossator.probes.auc import auc_value
from glossator.probes.intervals import Counts, metric_value, paired_difference
from glossator.probes.paired_auc import paired_auc_difference
from glossator.records import Evidence, Metric, Score, ScoreMethod

NOT_STORED = "the outcomes of single examples are not stored"
NO_PAIRS = "no example was scored for both"
NOT_PAIRED = "values stand side by side; there is no paired interval for this measure"
OWN_TEXTS = "each explanation was tried on texts of its own, so there is nothing to pair"
NO_EXPLANATION_READ = "no explanation is read for it, so it is the same for all"
_UNPAIRED_METHODS = {
    ScoreMethod.GENERATION: OWN_TEXTS,
    ScoreMethod.INTRUDER: NO_EXPLANATION_READ,
}
_VERDICT_METRICS = (Metric.BALANCED_ACCURACY, Metric.PRECISION, Metric.RECALL, Metric.F1)
_COUNTED_METRICS = (Metric.PRECISION, Metric.RECALL, Metric.F1)


class Example(NamedTuple):
    """What makes an example the same one in two readings."""

    document: str
    position: int
    fires: bool
    occurrence: int
    """0, or the how-manieth it is, where a window was read more than once."""


class AnsweredWindows(NamedTuple):
    """Windows with a verdict, aligned."""

    documents: list[str]
    fires: Bool[np.ndarray, " windows"]
    """Whether the feature fires there."""
    said: Bool[np.ndarray, " windows"]
    """What the reader said."""


WindowOutcomes = Mapping[Example, float | None]
"""The answer to each example; None where there was none."""
DocumentOutcomes = Mapping[str, tuple[int, int, int]]
"""True positives, false positives and false negatives by document; the rest is true negatives."""


def paired(first: Score, second: Score, evidence: Callable[[str], Evidence | None], seed: int) -> Difference:
    """`first` minus `second`, two scores for the same question, where their outcomes can be paired."""
    if first.method in _UNPAIRED_METHODS:
        return _none(_UNPAIRED_METHODS[first.method])
    if first.value is None or second.value is None:
        return _none("one of the two could not be measured")
    if first.metric not in (*_VERDICT_METRICS, Metric.AUC):
        return _none(NOT_PAIRED)
    found = [evidence(s.evidence) for s in (first, second) if s.evidence]
    payloads = [e.payload for e in found if e is not None]
    if len(payloads) < 2:
        return _none(NOT_STORED)
    if first.metric in _COUNTED_METRICS:
        counted = [document_outcomes(p) for p in payloads]
        if counted[0] is not None and counted[1] is not None:
            return _of_documents(counted[0], counted[1], first.metric, seed)
    read = [window_outcomes(p, probabilities=first.metric is Metric.AUC) for p in payloads]
    if read[0] is None or read[1] is None:
        return _none(NOT_STORED)
    return _of_windows(read[0], read[1], first.metric, seed)


def window_outcomes(payload: object, *, probabilities: bool = False) -> WindowOutcomes | None:
    """The answers by example; None if `payload` is not of this layout.

    Args:
        payload: What the evidence holds.
        probabilities: Read graded answers, `probabilities` before `answers` where both are there;
            otherwise answers are verdicts, and what is neither yes nor no counts as unscored.

    """
    read = _read(_WindowPayload, payload)
    if read is None:
        return None
    graded = read.answers if read.probabilities is None else read.probabilities
    columns = (read.documents, read.positions, read.fires, read.answers, graded)
    if len({len(column) for column in columns}) != 1:
        return None
    answers: dict[Example, float | None] = {}
    seen: Counter[tuple[str, int, bool]] = Counter()
    for document, position, fires, answer, grade in zip(*columns, strict=True):
        key = (document, position, fires)
        verdict = answer if answer in (0, 1) else None
        answers[Example(*key, seen[key])] = grade if probabilities and answer is not None else verdict
        seen[key] += 1
    return answers


def answered_windows(payload: object) -> AnsweredWindows | None:
    """The windows that got a yes or a no, in columns; None if `payload` is not of this layout."""
    read = _read(_WindowPayload, payload)
    if read is None or len({len(read.documents), len(read.fires), len(read.answers)}) != 1:
        return None
    answers = np.array([np.nan if a is None else a for a in read.answers], dtype=np.float64)
    verdict = (answers == 0) | (answers == 1)
    documents = [d for d, chosen in zip(read.documents, verdict.tolist(), strict=True) if chosen]
    fires = np.array(read.fires, dtype=bool)[verdict]
    return AnsweredWindows(documents, fires, answers[verdict] == 1)


def document_outcomes(payload: object) -> DocumentOutcomes | None:
    """The counts by document; None if `payload` is not of this layout."""
    read = _read(_DocumentPayload, payload)
    if read is None or len({len(read.documents), len(read.tp), len(read.fp), len(read.fn)}) != 1:
        return None
    counts = zip(read.tp, read.fp, read.fn, strict=True)
    return dict(zip(read.documents, counts, strict=True))


class _WindowPayload(BaseModel):
    """One entry per window; other keys are not looked at."""

    documents: list[str]
    positions: list[int]
    fires: list[bool]
    answers: list[float | None]
    probabilities: list[float | None] | None = None


class _DocumentPayload(BaseModel):
    """One entry per document."""

    documents: list[str]
    tp: list[int]
    fp: list[int]
    fn: list[int]


_Payload = TypeVar("_Payload", bound=BaseModel)


def _read(layout: type[_Payload], payload: object) -> _Payload | None:
    try:
        return layout.model_validate(payload)
    except ValidationError:
        return None


def _none(note: str) -> Difference:
    return Difference(value=None, interval=None, note=note)


def _of_documents(first: DocumentOutcomes, second: DocumentOutcomes, metric: Metric, seed: int) -> Difference:
    """Documents that one does not name had no positive in it: all zeros."""
    names = sorted({*first, *second})
    a, b = _document_counts(first, names), _document_counts(second, names)
    return _counted(a, b, metric, seed, len(names))


def _document_counts(outcomes: DocumentOutcomes, names: Sequence[str]) -> Counts:
    table = np.array([outcomes.get(n, (0, 0, 0)) for n in names], dtype=np.int64).reshape(-1, 3)
    return Counts(table[:, 0], table[:, 1], table[:, 2], np.zeros(len(names), dtype=np.int64))


def _of_windows(first: WindowOutcomes, second: WindowOutcomes, metric: Metric, seed: int) -> Difference:
    shared = [e for e in first if first[e] is not None and second.get(e) is not None]
    if not shared:
        return _none(NO_PAIRS)
    fires = np.array([e.fires for e in shared])
    _, document = np.unique([e.document for e in shared], return_inverse=True)
    answers = [np.array([float(o[e] or 0.0) for e in shared]) for o in (first, second)]
    if metric is Metric.AUC:
        return _graded(answers[0], answers[1], fires, document.astype(np.int64), seed)
    a, b = (_window_counts(said > 0.5, fires, document) for said in answers)
    return _counted(a, b, metric, seed, len(shared))


def _window_counts(
    said: Bool[np.ndarray, " windows"], fires: Bool[np.ndarray, " windows"], document: np.ndarray
) -> Counts:
    n = int(document.max()) + 1
    tallies = (
        np.bincount(document[chosen], minlength=n)
        for chosen in (fires & said, ~fires & said, fires & ~said, ~fires & ~said)
    )
    return Counts(*tallies)


def _counted(first: Counts, second: Counts, metric: Metric, seed: int, n: int) -> Difference:
    values = (metric_value(first, metric), metric_value(second, metric))
    if values[0] is None or values[1] is None:
        return _none(NO_PAIRS)
    interval = paired_difference(first, second, metric, seed=seed)
    return Difference(value=values[0] - values[1], interval=interval, n=n)


def _graded(
    first: Float[np.ndarray, " windows"],
    second: Float[np.ndarray, " windows"],
    fires: Bool[np.ndarray, " windows"],
    document: np.ndarray,
    seed: int,
) -> Difference:
    values = [auc_value(scores[None], fires) for scores in (first, second)]
    if values[0] is None or values[1] is None:
        return _none(NO_PAIRS)
    interval = paired_auc_difference(first, second, fires, document, seed=seed)
    return Difference(value=values[0] - values[1], interval=interval, n=len(fires))
