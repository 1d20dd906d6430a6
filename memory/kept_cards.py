"""When our own label stays a feature's current one though a label of others was scored after it.

The last card of a feature is its current one. An imported label is measured, kept and compared like any
other, but one that stands no better must not take the place of a label that was tested before.
"""

from __future__ import annotations

from glossator.records import ExplanationMethod, FeatureCard, VerdictKind

_RANK = {VerdictKind.ABSTAINED: 0, VerdictKind.TENTATIVE: 1, VerdictKind.ACCEPTED: 2}


def stays(current: FeatureCard, imported: FeatureCard) -> bool:
    """Whether `current` is a card of our own that stands as well as the `imported` one, or better."""
    label = current.explanation
    ours = label is None or label.method is not ExplanationMethod.IMPORTED
    return ours and _RANK[current.verdict.kind] >= _RANK[imported.verdict.kind]
