"""What features and probes of a concept reach on sealed texts. Only this module holds those texts.

Given texts are parted as documents are: by a hash of the text, near duplicates together. Of the corpus,
sealed windows are drawn here, as explore and validate windows are drawn elsewhere. A `ConceptJudge` gives out
numbers, counts and names (hashes, places), never a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from glossator.errors import ToolError
from glossator.probes.activation_index import ActivationIndex
from glossator.probes.auc import auc_interval, auc_value
from glossator.probes.concept_separation import TextRanks, activation_table
from glossator.probes.concept_windows import WIDTH, windows_by_meaning, windows_by_words
from glossator.probes.labelled_texts import LabelledTexts, labelled
from glossator.probes.negatives import WindowPool
from glossator.probes.paired_auc import paired_auc_difference
from glossator.probes.sealed_split import open_sealed
from glossator.probes.site_means import Direction, Reading, TextReader
from glossator.probes.split_assignment import SplitAssigner
from glossator.probes.text_activations import FeatureMaxima
from glossator.probes.text_embedder import TextEmbedder
from glossator.records import Interval, Split

LEAST_PER_SIDE = 12
"""Texts that each side needs, in all splits together."""
_PER_MISSING = 5
"""Texts that bring one more to a split that takes a fifth of them."""


class SealedAuc(NamedTuple):
    """An AUC on sealed texts."""

    value: float
    interval: Interval


class ConceptJudge:
    """Sealed texts of a concept, behind numbers."""

    def __init__(self, texts: LabelledTexts, reader: TextReader, seed: int) -> None:
        self._texts, self._reader, self._seed = texts, reader, seed
        self._vectors: dict[Reading, Float[np.ndarray, "texts d"]] = {}

    @property
    def n_with(self) -> int:
        """Sealed texts with the concept."""
        return self._texts.n_with

    @property
    def n_without(self) -> int:
        """Sealed texts without it."""
        return self._texts.n_without

    @property
    def ids(self) -> tuple[str, ...]:
        """Hashes or places of the sealed texts."""
        return self._texts.ids

    def features(self, features: Int[np.ndarray, " features"]) -> list[SealedAuc]:
        """The AUC of each feature's largest activation."""
        return [self._auc(column) for column in self._table(features).T]

    def direction(self, direction: Direction) -> SealedAuc:
        """The AUC of a linear score."""
        return self._auc(self._scores(direction))

    def shuffled_features(
        self, features: Int[np.ndarray, " draws"], seed: int
    ) -> Float[np.ndarray, " draws"]:
        """AUC of feature i of `features` under the i-th shuffling of the labels."""
        ranks = TextRanks.of(self._maxima, len(self._texts), features)
        rng = np.random.default_rng(seed)
        rows = np.stack([rng.permutation(self._texts.has) for _ in features])
        aucs = ranks.aucs(rows)
        return aucs[np.arange(len(features)), np.searchsorted(ranks.features, features)]

    def difference(self, first: Direction | int, second: Direction | int) -> Interval:
        """Interval of how much better `first` is than `second`; a number is a feature."""
        return paired_auc_difference(
            self._scores(first), self._scores(second), self._texts.has, self._texts.document, seed=self._seed
        )

    @cached_property
    def _maxima(self) -> FeatureMaxima:
        return self._reader.activations.maxima(self._texts.texts)

    def _table(self, features: Int[np.ndarray, " features"]) -> Float[np.ndarray, "texts features"]:
        return activation_table(self._maxima, len(self._texts), features)

    def _scores(self, scored: Direction | int) -> Float[np.ndarray, " texts"]:
        if isinstance(scored, int):
            return self._table(np.array([scored]))[:, 0].astype(np.float64)
        if scored.reading is Reading.TOKENS:
            return self._reader.project(scored, self._texts.texts).astype(np.float64)
        if scored.reading not in self._vectors:
            self._vectors |= self._read(scored.reading)
        return (self._vectors[scored.reading] @ scored.weights).astype(np.float64)

    def _read(self, reading: Reading) -> dict[Reading, Float[np.ndarray, "texts d"]]:
        """One reading; both poolings of the same forward passes."""
        if reading is Reading.LENGTH:
            return {reading: self._reader.vectors(reading, self._texts.texts)}
        untrained = reading in (Reading.UNTRAINED_MEAN, Reading.UNTRAINED_MAX)
        pooled = self._reader.site(self._texts.texts, untrained=untrained)
        if untrained:
            return {Reading.UNTRAINED_MEAN: pooled.mean, Reading.UNTRAINED_MAX: pooled.largest}
        return {Reading.MEAN: pooled.mean, Reading.MAX: pooled.largest}

    def _auc(self, scores: Float[np.ndarray, " texts"]) -> SealedAuc:
        row = scores.astype(np.float64)[None]
        value = auc_value(row, self._texts.has)
        if value is None:
            raise ToolError("the sealed texts are all of one kind: give more texts of both")
        return SealedAuc(value, auc_interval(row, self._texts.has, self._texts.document))


