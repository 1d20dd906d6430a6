"""The checks of a stress grade that ask whether a label means what it says.

All three read `sealed` with a label of the feature's input side: does it follow meaning rather than letters,
does it tell the feature from its nearest ones, does it hold for weak firings too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from glossator.agents.scorers.interventions.lexical_neighbours import lexical_neighbours
from glossator.agents.scorers.interventions.sibling_test import sibling_test
from glossator.agents.scorers.interventions.weak_activations import weak_activations
from glossator.agents.scorers.interventions.word_neighbours import Similarity, embedding_similarity
from glossator.agents.scorers.llm_bench import Activate
from glossator.agents.scorers.room import ScoringRoom
from glossator.records import Evidence, Explanation, StressCheck


class MeaningChecks(NamedTuple):
    """Lexical neighbours, siblings, weak activations, in that order, with their evidence."""

    checks: tuple[StressCheck, ...]
    evidence: tuple[Evidence, ...]


def meaning_checks(
    room: ScoringRoom,
    explanation: Explanation,
    siblings: Sequence[int],
    *,
    activate: Activate | None = None,
    similarity: Similarity | None = None,
) -> MeaningChecks:
    """All three checks of one label.

    Args:
        room: the splits; its embedder tells meanings apart unless it only compares letters.
        explanation: the label.
        siblings: the nearest features by direction, nearest first.
        activate: runs texts through the subject, for words that the text holds too seldom.
        similarity: how near words are in meaning; the room's embedder if None.

    Raises:
        UserError: the predicate cannot be evaluated.
        UnknownNameError: there is no such sibling.
    """
    alike = similarity or embedding_similarity(room.embedder)
    done = (
        lexical_neighbours(room, explanation, activate, alike),
        sibling_test(room, explanation, siblings),
        weak_activations(room, explanation),
    )
    return MeaningChecks(tuple(d.check for d in done), tuple(d.evidence for d in done))
