"""Texts with and without a concept: given, written by a model, or drawn from the corpus.

Whatever the source, texts lie in `explore`, `validate` and behind a `ConceptJudge`, which alone holds the
sealed ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from glossator.agents.scorers.concept_scores import ConceptJudge, SealedConcepts, part_texts
from glossator.errors import ToolError
from glossator.probes.activation_index import ActivationIndex
from glossator.probes.concept_windows import (
    WIDTH,
    DrawnTexts,
    concept_words,
    windows_by_meaning,
    windows_by_words,
)
from glossator.probes.labelled_texts import LabelledTexts, joined
from glossator.probes.negatives import WindowPool
from glossator.probes.site_means import TextReader
from glossator.probes.split_assignment import normalise
from glossator.probes.split_view import OpenView
from glossator.probes.text_embedder import TextEmbedder
from glossator.records import Split

MOST_TEXTS = 300
"""Given texts of a kind."""
LONGEST = 4000
"""Characters of a given text."""
EXPLORE_WINDOWS, OTHER_WINDOWS = 40, 30
"""Windows of each kind drawn from `explore`, and from each of the other splits."""
EXPLORE_POOL, OTHER_POOL = 600, 400
"""Windows that are embedded once per split."""
LEAST_WINDOWS = 5
"""Windows of each kind that a split must give."""


class TextSource(StrEnum):
    """Where the texts of a concept come from."""

    GIVEN = "given"
    """By the caller."""
    WRITTEN = "written"
    """By a model."""
    CORPUS = "corpus"
    """Windows of the indexed corpus."""


@dataclass(frozen=True)
class ConceptTexts:
    """Texts of a concept, parted among the splits."""

    concept: str
    source: TextSource
    explore: LabelledTexts
    validate: LabelledTexts
    judge: ConceptJudge
    """Measures on the sealed texts."""
    how: str
    """In words: how texts with the concept were told from those without."""
    with_texts: tuple[str, ...] = ()
    """All texts with it, for the recipe; empty where they come from the corpus."""
    without_texts: tuple[str, ...] = ()

    @property
    def open(self) -> LabelledTexts:
        """Explore, then validate."""
        return joined(self.explore, self.validate)


def given_texts(
    concept: str,
    with_texts: Sequence[str],
    without_texts: Sequence[str],
    reader: TextReader,
    *,
    source: TextSource,
    how: str,
    seed: int,
) -> ConceptTexts:
    """Given or written texts, parted by their content.

    Raises:
        ToolError: too few or too many, too long, or one text of both kinds.
    """
    kept, other = _distinct(with_texts), _distinct(without_texts)
    both = {normalise(t) for t in kept} & {normalise(t) for t in other}
    if both:
        raise ToolError(f"{len(both)} texts are given with and without the concept: give each once")
    parted = part_texts(kept, other, reader, seed)
    return ConceptTexts(
        concept, source, parted.explore, parted.validate, parted.judge, how, tuple(kept), tuple(other)
    )


def _distinct(texts: Sequence[str]) -> list[str]:
    """Texts without blanks and repeats."""
    if len(texts) > MOST_TEXTS:
        raise ToolError(f"{len(texts)} texts of a kind are too many: give at most {MOST_TEXTS}")
    longest = max(map(len, texts), default=0)
    if longest > LONGEST:
        raise ToolError(f"a text of {longest} characters is too long: at most {LONGEST} are read")
    found = {normalise(t): t.strip() for t in reversed(texts) if t.strip()}
    return list(reversed(found.values()))


class CorpusConcepts:
    """Draws texts of concepts from an index; pools are embedded once."""

    def __init__(self, index: ActivationIndex, embedder: TextEmbedder | None, seed: int) -> None:
        self._index, self._embedder, self._seed = index, embedder, seed
        self._pools: dict[Split, WindowPool] = {}
        self._judges = SealedConcepts(index, embedder, pool=OTHER_POOL, seed=seed)

    def texts(self, concept: str, reader: TextReader, seed: int) -> ConceptTexts:
        """Windows of every split, told apart by meaning, or by words where there is no embedder.

        Raises:
            ToolError: a split holds too few of them.
        """
        if self._embedder is None and not concept_words(concept):
            raise ToolError(f"{concept!r} has no word to look for: name the concept, or give texts")
        explore = self._draw(self._index.explore, EXPLORE_POOL, concept, EXPLORE_WINDOWS, seed)
        validate = self._draw(self._index.validate, OTHER_POOL, concept, OTHER_WINDOWS, seed)
        judge = self._judges.judge(concept, reader, n=OTHER_WINDOWS, seed=seed)
        sides = (explore.texts.n_with, explore.texts.n_without, validate.texts.n_with,
                 validate.texts.n_without, judge.n_with, judge.n_without)  # fmt: skip
        if min(sides) < LEAST_WINDOWS:
            raise ToolError(
                f"the corpus gives too few windows for {concept!r} ({min(sides)} in one split, "
                f"{LEAST_WINDOWS} are needed): give texts with and without the concept, or other words"
            )
        how = self._how(explore)
        return ConceptTexts(concept, TextSource.CORPUS, explore.texts, validate.texts, judge, how)

    def _draw(self, view: OpenView, pool: int, concept: str, n: int, seed: int) -> DrawnTexts:
        if self._embedder is None:
            return windows_by_words(view, concept, n=n, seed=seed)
        if view.split not in self._pools:
            drawn = WindowPool.draw(view, self._embedder, size=pool, seed=self._seed, width=WIDTH)
            self._pools[view.split] = drawn
        return windows_by_meaning(view, self._pools[view.split], self._embedder, concept, n=n, seed=seed)

    def _how(self, explore: DrawnTexts) -> str:
        if self._embedder is None:
            return "windows of the corpus that hold a word of the concept, against windows that hold none"
        return (
            f"windows of the corpus nearest to the concept's words by the embedder {self._embedder.name} "
            f"(similarity {explore.nearness_with:.2f}) against random ones of the rest "
            f"({explore.nearness_without:.2f}): a stand-in for the concept, no judgement of a reader"
        )
