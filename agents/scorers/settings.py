"""How much is measured for one score. One place, so that scores of one run are comparable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ScoringSettings:
    """Sizes of the example sets and of the baselines."""

    n_firing: int = 100
    """Firing windows of `sealed` per feature."""
    n_random: int = 100
    """Random silent windows per feature."""
    n_hard: int = 100
    """Hard negatives per feature."""
    n_embedded: int = 32
    """How many of each group the embedder reads: it costs far more than a predicate."""
    n_tuning: int = 16
    """Firing windows of `validate` on which the embedder's threshold is set."""
    pool: int = 384
    """Windows of `sealed` that are embedded once and shared by all features."""
    tuning_pool: int = 192
    """As `pool`, of `validate`."""
    n_donors: int = 10
    """Explanations of other features behind the shuffled baseline."""
    draws: int = 1000
    """Bootstrap draws."""
