"""The outcomes behind an intervention score, prompt by prompt: documents and shares, never text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from glossator.agents.causal.bench import CausalBench
from glossator.agents.scorers.interventions.scored_levels import DRAWS, MissingLevel, ScoredLevel
from glossator.probes.interventions.steering_prompts import SteeringPrompt
from glossator.records import Evidence, EvidenceKind, Explanation, Split

RECIPE_VERSION = 1
"""Raised whenever the same recipe would measure something else."""


def intervention_evidence(
    bench: CausalBench,
    explanation: Explanation,
    prompts: Sequence[SteeringPrompt],
    levels: Sequence[ScoredLevel | MissingLevel],
    donors: Sequence[Explanation],
) -> Evidence:
    """What came out at every level, and what to do to measure it again."""
    recipe = intervention_recipe(bench, explanation) | {
        "donors": [donor.id for donor in donors],
        "draws": DRAWS,
        "multiples": [level.target.multiple for level in levels],
    }
    payload: dict[str, object] = {
        "documents": [prompt.document for prompt in prompts],
        "families": [prompt.family.value for prompt in prompts],
        "prompt_tokens": [len(prompt.ids) for prompt in prompts],
        "levels": [_level(level) for level in levels],
    }
    return Evidence.of(explanation.feature, EvidenceKind.SCORE, recipe, payload)


def intervention_recipe(bench: CausalBench, explanation: Explanation) -> dict[str, object]:
    """What all intervention scores of a run share."""
    settings = bench.settings
    return {
        "recipe_version": RECIPE_VERSION,
        "method": "intervention",
        "index": bench.room.index_identity,
        "split": Split.SEALED.value,
        "site": str(bench.dictionary.output_site),
        "explanation": explanation.id,
        "seed": settings.seed,
        "per_family": settings.per_family,
        "prompt_tokens": settings.prompt_tokens,
        "continuation": settings.continuation,
        "random_directions": settings.random_directions,
        "explained_at": settings.explained_at,
    }


def _level(level: ScoredLevel | MissingLevel) -> Mapping[str, object]:
    """Gains of each prompt: steered minus clean, in shares of its continuations."""
    said: dict[str, object] = {"target": level.target.target, "multiple": level.target.multiple}
    if isinstance(level, MissingLevel):
        return said | {"missing": level.reason}
    return said | {
        "kl": level.kl,
        "gain": _rounded(level.own),
        "gain_random_direction": _rounded(level.random_own.T),
        "gain_random_explained": _rounded(level.random_explained.T),
        "gain_shuffled": _rounded(level.shuffled.T),
        "perplexity": [level.perplexity_clean, level.perplexity_steered, level.perplexity_random],
    }


def _rounded(values: np.ndarray) -> object:
    return np.round(values, 4).tolist()
