"""Which cards have a label that may be passed on: one that was not rejected."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from glossator.records import Explanation, FeatureCard, VerdictKind

ABSTAINED = "features without a label that stands (abstentions are never written as labels)"


def standing_label(card: FeatureCard) -> Explanation | None:
    """The label of `card`; None where there is none, or where the verdict is abstention."""
    return None if card.verdict.kind is VerdictKind.ABSTAINED else card.explanation


@dataclass
class Tally:
    """Counts cards as they pass."""

    features: int = 0
    labels: int = 0
    left_out: Counter[str] = field(default_factory=Counter[str])

    def count(self, card: FeatureCard) -> Explanation | None:
        """Count `card`; returns its label if it stands."""
        label = standing_label(card)
        self.features += 1
        self.labels += label is not None
        return label

    @property
    def abstained(self) -> dict[str, int]:
        """The abstentions, as a reason with its count; empty if there are none."""
        missing = self.features - self.labels
        return {ABSTAINED: missing} if missing else {}
