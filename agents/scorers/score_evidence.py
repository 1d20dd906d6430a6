"""The per-example outcomes behind a score: documents, positions and answers, never sealed text."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int

from glossator.agents.scorers.compared import Compared
from glossator.agents.scorers.examples import ScoringExamples
from glossator.agents.scorers.room import ScoringRoom
from glossator.probes.intervals import Counts
from glossator.probes.negatives import KINDS
from glossator.probes.split_view import AnyView
from glossator.records import Evidence, EvidenceKind

RECIPE_VERSION = 1
"""Raised whenever the same recipe would measure something else."""


def score_evidence(
    room: ScoringRoom, compared: Compared, recipe: Mapping[str, object], payload: Mapping[str, object]
) -> Evidence:
    """Evidence that names the index, the explanations that were read, and `recipe`."""
    shared = {
        "recipe_version": RECIPE_VERSION,
        "index": room.index_identity,
        "split": room.sealed.split.value,
        "explanation": compared.explanation.id,
        "donors": [d.id for d in compared.donors],
        "analyst": None if compared.analyst is None else compared.analyst.id,
        "draws": room.settings.draws,
    }
    return Evidence.of(compared.explanation.feature, EvidenceKind.SCORE, {**shared, **recipe}, dict(payload))


def document_outcomes(view: AnyView, counts: Counts) -> dict[str, object]:
    """Outcomes per document, for documents where the feature fires or is said to."""
    touched = np.flatnonzero(counts.tp + counts.fp + counts.fn)
    payload: dict[str, object] = {"documents": _ids(view, touched)}
    for name, column in zip(("tp", "fp", "fn"), (counts.tp, counts.fp, counts.fn), strict=True):
        payload[name] = column[touched].tolist()
    return payload


def example_outcomes(
    view: AnyView,
    examples: ScoringExamples,
    chosen: Bool[np.ndarray, " windows"],
    answers: Bool[np.ndarray, " chosen"] | Float[np.ndarray, " chosen"],
) -> dict[str, object]:
    """The answer to each chosen window, with where it is and whether the feature fires there."""
    windows = examples.windows.take(chosen)
    rounded = answers.tolist() if answers.dtype == bool else np.round(answers.astype(float), 5).tolist()
    found = {str(k): examples.hard_found[k] for k in KINDS if k in examples.hard_found}
    return {
        "documents": _ids(view, windows.document),
        "positions": windows.centre.tolist(),
        "fires": examples.firing[chosen].tolist(),
        "answers": rounded,
        "hard_negatives_found": found,
    }


def _ids(view: AnyView, numbers: Int[np.ndarray, " n"]) -> list[str]:
    return [view.text.documents[int(i)].id for i in numbers]
