"""Windows of stored evidence with their texts, which the index holds: evidence keeps places alone."""

from __future__ import annotations

from typing import Any, cast

from glossator.probes.activation_index import ActivationIndex
from glossator.records import AnyEvidence, Evidence, EvidenceKind, Split, Window

_OPEN = {Split.EXPLORE.value, Split.VALIDATE.value}


def stored_windows(index: ActivationIndex, evidence: AnyEvidence) -> tuple[Window, ...] | None:
    """The windows that `evidence` holds, read from the index that it was measured on.

    None for other evidence, another index, and any split but `explore` and `validate`.
    """
    recipe = evidence.recipe
    if evidence.kind not in (EvidenceKind.WINDOWS, EvidenceKind.SILENT_WINDOWS):
        return None
    if not isinstance(evidence, Evidence) or recipe.get("index") != index.identity:
        return None
    if recipe.get("split") not in _OPEN or not isinstance(evidence.payload, list):
        return None
    view = index.explore if recipe["split"] == Split.EXPLORE.value else index.validate
    rows = cast("list[dict[str, Any]]", evidence.payload)
    return tuple(
        Window(
            document=row["document"],
            split=view.split,
            start=row["start"],
            tokens=view.text.strings(row["start"], row["start"] + row["length"]),
            activations=tuple(row["activations"]),
            peak=row["peak"],
        )
        for row in rows
    )
