"""What every causal measurement of a run shares: subject, dictionary, splits, and sizes."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float

from glossator.agents.scorers.room import ScoringRoom
from glossator.errors import UnknownNameError, UserError
from glossator.probes.dictionary import Dictionary
from glossator.probes.interventions.runs import InterventionRuns
from glossator.probes.interventions.strength_search import Steered
from glossator.records import FeatureNames, FeatureRef

KL_TARGETS = (0.1, 0.33, 1.0, 3.0)
"""Levels of next-token KL in nats, from hardly to strongly changed (Paulo et al. 2024 use the same)."""


@dataclass(frozen=True)
class CausalSettings:
    """How much is measured. One place, so that the features of one run are comparable."""

    targets: tuple[float, ...] = KL_TARGETS
    explained_at: float = 1.0
    """The KL level at which effects are compared and explained."""
    per_family: int = 8
    """Prompts of each family per split."""
    prompt_tokens: int = 16
    """Tokens of a prompt that comes from the corpus."""
    continuation: int = 8
    """Tokens that are generated."""
    random_directions: int = 8
    """Random directions of the same norm behind every null."""
    seed: int = 0


@dataclass(frozen=True)
class CausalBench:
    """One per run. Not for several threads at once."""

    runs: InterventionRuns
    dictionary: Dictionary
    room: ScoringRoom
    names: FeatureNames
    settings: CausalSettings = field(default_factory=CausalSettings)

    def ref(self, feature: int) -> FeatureRef:
        """The full name of feature number `feature`."""
        return FeatureRef(subject=self.names.subject, dictionary=self.names.dictionary, index=feature)

    def steered(self, feature: int) -> Steered:
        """What is added to turn `feature` up by one unit, and how strong it ever was on `explore`.

        Raises:
            UnknownNameError: there is no such feature.
            UserError: it never fires on `explore`, so its strength has no unit.
        """
        if not 0 <= feature < self.dictionary.n_features:
            raise UnknownNameError(
                f"no feature {feature!r} in {self.dictionary.name!r}: "
                f"they are numbered 0 to {self.dictionary.n_features - 1}"
            )
        largest = float(self.room.explore.firings(feature).activation.max(initial=0.0))
        if largest <= 0:
            raise UserError(
                f"feature {feature} never fires on the explore split, so strengths have no unit: choose a "
                "live feature, or build the index over more or other text"
            )
        direction = self.direction(feature)
        return Steered(self.ref(feature), self.dictionary.output_site, direction, largest)

    def direction(self, feature: int) -> Float[torch.Tensor, " d"]:
        """What one unit of `feature` writes at the dictionary's output site, float32."""
        return self.dictionary.directions()[feature].detach().float()
