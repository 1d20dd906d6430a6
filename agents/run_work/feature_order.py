"""Which features of a labelling run come first, by what the index says of all of them at once.

*Promising* favours features that can be judged and that say something: enough firings for narrow
intervals on sealed text, few enough that "where does it fire" has an answer, and an activation that falls on
few tokens, though not on one alone. With n firings on explore, a density d, and an effective number of
tokens e that share the activation the score is

    s / (s + ENOUGH) * 1 / (1 + d / DENSE) * 1 / (1 + e / SPREAD)        where s = n * SEALED_PER_EXPLORE

and TRIVIAL_WORTH of that where TRIVIAL_SHARE of the activation lies on one token: those labels come easily,
and say little. How well it tells accepted features from others is measured in `docs/runs.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

from glossator.agents.verdict import MAX_DENSITY, MIN_FIRINGS_EXPLORE
from glossator.probes.activation_index.token_concentration import TokenConcentration
from glossator.records import RunOrder

ENOUGH = 50.0
"""Expected sealed firings at which a feature is half as good as one with any number of them."""
DENSE = 0.02
"""Density at which a feature is half as good as a sparse one."""
SEALED_PER_EXPLORE = 1 / 3
"""Sealed documents for each explore document, by the rule of the split."""
SPREAD = 100.0
"""Effective tokens at which a feature is half as good as one with a single token."""
KNOWN = 20
"""Sampled firings below which a feature's tokens say nothing: it then counts as spread over `SPREAD`."""
TRIVIAL_SHARE, TRIVIAL_WORTH = 0.9, 0.5
"""A feature with this share of its activation on one token is worth so much of another."""


def promise(
    count: Int[np.ndarray, " features"],
    density: Float[np.ndarray, " features"],
    concentration: TokenConcentration,
) -> Float[np.ndarray, " features"]:
    """The score of each feature, from 0 to 1; see the module's text.

    Args:
        count: firings on explore.
        density: share of explore tokens on which each fires.
        concentration: on how few tokens each fires.
    """
    sealed = count * SEALED_PER_EXPLORE
    known = concentration.firings >= KNOWN
    spread = np.where(known, concentration.effective, SPREAD)
    trivial = known & (concentration.top_share >= TRIVIAL_SHARE)
    worth = sealed / (sealed + ENOUGH) / (1.0 + density / DENSE) / (1.0 + spread / SPREAD)
    return np.where(trivial, TRIVIAL_WORTH * worth, worth)


def in_order(
    chosen: Sequence[int],
    order: RunOrder,
    count: Int[np.ndarray, " features"],
    density: Float[np.ndarray, " features"],
    concentration: Callable[[], TokenConcentration],
) -> tuple[Int[np.ndarray, " chosen"], Float[np.ndarray, " chosen"]]:
    """`chosen` with what comes first in front, and the priority of each; equals stand by number.

    Args:
        chosen: features, each once.
        order: what comes first.
        count: firings on explore, of all features of the index.
        density: share of explore tokens, of all features of the index.
        concentration: finds on how few tokens they fire; asked only where the order needs it.
    """
    features = np.asarray(chosen, dtype=np.int64)
    if order in (RunOrder.INDEX, RunOrder.GIVEN):
        ordered = np.sort(features) if order is RunOrder.INDEX else features
        return ordered, 1.0 / (1.0 + np.arange(len(ordered)))
    ascending = np.sort(features)
    score = promise(count, density, concentration()) if order is RunOrder.PROMISING else density
    worth = np.asarray(score, dtype=float)[ascending]
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
