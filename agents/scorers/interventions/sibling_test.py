"""The sibling test: the label has to pick the feature's own windows among those of its nearest features.

A label such as "food" may tell a coffee feature's windows from random text and yet fit the tea feature
next to it just as well. Own windows are told from windows in which a sibling fires strongly and the
feature is silent: by the label's predicate (balanced accuracy), or without one by the embedder (AUC).
Chance is 0.5 for both. The label passes where the whole interval lies above it, and fails where the value
does not, or where it is surely below what an accepted label reaches against random windows; with too few
windows for either it is undecided. Siblings take equal parts, so that a common one does not outvote the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from glossator.agents.scorers.examples import seed_of
from glossator.agents.scorers.interventions.checked import Checked, Finding, checked
from glossator.agents.scorers.readers import EmbedderReader, PredicateReader
from glossator.agents.scorers.room import ScoringRoom
from glossator.agents.verdict import ACCEPT_DETECTION
from glossator.probes.auc import auc_interval, auc_value
from glossator.probes.intervals import Counts, metric_intervals, metric_value
from glossator.probes.negatives import neighbour_windows
from glossator.probes.windows import WindowBatch, firing_windows, join_windows
from glossator.records import Explanation, Interval, Metric

NAME = "siblings"
CHANCE = 0.5
N_SIBLINGS = 10
"""Nearest features whose windows are asked for; those that do not fire without the feature drop out."""
N_OWN = 100
PER_SIBLING = 20
FEWEST = 10
"""Windows of either side below which nothing is said."""


class _Lineup(NamedTuple):
    """Own windows first, then each sibling's."""

    windows: WindowBatch
    own: Bool[np.ndarray, " windows"]
    sibling: Int[np.ndarray, " windows"]
    """Which feature each window was drawn for."""


class _Picked(NamedTuple):
    """How well the label picks."""

    value: float
    interval: Interval
    reader: str
    chosen: Float[np.ndarray, " windows"]
    """The reader's answer to each window: 0 or 1, or a similarity."""


def sibling_test(
    room: ScoringRoom,
    explanation: Explanation,
    siblings: Sequence[int],
    *,
    n_own: int = N_OWN,
    per_sibling: int = PER_SIBLING,
) -> Checked:
    """Whether the label picks its own windows among the siblings'.

    Args:
        room: the splits.
        explanation: the label, of the feature under test.
        siblings: the nearest features by direction, nearest first; the first `N_SIBLINGS` are used.
        n_own: firing windows of the feature.
        per_sibling: windows of each sibling.

    Raises:
        UserError: the predicate cannot be evaluated.
        UnknownNameError: there is no such sibling.
    """
    used = [s for s in siblings if s != explanation.feature.index][:N_SIBLINGS]
    lineup = _lineup(room, explanation, used, n_own, per_sibling)
    n_sibling = int((~lineup.own).sum())
    recipe = {"siblings": used, "n_own": n_own, "per_sibling": per_sibling}
    few = min(int(lineup.own.sum()), n_sibling)
    picked = _picked(room, explanation, lineup) if few >= FEWEST else None
    if picked is None:
        finding = Finding.none(_why_not(explanation, lineup, used))
        return checked(room, explanation, NAME, CHANCE, finding, recipe, {})
    words = _words(lineup, picked)
    passed = _passed(picked)
    finding = Finding(picked.value, picked.interval, passed, len(lineup.windows), words)
    payload = {
        "reader": picked.reader,
        "documents": [room.sealed.text.documents[int(d)].id for d in lineup.windows.document],
        "positions": lineup.windows.centre.tolist(),
        "feature": lineup.sibling.tolist(),
        "answers": np.round(picked.chosen.astype(float), 4).tolist(),
    }
    return checked(room, explanation, NAME, CHANCE, finding, recipe, payload)


