"""What memory offers an investigation before it begins. None of it is a fact about the feature."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from glossator.agents.scorers import FeatureNeighbours
from glossator.records import FeatureRef, Finding


@runtime_checkable
class Recall(Protocol):
    """Where findings of earlier investigations come from, of this subject and dictionary alone."""

    def priors(self, ref: FeatureRef) -> tuple[Finding, ...]:
        """What was found of this feature before, refuted claims among it; may be wrong."""
        ...

    def distractors(self, ref: FeatureRef, neighbours: FeatureNeighbours) -> tuple[Finding, ...]:
        """Meanings of its neighbours, which its own must be told apart from."""
        ...