class PartedTexts(NamedTuple):
    """Texts of a concept, parted among the splits."""

    explore: LabelledTexts
    validate: LabelledTexts
    judge: ConceptJudge


def part_texts(
    with_concept: Sequence[str], without: Sequence[str], reader: TextReader, seed: int
) -> PartedTexts:
    """Part given or written texts among the splits; a near duplicate follows the first of its kind.

    Raises:
        ToolError: there are too few texts of a kind, in all or in some split.
    """
    texts = [*with_concept, *without]
    has = np.repeat([True, False], [len(with_concept), len(without)])
    _require_enough(has)
    assigner = SplitAssigner()
    split = [assigner.assign(t) for t in texts]
    parts = {s: [i for i, found in enumerate(split) if found is s] for s in Split}
    _require_both(parts, has)
    explore, validate, sealed = (
        labelled([texts[i] for i in parts[s]], [bool(has[i]) for i in parts[s]])
        for s in (Split.EXPLORE, Split.VALIDATE, Split.SEALED)
    )
    return PartedTexts(explore, validate, ConceptJudge(sealed, reader, seed))


def _require_enough(has: Bool[np.ndarray, " texts"]) -> None:
    for found, kind in ((int(has.sum()), "with"), (int((~has).sum()), "without")):
        if found < LEAST_PER_SIDE:
            raise ToolError(
                f"{found} texts {kind} the concept are too few: at least {LEAST_PER_SIDE} are needed "
                f"({LEAST_PER_SIDE - found} more), 30 are better"
            )


def _require_both(parts: dict[Split, list[int]], has: Bool[np.ndarray, " texts"]) -> None:
    for wanted, kind in ((True, "with"), (False, "without")):
        empty = sum(not any(bool(has[i]) is wanted for i in part) for part in parts.values())
        if empty:
            raise ToolError(
                f"texts are parted by their content into three splits, and {empty} of them got no text "
                f"{kind} the concept: give about {_PER_MISSING * empty} more texts {kind} it"
            )


class SealedConcepts:
    """Draws sealed windows of concepts from the corpus; embeds its pool once."""

    def __init__(
        self, index: ActivationIndex, embedder: TextEmbedder | None, *, pool: int, seed: int
    ) -> None:
        self._view, self._embedder, self._size, self._seed = open_sealed(index), embedder, pool, seed

    def judge(self, concept: str, reader: TextReader, *, n: int, seed: int) -> ConceptJudge:
        """Up to `n` sealed windows of each kind, drawn as those of the other splits are."""
        if self._embedder is None:
            drawn = windows_by_words(self._view, concept, n=n, seed=seed)
        else:
            drawn = windows_by_meaning(self._view, self._pool, self._embedder, concept, n=n, seed=seed)
        return ConceptJudge(drawn.texts, reader, seed)

    @cached_property
    def _pool(self) -> WindowPool:
        assert self._embedder is not None
        return WindowPool.draw(self._view, self._embedder, size=self._size, seed=self._seed, width=WIDTH)
