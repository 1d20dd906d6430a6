"""What a rule should hold on: where one feature fires strongly in one split.

A token where the feature fires above `STRONG` of its maximum on explore is wanted; one where it fires
more weakly counts neither for nor against a rule, so that a rule for the strong firings is not punished
for their fringe; every other eligible token counts against it. Scores on sealed text make no such
allowance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from glossator.probes.split_view import OpenView

STRONG = 0.3
"""Share of the feature's explore maximum above which it fires strongly."""


class FiringTarget(NamedTuple):
    """One feature in one split."""

    wanted: Int[np.ndarray, " tokens"]
    """1 where it fires strongly, 0 where it is silent, -1 where it does not matter; int8."""
    strong: Int[np.ndarray, " strong"]
    """Positions of strong firings."""
    weak: Int[np.ndarray, " weak"]
    """Positions of weak firings."""

    @property
    def silent(self) -> Bool[np.ndarray, " tokens"]:
        """Where a rule must not hold."""
        return self.wanted == 0


def firing_target(view: OpenView, feature: int, maximum: float) -> FiringTarget:
    """The target of `feature` in `view`, with strength measured against `maximum`."""
    firings = view.firings(feature)
    is_strong = firings.activation > STRONG * maximum
    strong, weak = firings.position[is_strong], firings.position[~is_strong]
    wanted = np.where(view.text.eligible, 0, -1).astype(np.int8)
    wanted[weak] = -1
    wanted[strong] = 1
    return FiringTarget(wanted, strong.astype(np.int64), weak.astype(np.int64))


def remaining(target: FiringTarget, held: Bool[np.ndarray, " tokens"]) -> FiringTarget:
    """What a rule leaves to others: tokens on which it holds no longer matter."""
    wanted = np.where(held, np.int8(-1), target.wanted)
    return FiringTarget(wanted, target.strong[~held[target.strong]], target.weak)
