"""What a rule should hold on: where one feature fires strongly in one split.

A token where the feature fires above `STRONG` of its maximum on explore is wanted; one where it fires
more weakly counts neither for nor against a rule, so that a rule for the strong firings is not punished
for their fringe; every other eligible token counts against it. Scores on sealed text make no such
allowance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from glossator.agents.firing_facts import STRONG
from glossator.probes.split_view import OpenView


class FiringTarget(NamedTuple):
    """One feature in one split."""

    wanted: Int[np.ndarray, " tokens"]
    """1 where it fires strongly, 0 where it is silent, -1 where it does not matter; int8."""
    strong: Int[np.ndarray, " strong"]
    """Positions of strong firings."""
    weak: Int[np.ndarray, " weak"]
    """Positions of weak firings."""

    silent: Int[np.ndarray, " silent"]
    """Positions where a rule must not hold."""


def firing_target(view: OpenView, feature: int, maximum: float) -> FiringTarget:
    """The target of `feature` in `view`, with strength measured against `maximum`."""
    firings = view.firings(feature)
    is_strong = firings.activation > STRONG * maximum
    strong, weak = firings.position[is_strong], firings.position[~is_strong]
    wanted = np.where(view.text.eligible, 0, -1).astype(np.int8)
    wanted[weak] = -1
    wanted[strong] = 1
    return FiringTarget(wanted, strong.astype(np.int64), weak.astype(np.int64), np.flatnonzero(wanted == 0))


def remaining(target: FiringTarget, at: Int[np.ndarray, " held"]) -> FiringTarget:
    """What a rule that holds at these positions leaves to others: there nothing matters any more."""
    wanted = target.wanted.copy()
    wanted[at] = -1
    strong = target.strong[wanted[target.strong] == 1]
    return FiringTarget(wanted, strong, target.weak, np.flatnonzero(wanted == 0))
