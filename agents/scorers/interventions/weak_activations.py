"""Weak activations: how many of the feature's firings the label explains, by strength.

Labels are written from strong firings and break on weak ones ("When the Coffee Feature Activates on
Coffins", off-distribution firing). A firing is explained where the label's predicate holds at its token.
The value is the share among firings at 0.1 to 0.5 of the maximum; weaker ones are mostly noise around
the threshold of a sparse dictionary, and no label could explain those.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from glossator.agents.scorers.examples import seed_of
from glossator.agents.scorers.interventions.checked import Checked, Finding, checked
from glossator.agents.scorers.predicate_score import NO_PREDICATE
from glossator.agents.scorers.room import ScoringRoom
from glossator.probes.intervals import Counts, metric_intervals
from glossator.records import Explanation, Interval, Metric

NAME = "weak activations"
EDGES = (0.0, 0.1, 0.3, 0.5, 1.0)
"""Ends of the bands, as shares of the largest activation on `explore`; stronger ones count to the last."""
WEAK = (0.1, 0.5)
QUANTILES = 5
"""Equal parts of the firings by activation, weakest first, whose shares are kept as evidence."""
BOUND = 0.5
"""Least share of weak firings that the label explains: more often right than wrong about them. A label
that holds on more than half of all tokens has to beat that instead."""
FEWEST = 10
"""Weak firings below which nothing is said, as for verdicts."""


class _Share(NamedTuple):
    """How much of a part of the firings the label explains."""

    n: int
    value: float | None
    interval: Interval | None

    def said(self) -> str:
        return "none seen" if self.value is None else f"{self.value:.0%} of {self.n}"

    def payload(self) -> dict[str, object]:
        ends = None if self.interval is None else [self.interval.low, self.interval.high]
        return {"n": self.n, "value": self.value, "interval": ends}


class _Firings(NamedTuple):
    """The feature's sealed firings."""

    strength: np.ndarray
    """Activation, of the largest on `explore`."""
    explained: Bool[np.ndarray, " firings"]
    document: Int[np.ndarray, " firings"]

    def share(self, chosen: Bool[np.ndarray, " firings"], seed: int, draws: int) -> _Share:
        """Of the chosen firings, how many are explained; documents are drawn for the interval."""
        n = int(chosen.sum())
        if not n:
            return _Share(0, None, None)
        _, number = np.unique(self.document[chosen], return_inverse=True)
        right = np.bincount(number, self.explained[chosen]).astype(np.int64)
        wrong = np.bincount(number).astype(np.int64) - right
        none = np.zeros_like(right)
        counts = Counts(right, none, wrong, none)
        (interval,) = metric_intervals(counts, [Metric.RECALL], seed=seed, draws=draws)
        return _Share(n, float(right.sum() / n), interval)


def weak_activations(room: ScoringRoom, explanation: Explanation) -> Checked:
    """Whether the label explains weak firings too.

    Passed where the whole interval lies above the bound, failed where the value does not, else undecided.

    Raises:
        UserError: the predicate cannot be evaluated.
    """
    if explanation.predicate is None:
        return checked(room, explanation, NAME, BOUND, Finding.none(NO_PREDICATE), {}, {})
    held = room.held.of(explanation.predicate)
    usual = float(held.by_document.sum() / max(1, room.everything.by_document.sum()))
    firings = _firings(room, explanation)
    seed, draws = seed_of(explanation.feature, NAME), room.settings.draws
    strength = firings.strength
    bands = {
        f"{low:g} to {high:g}": firings.share(
            (strength > low) & (strength <= (high if high < 1 else np.inf)), seed, draws
        )
        for low, high in pairwise(EDGES)
    }
    weak = firings.share((strength > WEAK[0]) & (strength <= WEAK[1]), seed, draws)
    payload = {
        "bands": {name: band.payload() for name, band in bands.items()},
        "quantiles": [part.payload() for part in _quantiles(firings, seed, draws)],
        "share_of_all_tokens": usual,
    }
    bound = max(BOUND, usual)
    finding = _finding(weak, bands, usual, bound)
    recipe = {"edges": list(EDGES), "weak": list(WEAK), "seed": seed, "draws": draws}
    return checked(room, explanation, NAME, bound, finding, recipe, payload)


def _firings(room: ScoringRoom, explanation: Explanation) -> _Firings:
    feature = explanation.feature.index
    assert explanation.predicate is not None
    found = room.sealed.firings(feature)
    largest = float(room.explore.firings(feature).activation.max(initial=0.0))
    return _Firings(
        found.activation / (largest or 1.0),
        room.held.of(explanation.predicate).at(found),
        room.sealed.text.document_of(found.position).astype(np.int64),
    )


def _quantiles(firings: _Firings, seed: int, draws: int) -> list[_Share]:
    place = np.argsort(np.argsort(firings.strength, kind="stable"), kind="stable")
    part = place * QUANTILES // max(1, len(place))
    return [firings.share(part == i, seed, draws) for i in range(QUANTILES)]


def _finding(weak: _Share, bands: dict[str, _Share], usual: float, bound: float) -> Finding:
    by_band = "; ".join(f"{name} of the maximum: {band.said()}" for name, band in bands.items())
    if weak.value is None or weak.interval is None or weak.n < FEWEST:
        return Finding.none(f"{weak.n} firings at 0.1 to 0.5 of the maximum, fewer than {FEWEST} ({by_band})")
    words = (
        f"the label holds on {weak.value:.0%} of weak firings (0.1 to 0.5 of the maximum) and on "
        f"{usual:.1%} of all tokens; by strength: {by_band}"
    )
    passed = True if weak.interval.low > bound else False if weak.value <= bound else None
    undecided = "; too few to tell" if passed is None else ""
    return Finding(weak.value, weak.interval, passed, weak.n, words + undecided)
