"""Random directions in the feature's place, each with the concept that its own effects make.

The strict null of every causal measurement: a feature must do more than directions of the same norm do,
each judged on what it does itself. A random direction in the feature's place is then one more draw of
the same kind, and scores zero within its interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float

from glossator.agents.causal.bench import CausalBench
from glossator.agents.causal.concept import Concept, concept_of
from glossator.agents.causal.next_token_changes import next_token_changes
from glossator.agents.causal.null_directions import null_directions
from glossator.agents.scorers.examples import seed_of
from glossator.probes.interventions.steering_prompts import SteeringPrompt, draw_prompts
from glossator.records import KlTarget, StrengthCalibration


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
    units = random_units(bench, feature)
    norm = steering_vector(bench, feature, explained_target(up, bench.settings.explained_at).multiple).norm()
    prompts = [prompt.ids for prompt in validate_prompts(bench, feature)]
    changes = next_token_changes(bench.runs, prompts, bench.dictionary.output_site, units * norm)
    return ExplainedDirections(units, tuple(concept_of(changes, i) for i in range(len(units))))


def random_units(bench: CausalBench, feature: int) -> Float[torch.Tensor, "n d"]:
    """The random directions of a feature's null, of norm 1."""
    direction = bench.direction(feature)
    seed = seed_of(bench.ref(feature), f"random directions {bench.settings.seed}")
    return null_directions(torch.ones_like(direction) / math.sqrt(len(direction)), _count(bench), seed)


def _count(bench: CausalBench) -> int:
    return bench.settings.random_directions


def steering_vector(bench: CausalBench, feature: int, multiple: float) -> Float[torch.Tensor, " d"]:
    """What is added to turn `feature` up by `multiple`."""
    steered = bench.steered(feature)
    return (steered.direction.double().cpu() * (multiple * steered.max_activation)).float()


def validate_prompts(bench: CausalBench, feature: int) -> tuple[SteeringPrompt, ...]:
    """The prompts on which effects are measured and explained."""
    return draw_prompts(
        bench.room.validate,
        bench.runs,
        feature,
        per_family=bench.settings.per_family,
        tokens=bench.settings.prompt_tokens,
        seed=bench.settings.seed,
        max_activation=bench.steered(feature).max_activation,
    )


def explained_target(calibration: StrengthCalibration, level: float) -> KlTarget:
    """The strength at which effects are compared: of the reached target nearest to `level`; where none is
    reached, of that whose KL comes nearest."""
    reached = [target for target in calibration.targets if target.reached]
    candidates = reached or list(calibration.targets)
    return min(candidates, key=lambda t: abs(math.log(max(t.kl, 1e-9)) - math.log(level)))
