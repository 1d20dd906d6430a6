"""Scorers: the only ones who open the sealed split. They report numbers, never its text."""

from glossator.agents.firing_facts import STRONG
from glossator.agents.scorers.examples import ScoringExamples
from glossator.agents.scorers.open_room import open_scoring_room
from glossator.agents.scorers.room import FeatureNeighbours, ScoringRoom
from glossator.agents.scorers.score_explanation import ScoredExplanation, score_explanation
from glossator.agents.scorers.settings import ScoringSettings

__all__ = [
    "STRONG",
    "FeatureNeighbours",
    "ScoredExplanation",
    "ScoringExamples",
    "ScoringRoom",
    "ScoringSettings",
    "open_scoring_room",
    "score_explanation",
]
