"""Opens the sealed split for the scoring of labels; `concept_scores.py` is the only other place that does."""

from __future__ import annotations

from glossator.agents.scorers.room import ScoringRoom
from glossator.agents.scorers.settings import ScoringSettings
from glossator.probes.activation_index.reader import ActivationIndex
from glossator.probes.sealed_split import open_sealed
from glossator.probes.text_embedder import TextEmbedder


def open_scoring_room(
    index: ActivationIndex, embedder: TextEmbedder | None = None, settings: ScoringSettings | None = None
) -> ScoringRoom:
    """A scoring room over an index; make one per run, so that what features share is measured once."""
    return ScoringRoom(
        index.explore,
        index.validate,
        open_sealed(index),
        index_identity=index.identity,
        embedder=embedder,
        settings=settings,
    )
