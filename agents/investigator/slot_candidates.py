"""Which tokens are worth trying at one place of a rule: seldom seen members, tokens left out, unseen ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics, Key
from glossator.agents.embedded_analyst.firing_target import FiringTarget
from glossator.agents.embedded_analyst.rule_parts import at_shift
from glossator.agents.investigator.rule_slots import SetSlot, replaced, set_slots
from glossator.probes.predicate_evaluation import evaluate
from glossator.probes.sentence_embedder import HashingEmbedder
from glossator.probes.text_embedder import TextEmbedder
from glossator.probes.word_table import fold
from glossator.records import AnyOf, Predicate, TokenIn

LEFT_OUT_PRECISION = 0.34
_KEYS = {0: Key.TOKEN, -1: Key.PREVIOUS, 1: Key.NEXT}
_MOST_UNSEEN = 400
_SURE = 3
_OTHER_SHAPE = 0.3
"""Likeness taken from a token that begins with a space where most members do not, or the reverse."""


class SlotCandidates(NamedTuple):
    """Tokens for one place, most telling first."""

    slot: SetSlot
    branch: Predicate
    """The alternative of the rule that the set belongs to."""
    doubtful: tuple[str, ...]
    """Members that hardly fired on `explore`."""
    left_out: tuple[str, ...]
    """Tokens that fired there and are no members."""
    silent: frozenset[str]
    """Tokens that stood there on `explore` and never fired."""
    unseen: tuple[str, ...] = ()
    """Tokens that never stood there, likest the members first; empty where they were not asked for."""


@dataclass(frozen=True)
class SlotFinder:
    """Finds candidates on `explore`."""

    stats: CorpusStatistics
    embedder: TextEmbedder | None

    @cached_property
    def _wordlike(self) -> Int[np.ndarray, " words"]:
        texts = self.stats.text.vocabulary.texts
        found = [i for i, t in enumerate(texts) if len(t.strip()) > 2 and t.strip().isalpha()]
        return np.array(found, dtype=np.int64)

    @cached_property
    def _vectors(self) -> Float[np.ndarray, "words d"]:
        texts = self.stats.text.vocabulary.texts
        words = [texts[i].strip().casefold() for i in self._wordlike.tolist()]
        distinct = sorted(set(words))
        vectors = (self.embedder or HashingEmbedder()).embed(distinct)
        number = {word: i for i, word in enumerate(distinct)}
        return vectors[[number[word] for word in words]]

    @cached_property
    def _spaced(self) -> Bool[np.ndarray, " words"]:
        texts = self.stats.text.vocabulary.texts
        return np.array([texts[i][0] == " " for i in self._wordlike.tolist()], dtype=bool)

    @cached_property
    def _by_token(self) -> dict[str, list[int]]:
        return _grouped(self.stats.text.vocabulary.texts)

    @cached_property
    def _by_word(self) -> dict[str, list[int]]:
        return _grouped([fold(t.strip()) for t in self.stats.text.vocabulary.texts])

    def _members(self, slot: SetSlot) -> Bool[np.ndarray, " vocabulary"]:
        """Which tokens of the vocabulary belong to a set."""
        numbers = self._by_token if isinstance(slot.part, TokenIn) else self._by_word
        inside = np.zeros(len(self.stats.text.vocabulary), dtype=bool)
        inside[[i for member in slot.members for i in numbers.get(member, ())]] = True
        return inside

    @cached_property
    def _row_of(self) -> dict[int, int]:
        return {v: i for i, v in enumerate(self._wordlike.tolist())}

    def of(self, predicate: Predicate, target: FiringTarget, unseen: bool = True) -> list[SlotCandidates]:
        """Candidates for every set in `predicate`; unseen tokens, which cost most, only if asked for."""
        branches = predicate.parts if isinstance(predicate, AnyOf) else (predicate,)
        held = evaluate(predicate, self.stats.text, self.stats.words)
        return [
            self._candidates(slot, branch, held, target, unseen)
            for branch in branches
            for slot in set_slots(branch)
            if slot.shift in _KEYS
        ]

    def _candidates(
        self,
        slot: SetSlot,
        branch: Predicate,
        held: Bool[np.ndarray, " tokens"],
        target: FiringTarget,
        unseen: bool,
    ) -> SlotCandidates:
        rest = replaced(branch, at_shift(slot.part, slot.shift), None)
        decided = target.wanted >= 0
        if rest is not None:
            decided &= evaluate(rest, self.stats.text, self.stats.words)
        values, size = self.stats.keys[_KEYS[slot.shift]], self.stats.size(_KEYS[slot.shift])
        fires = np.bincount(values[decided & (target.wanted == 1)], minlength=size)[:-1]
        silent = np.bincount(values[decided & (target.wanted == 0)], minlength=size)[:-1]
        missed = np.bincount(values[decided & (target.wanted == 1) & ~held], minlength=size)[:-1]
        texts = self.stats.text.vocabulary.texts
        inside = self._members(slot)
        precision = fires / np.maximum(1, fires + silent)
        doubtful = np.flatnonzero(inside & (fires + silent > 0) & ((fires < _SURE) | (precision < 0.5)))
        left_out = np.flatnonzero(~inside & (missed > 0) & (precision >= LEFT_OUT_PRECISION))
        members, seen = np.flatnonzero(inside & (fires > 0)), inside | (fires + silent > 0)
        likest = self._likest(members, seen, fires) if unseen else ()
        name = texts.__getitem__
        return SlotCandidates(
            slot,
            branch,
            tuple(map(name, doubtful[np.lexsort((fires[doubtful], precision[doubtful]))].tolist())),
            tuple(map(name, left_out[np.lexsort((-fires[left_out], -precision[left_out]))].tolist())),
            frozenset(map(name, np.flatnonzero((silent > 0) & (fires == 0)).tolist())),
            tuple(map(name, likest)),
        )

    def _likest(self, members: np.ndarray, seen: np.ndarray, fires: np.ndarray) -> Sequence[int]:
        """Unseen tokens by likeness to the members: to their centre and to the nearest few of them."""
        rows = [self._row_of[m] for m in members.tolist() if m in self._row_of]
        if not rows:
            return []
        own = self._vectors[rows]
        likeness = self._vectors @ own.T
        near = np.sort(likeness, axis=1)[:, -3:].mean(axis=1)
        weight = np.array([fires[m] for m in members.tolist() if m in self._row_of], dtype=np.float32)
        score = near + likeness @ (weight / weight.sum())
        score[self._spaced != (self._spaced[rows].mean() >= 0.5)] -= _OTHER_SHAPE
        score[seen[self._wordlike]] = -np.inf
        order = np.argsort(-score, kind="stable")[:_MOST_UNSEEN]
        return [int(self._wordlike[i]) for i in order if np.isfinite(score[i])]


def _grouped(names: Sequence[str]) -> dict[str, list[int]]:
    """The places of each name."""
    out: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        out.setdefault(name, []).append(i)
    return out
