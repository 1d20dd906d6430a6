"""Which features of a labelling run come first, by what the index's statistics say of all of them at once.

*Promising* favours features that can be judged and that say something: enough firings for narrow intervals
on sealed text, and few enough that "where does it fire" has an answer. With n firings on explore and a
density d the score is

    s / (s + ENOUGH) * 1 / (1 + d / DENSE)        where s = n * SEALED_PER_EXPLORE

so a feature with a hundred expected sealed firings at a density of 0.1 % stands at 0.63, one that fires on
a tenth of all tokens below 0.17, and one with twenty firings at 0.11.

Triviality (the share of firings on the most frequent token) is left out: it takes a pass over all pairs of
the index, which is what the run itself is for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from glossator.agents.verdict import MAX_DENSITY, MIN_FIRINGS_EXPLORE
from glossator.records import RunOrder

ENOUGH = 50.0
"""Expected sealed firings at which a feature is half as good as one with any number of them."""
DENSE = 0.02
"""Density at which a feature is half as good as a sparse one."""
SEALED_PER_EXPLORE = 1 / 3
"""Sealed documents for each explore document, by the rule of the split."""


def promise(
    count: Int[np.ndarray, " features"], density: Float[np.ndarray, " features"]
) -> Float[np.ndarray, " features"]:
    """The score of each feature, from 0 to 1; see the module's text.

    Args:
        count: firings on explore.
        density: share of explore tokens on which each fires.
    """
    sealed = count * SEALED_PER_EXPLORE
    return sealed / (sealed + ENOUGH) / (1.0 + density / DENSE)


def in_order(
    chosen: Sequence[int],
    order: RunOrder,
    count: Int[np.ndarray, " features"],
    density: Float[np.ndarray, " features"],
) -> tuple[Int[np.ndarray, " chosen"], Float[np.ndarray, " chosen"]]:
    """`chosen` with what comes first in front, and the priority of each; equals stand by number.

    Args:
        chosen: features, each once.
        order: what comes first.
        count: firings on explore, of all features of the index.
        density: share of explore tokens, of all features of the index.
    """
    features = np.asarray(chosen, dtype=np.int64)
    if order in (RunOrder.INDEX, RunOrder.GIVEN):
        ordered = np.sort(features) if order is RunOrder.INDEX else features
        return ordered, 1.0 / (1.0 + np.arange(len(ordered)))
    ascending = np.sort(features)
    score = promise(count, density) if order is RunOrder.PROMISING else np.asarray(density, dtype=float)
    worth = score[ascending]
    first = np.argsort(-worth, kind="stable")
    return ascending[first], worth[first]


def unfit_at_planning(count: int, density: float) -> str:
    """Why a feature is left out before anything is read of it: dead, too rare or always on; else empty.

    The same limits as a verdict's. Sealed firings are counted by the scorer alone.
    """
    if count == 0:
        return "dead: it fires nowhere in the explore split"
    if density > MAX_DENSITY:
        return f"always on: it fires on more than {MAX_DENSITY:.0%} of tokens"
    if count < MIN_FIRINGS_EXPLORE:
        return f"too rare: fewer than {MIN_FIRINGS_EXPLORE} firings in the explore split"
    return ""
