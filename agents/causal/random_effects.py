"""Random directions in the feature's place, each with the concept that its own effects make.

The strict null of every causal measurement: a feature must do more than directions of the same norm do,
each judged on what it does itself. A random direction in the feature's place is then one more draw of
the same kind, and scores zero within its interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float

from glossator.agents.causal.bench import CausalBench
from glossator.agents.causal.concept import Concept
from glossator.records import StrengthCalibration


@dataclass(frozen=True)
class ExplainedDirections:
    """Random directions of unit norm with their concepts."""

    directions: Float[torch.Tensor, "n d"]
    """Of norm 1; scale them to the strength that is tested."""
    concepts: tuple[Concept, ...]
    """Made on `validate` at the strength at which the feature was explained."""


def explained_random(bench: CausalBench, feature: int, up: StrengthCalibration) -> ExplainedDirections:
    """`bench.settings.random_directions` random directions, explained at the norm of the feature's own
    steering vector; seeded by the feature and `bench.settings.seed`."""
    raise NotImplementedError
