"""Differences of shares over prompts, and their intervals.

A feature is one direction among all that could stand in its place. Whether it does more than a random one
is therefore a question about *one more draw*: the interval of the excess holds the spread of the random
directions once for the feature and once for their mean (s²(1 + 1/n), Student's t), beside what prompts add.
A bootstrap over the random directions alone would only say how well their mean is known, and would take
one random direction in five for more than random.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from glossator.agents.causal.prompt_intervals import drawn_means
from glossator.probes.intervals import percentile_ends, t_quantile, wilson_ends
from glossator.records import Interval

DRAWS = 1000


class Gain(NamedTuple):
    """A difference of shares."""

    value: float
    interval: Interval
    n: int | None = None
    """Prompts behind it; None where it is known without any."""


@dataclass(frozen=True)
class Resampling:
    """Documents of the prompts, drawn anew the same way for everything that is compared."""

    documents: tuple[str, ...]
    seed: int

    def gain(self, own: Float[np.ndarray, " prompts"]) -> Gain:
        """The mean over prompts; its interval is never narrower than what so few documents can tell."""
        means = drawn_means(own[:, None], self.documents, seed=self.seed, draws=DRAWS)[:, 0]
        value = float(own.mean())
        return Gain(value, self._interval(value, means, self._n, "bootstrap over documents"), len(own))

    def replicated(self, each: Float[np.ndarray, "prompts replicates"]) -> Gain | None:
        """The mean over prompts and replicates (directions, explanations), both drawn anew; None without."""
        n = each.shape[1]
        if n == 0:
            return None
        means = drawn_means(each, self.documents, seed=self.seed, draws=DRAWS)
        chosen = np.random.default_rng(self.seed).integers(n, size=(len(means), n))
        drawn = np.take_along_axis(means, chosen, axis=1).mean(axis=1)
        clusters, method = min(self._n, n), "bootstrap over documents and replicates"
        value = float(each.mean())
        if n == 1:
            clusters, method = self._n, "bootstrap over documents"
        return Gain(value, self._interval(value, drawn, clusters, method), len(each))

    def excess(
        self, own: Float[np.ndarray, " prompts"], random: Float[np.ndarray, "prompts directions"]
    ) -> Gain | None:
        """How far the feature's gain lies above that of one more random direction; None without two."""
        n = random.shape[1]
        if n < 2:
            return None
        paired = own - random.mean(axis=1)
        means = drawn_means(paired[:, None], self.documents, seed=self.seed, draws=DRAWS)[:, 0]
        between = float(random.mean(axis=0).var(ddof=1)) * (1 + 1 / n)
        half = t_quantile(n - 1) * math.sqrt(float(means.var()) + between)
        known = self.gain(own)
        low, high = known.value - known.interval.low, known.interval.high - known.value
        value = float(paired.mean())
        method = "paired bootstrap over documents, and the spread of random directions"
        return Gain(value, Interval(low=value - max(half, low), high=value + max(half, high), method=method))

    @property
    def _n(self) -> int:
        return len(set(self.documents))

    def _interval(
        self, value: float, means: Float[np.ndarray, " draws"], clusters: int, method: str
    ) -> Interval:
        ends = percentile_ends(means, clusters)
        if ends is None:
            half = wilson_ends(0.0, self._n).high
            return Interval(
                low=max(-1.0, value - half), high=min(1.0, value + half), method="wilson, documents as n"
            )
        return Interval(low=min(ends.low, value), high=max(ends.high, value), method=method)


def columns(parts: Sequence[Float[np.ndarray, " prompts"]], prompts: int) -> Float[np.ndarray, "prompts n"]:
    """Side by side; no columns where there are no parts."""
    return np.stack(parts, axis=1) if parts else np.zeros((prompts, 0))
