"""Whether a label detects better than labels of other features do, and which of many such findings hold.

Under the hypothesis that balanced accuracy is `reached`, each document is a coin: all its windows are
answered rightly or all wrongly, which is the most that windows of one document can go together. So p is
the chance that coins of unequal weights come to what was seen, by draws. Right answers to firing and to
silent windows are as frequent as their mean, `reached`, allows with the largest spread. Documents that
are not equally easy spread less (Hoeffding 1956, https://doi.org/10.1214/aoms/1177728178). Spread is not
taken from the answers, as it is when signs are flipped: of a high rate they show too little of it.

Where no draw reaches what was seen, Chernoff's bound for the same coins (1952,
https://doi.org/10.1214/aoms/1177729330), which is never below their exact p, says how small p is; so
thousands of labels can be tested at once with a few thousand draws.

Over all labels: Benjamini and Hochberg 1995 (https://doi.org/10.1111/j.2517-6161.1995.tb02031.x). It
holds for independent and for positively dependent tests (Benjamini and Yekutieli 2001), which labels that
are read on the same texts are taken to be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

DRAWS = 1999
"""Draws of all coins; the smallest p by counting is 1 / 2000."""
_ROUNDING = 1e-5
_TILTS = np.geomspace(0.02, 10.0, 40)
"""Where Chernoff's bound is tried, in units of one typical document's weight."""
_LARGEST = 500.0
"""Exponents stay below it."""


class DetectionShares(NamedTuple):
    """What documents add to balanced accuracy where all their windows are answered rightly."""

    firing: Float[np.ndarray, " documents"]
    """By their firing windows; sums to 0.5."""
    silent: Float[np.ndarray, " documents"]
    """By their silent ones; sums to 0.5."""
    value: float
    """The balanced accuracy that was seen."""

    @property
    def documents(self) -> int:
        """How many there are."""
        return len(self.firing)


def detection_shares(
    documents: Sequence[str], fires: Bool[np.ndarray, " windows"], said: Bool[np.ndarray, " windows"]
) -> DetectionShares | None:
    """How much each document weighs in balanced accuracy.

    Args:
        documents: the document of each window.
        fires: whether the feature fires in it.
        said: what the reader said.

    Returns:
        None where windows of one kind are missing.

    """
    positives, negatives = int(fires.sum()), int((~fires).sum())
    if not positives or not negatives:
        return None
    names, number = np.unique(np.asarray(documents), return_inverse=True)
    firing = np.bincount(number[fires], minlength=len(names)) * (0.5 / positives)
    silent = np.bincount(number[~fires], minlength=len(names)) * (0.5 / negatives)
    right = said == fires
    return DetectionShares(firing, silent, float(right[fires].mean() + right[~fires].mean()) / 2)


class CoinTest:
    """One-sided test that balanced accuracy is above `reached`; the same draws for every label."""

    def __init__(self, seed: int, draws: int = DRAWS) -> None:
        self._seed, self._draws = seed, draws
        self._tosses: dict[int, Float[np.ndarray, "draws documents"]] = {}

    def p_value(self, shares: DetectionShares, reached: float) -> float:
        """The chance of so high a balanced accuracy if it were `reached`; 1 where it is not above."""
        if shares.value <= reached:
            return 1.0
        rates = _spread_most(shares, reached)
        tosses = self._drawn(shares.documents)
        firing, silent = shares.firing.astype(np.float32), shares.silent.astype(np.float32)
        sums = (tosses < rates[0]) @ firing + (tosses < rates[1]) @ silent
        reaching = int((sums >= shares.value - _ROUNDING).sum())
        counted = (1 + reaching) / (1 + self._draws)
        return counted if reaching else min(counted, _bound(shares, rates))

    def _drawn(self, documents: int) -> Float[np.ndarray, "draws documents"]:
        """Numbers from 0 to 1, more documents' beginning with fewer's, so that few are kept."""
        size = 1 << max(5, (documents - 1).bit_length())
        if size not in self._tosses:
            rng = np.random.default_rng([self._seed, size])
            self._tosses[size] = rng.random((self._draws, size), dtype=np.float32)
        return self._tosses[size][:, :documents]


def _spread_most(shares: DetectionShares, reached: float) -> tuple[float, float]:
    """How often firing and silent windows are answered rightly: rates of mean `reached` whose sum over
    documents varies most, which is where the kind that rests on fewer documents is nearer to a half."""
    firing, silent = (float((s**2).sum()) for s in (shares.firing, shares.silent))
    apart = (firing - silent) * (0.5 - reached) / (firing + silent)
    room = min(reached, 1.0 - reached)
    apart = min(max(apart, -room), room)
    return reached + apart, reached - apart


def _bound(shares: DetectionShares, rates: tuple[float, float]) -> float:
    """Chernoff's bound: the least over tilts of the mean of exp(tilt * sum) by exp(tilt * value)."""
    whole = shares.firing + shares.silent
    high, low = max(rates), min(rates)
    often = shares.firing if rates[0] >= rates[1] else shares.silent
    tilts = np.minimum(_TILTS / float((whole**2).sum()), _LARGEST / float(whole.max()))[:, None]
    means = 1.0 - high + (high - low) * np.exp(tilts * often) + low * np.exp(tilts * whole)
    return math.exp(min(0.0, float((np.log(means).sum(axis=1) - tilts[:, 0] * shares.value).min())))


def after_looks(p: float, looks: int) -> float:
    """`p` of a label whose reading might have ended at any of so many looks (Bonferroni): whichever rule
    ended it, the smallest of the p-values at the looks is at most this small by chance."""
    return min(1.0, p * max(looks, 1))


def adjusted_p(p_values: Float[np.ndarray, " chosen"], tested: int) -> Float[np.ndarray, " chosen"]:
    """Benjamini and Hochberg's adjusted p-values; those at most q are discoveries at q.

    Args:
        p_values: of the labels that may be discoveries at all.
        tested: all labels that were tested, these among them: the others count as if their p were 1, which
            keeps the share of false ones among these below q however they were chosen.

    """
    n = len(p_values)
    if tested < n:
        raise ValueError(f"{tested} tested labels cannot hold {n}")
    order = np.argsort(p_values, kind="stable")
    raised = p_values[order] * tested / np.arange(1, n + 1)
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return adjusted
