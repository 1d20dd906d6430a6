"""Predicates in the words of a person."""

from __future__ import annotations

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics
from glossator.agents.embedded_analyst.firing_target import FiringTarget
from glossator.agents.embedded_analyst.word_families import WordFamilies
from glossator.records import Predicate


class Wording:
    def __init__(self, stats: CorpusStatistics, families: WordFamilies | None) -> None:
        self._stats, self._families = stats, families

    def label(self, predicate: Predicate, target: FiringTarget) -> str:
        """A label."""
        return str(predicate)[:290]
