"""What is known of a feature before any explanation, and what counts as firing strongly."""

from __future__ import annotations

from typing import NamedTuple

STRONG = 0.3
"""Firing "strongly": above this share of the feature's maximum on `explore`. Weak firings of sparse
dictionaries are mostly noise around the threshold; delphi marks tokens at the same share."""


class FiringFacts(NamedTuple):
    """How often a feature fires."""

    n_explore: int
    """Firings on `explore`."""
    n_sealed: int
    """Firings on `sealed`."""
    density: float
    """Share of eligible `explore` tokens on which it fires."""
