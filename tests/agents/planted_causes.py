"""Planted causal features, ready to be labelled and turned up."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from glossator.agents.causal.bench import CausalBench, CausalSettings
from glossator.agents.causal.causal_findings import Causes
from glossator.agents.feature_preparation import FeaturePreparation
from glossator.probes.interventions.runs import InterventionRuns
from glossator.probes.planted_causal import PlantedCausal, planted_causal
from glossator.probes.token_effects import TokenEffects, to_residual, top_token_effects

SETTINGS = CausalSettings(per_family=6, random_directions=6)


class PlantedCauses(NamedTuple):
    """What measures planted features."""

    planted: PlantedCausal
    preparation: FeaturePreparation
    causes: Causes


def planted_causes(folder: Path, seed: int = 0) -> PlantedCauses:
    """Over an index that is built in `folder`."""
    planted = planted_causal(seed)
    index = planted.index(folder)

    def effects(feature: int) -> TokenEffects:
        direction = planted.dictionary.directions()[feature : feature + 1]
        residual = to_residual(planted.subject, planted.dictionary.output_site, direction)
        return top_token_effects(planted.subject, residual[0], 10)

    preparation = FeaturePreparation(index, planted.dictionary, effects, embedder=None, names=planted.names)
    bench = CausalBench(
        InterventionRuns(planted.subject), planted.dictionary, preparation.room, planted.names, SETTINGS
    )
    causes = Causes(bench, effects, tuple(index.live_features().tolist()))
    return PlantedCauses(planted, preparation, causes)