def _lineup(
    room: ScoringRoom, explanation: Explanation, siblings: Sequence[int], n_own: int, per_sibling: int
) -> _Lineup:
    feature, seed = explanation.feature.index, seed_of(explanation.feature, NAME)
    threshold = room.strong_threshold(explanation.feature)
    parts = [firing_windows(room.sealed, feature, threshold=threshold, n=n_own, seed=seed)]
    parts += [neighbour_windows(room.sealed, feature, [s], per_sibling, seed + s) for s in siblings]
    names = np.repeat(np.array([feature, *siblings], np.int64), [len(p) for p in parts])
    # Two siblings that fire at one place give one window, which counts for the nearer.
    joined = join_windows(parts, wanted=n_own + per_sibling * len(siblings))
    kept = np.sort(np.unique(joined.centre, return_index=True)[1])
    return _Lineup(joined.take(kept), names[kept] == feature, names[kept])


def _picked(room: ScoringRoom, explanation: Explanation, lineup: _Lineup) -> _Picked | None:
    if explanation.predicate is not None:
        said = PredicateReader(room.held).answers([explanation], lineup.windows)[0]
        return _by_predicate(room, explanation, lineup, said)
    if room.embedder is None:
        return None
    near = EmbedderReader(room.embedder).similarities([explanation], room.sealed, lineup.windows)
    scores = near.astype(np.float64)
    value = auc_value(scores, lineup.own)
    if value is None:
        return None
    interval = auc_interval(scores, lineup.own, lineup.windows.document)
    return _Picked(value, interval, EmbedderReader.name, scores[0])


def _by_predicate(
    room: ScoringRoom, explanation: Explanation, lineup: _Lineup, said: Bool[np.ndarray, " windows"]
) -> _Picked | None:
    documents, number = np.unique(lineup.windows.document, return_inverse=True)

    def tally(chosen: Bool[np.ndarray, " windows"]) -> Int[np.ndarray, " documents"]:
        return np.bincount(number[chosen], minlength=len(documents))

    own = lineup.own
    counts = Counts(tally(own & said), tally(~own & said), tally(own & ~said), tally(~own & ~said))
    value = metric_value(counts, Metric.BALANCED_ACCURACY)
    if value is None:
        return None
    seed, draws = seed_of(explanation.feature, f"{NAME} bootstrap"), room.settings.draws
    (interval,) = metric_intervals(counts, [Metric.BALANCED_ACCURACY], seed=seed, draws=draws)
    return _Picked(value, interval, PredicateReader.name, said.astype(np.float64))


def _passed(picked: _Picked) -> bool | None:
    if picked.interval.low > CHANCE:
        return True
    return False if picked.value <= CHANCE or picked.interval.high < ACCEPT_DETECTION else None


def _words(lineup: _Lineup, picked: _Picked) -> str:
    others = sorted(set(lineup.sibling[~lineup.own].tolist()))
    # By an embedder, a window fits as well as own ones do where it is as near as their median.
    line = 1.0 if picked.reader == PredicateReader.name else float(np.median(picked.chosen[lineup.own]))
    shares = {s: float((picked.chosen[lineup.sibling == s] >= line).mean()) for s in others}
    worst = max(others, key=lambda s: shares[s])
    what = "balanced accuracy" if picked.reader == PredicateReader.name else "AUC"
    return (
        f"the label, read by the {picked.reader}, tells {int(lineup.own.sum())} windows of its feature from "
        f"{int((~lineup.own).sum())} of {len(others)} nearest features where it is silent: {what} "
        f"{picked.value:.2f} ({picked.interval.low:.2f} to {picked.interval.high:.2f}), chance {CHANCE}; "
        f"nearest miss: feature {worst}, {shares[worst]:.0%} of whose windows fit as well"
    ) + ("; too few to tell" if _passed(picked) is None else "")


def _why_not(explanation: Explanation, lineup: _Lineup, siblings: Sequence[int]) -> str:
    own, others = int(lineup.own.sum()), int((~lineup.own).sum())
    if not siblings:
        return "no nearest features were given"
    if min(own, others) < FEWEST:
        return (
            f"{own} windows of the feature and {others} of its {len(siblings)} nearest features where it is "
            f"silent; at least {FEWEST} of each are needed"
        )
    return f"the label {explanation.text!r} has no predicate, and there is no embedder to read it"
