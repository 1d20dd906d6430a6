"""What features are called, said so that nobody takes a rejected hypothesis for a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glossator.agents.tools.workbench import Workbench
from glossator.memory.current_labels import CurrentLabel, current_labels
from glossator.prompts.fence import neutral

Labels = Mapping[int, CurrentLabel]


def known_labels(bench: Workbench, features: Sequence[int] | None = None) -> Labels:
    """Current labels and abstentions of this subject and dictionary, by feature."""
    return current_labels(bench.ledger, bench.names, features)


def called(labels: Labels, feature: int) -> str:
    """`feature 812 "legal terms" (accepted)`, or that it is not labelled."""
    known = labels.get(feature)
    if known is None:
        return f"feature {feature} (not labelled)"
    if not known.stands:
        return f"feature {feature} (looked at, no label stands: {known.verdict.value})"
    return f'feature {feature} "{neutral(known.text)}" ({known.verdict.value})'


def label_row(labels: Labels, feature: int) -> dict[str, object]:
    """The same for a payload."""
    known = labels.get(feature)
    stands = known is not None and known.stands
    return {
        "feature": feature,
        "label": known.text if known is not None and stands else "",
        "verdict": "" if known is None else known.verdict.value,
    }
