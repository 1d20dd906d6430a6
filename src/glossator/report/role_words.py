"""Which side of a feature its label speaks of: what it fires on, what it causes, or both."""

from __future__ import annotations

from glossator.records import FeatureCard, FeatureRole

_WITH_CAUSES = (FeatureRole.OUTPUT, FeatureRole.BOTH)


def causes_words(card: FeatureCard) -> str:
    """What the feature causes, where its role says that this matters; else empty."""
    causal = card.causal
    if causal is None or causal.role is None or causal.explanation is None:
        return ""
    return causal.explanation.text if causal.role.role in _WITH_CAUSES else ""


def causes_first(card: FeatureCard) -> bool:
    """Whether what it causes is the side that matters: then it is said before what it fires on."""
    causal = card.causal
    return causal is not None and causal.role is not None and causal.role.role is FeatureRole.OUTPUT
