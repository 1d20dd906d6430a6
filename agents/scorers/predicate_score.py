"""Precision, recall and F1 of a predicate over every eligible token of the split.

At threshold 0 every firing counts. At a higher threshold, tokens that fire weakly (above 0, at most
the threshold) are neither right nor wrong: they are left out, and counted under `unscored`.

The empty baseline says "fires" of every token: its recall is 1 and its precision the density of the
feature among the tokens that count, which is what a number here has to beat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from glossator.agents.firing_facts import STRONG
from glossator.agents.scorers.compared import Compared, Measured, Scored, baselines
from glossator.agents.scorers.examples import seed_of
from glossator.agents.scorers.held_tokens import HeldTokens
from glossator.agents.scorers.room import ScoringRoom
from glossator.agents.scorers.score_evidence import document_outcomes, score_evidence
from glossator.probes.intervals import Counts, replicated_intervals, replicated_value
from glossator.probes.split_view import Firings
from glossator.records import Explanation, Metric, Negatives, Score, ScoreMethod, Split

METRICS = (Metric.PRECISION, Metric.RECALL, Metric.F1)
THRESHOLDS = (STRONG, 0.0)
WEAK = "fires weakly: above 0, at most the threshold"
NO_PREDICATE = "the explanation has no predicate"
NEVER_HOLDS = "the predicate holds nowhere"
NEVER_FIRES = "the feature fires nowhere above the threshold"


@dataclass(frozen=True)
class _Truth:
    """What the feature does in the split, at one threshold."""

    firings: Firings
    document: Int[np.ndarray, " firings"]
    strong: Bool[np.ndarray, " firings"]
    silent: Int[np.ndarray, " documents"]
    """Eligible tokens without any activation, per document."""

    def counts(self, held: HeldTokens) -> Counts:
        """Outcomes per document of a predicate."""
        at = held.at(self.firings)
        fp = held.by_document - self._per_document(at)
        return Counts(
            self._per_document(self.strong & at), fp, self._per_document(self.strong & ~at), self.silent - fp
        )

    def _per_document(self, chosen: Bool[np.ndarray, " firings"]) -> Int[np.ndarray, " documents"]:
        return np.bincount(self.document[chosen], minlength=len(self.silent)).astype(np.int64)


def predicate_scores(room: ScoringRoom, compared: Compared) -> tuple[Scored, ...]:
    """Precision, recall and F1 at each threshold; unscored where there is no predicate."""
    return tuple(s for share in THRESHOLDS for s in _scores_at(room, compared, share))


def _scores_at(room: ScoringRoom, compared: Compared, share: float) -> list[Scored]:
    truth = _truth(room, compared.explanation.feature.index, share)
    read = {
        e.id: truth.counts(room.held.of(e.predicate)) for e in compared.readings if e.predicate is not None
    }
    mine, analyst = (
        [read[e.id]] if e is not None and e.id in read else []
        for e in (compared.explanation, compared.analyst)
    )
    others = [read[d.id] for d in compared.donors]
    evidence = score_evidence(
        room,
        compared,
        {"score": ScoreMethod.PREDICATE.value, "threshold": share},
        document_outcomes(room.sealed, mine[0]) if mine else {},
    )
    seed, draws = seed_of(compared.explanation.feature, "bootstrap"), room.settings.draws
    compared_with = (others, [truth.counts(room.everything)], analyst)
    own, *theirs = (_measure(readings, truth, seed, draws) for readings in (mine, *compared_with))
    scored: list[Scored] = []
    for i, metric in enumerate(METRICS):
        score = _score(compared.explanation, metric, share, truth, own[i])
        extra = {"baselines": baselines(*(t[i] for t in theirs)), "evidence": evidence.id}
        scored.append(Scored(score.model_copy(update=extra), evidence))
    return scored


def _score(
    explanation: Explanation, metric: Metric, share: float, truth: _Truth, own: Measured | None
) -> Score:
    positive, negative = int(truth.strong.sum()), int(truth.silent.sum())
    weak = len(truth.strong) - positive
    unscored = {WEAK: weak} if weak else {}
    if own is None:
        reason = NO_PREDICATE if explanation.predicate is None else NEVER_HOLDS if positive else NEVER_FIRES
        unscored[reason] = positive + negative
        positive = negative = 0
    return Score(
        method=ScoreMethod.PREDICATE,
        metric=metric,
        reader="predicate",
        negatives=Negatives.ALL_TOKENS,
        split=Split.SEALED,
        threshold=share,
        value=own and own.value,
        interval=own and own.interval,
        n_positive=positive,
        n_negative=negative,
        unscored=unscored,
    )


def _measure(readings: Sequence[Counts], truth: _Truth, seed: int, draws: int) -> list[Measured | None]:
    """One measurement per metric, averaged over the readings; None where it is not defined."""
    if not readings or not truth.strong.any():
        return [None] * len(METRICS)
    intervals = replicated_intervals(readings, METRICS, seed=seed, draws=draws)
    values = [replicated_value(readings, metric) for metric in METRICS]
    n = (int(truth.strong.sum()), int(truth.silent.sum()))
    return [None if v is None else Measured(v, i, *n) for v, i in zip(values, intervals, strict=True)]


def _truth(room: ScoringRoom, feature: int, share: float) -> _Truth:
    firings = room.sealed.firings(feature)
    threshold = share * float(room.explore.firings(feature).activation.max(initial=0.0))
    document = room.sealed.text.document_of(firings.position).astype(np.int64)
    silent = room.everything.by_document - np.bincount(document, minlength=len(room.everything.by_document))
    return _Truth(firings, document, firings.activation > threshold, silent.astype(np.int64))
