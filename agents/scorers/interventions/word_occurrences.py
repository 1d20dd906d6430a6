"""Where words stand in a split, and whether the feature fires there: one array entry per occurrence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from glossator.probes.split_view import AnyView
from glossator.probes.windows import WindowBatch
from glossator.probes.word_table import words_of
from glossator.records import (
    AllOf,
    AnyOf,
    Followed,
    Preceded,
    Predicate,
    TokenIn,
    TokenMatches,
    WeightedWords,
    WindowContains,
    WordIn,
    WordMatches,
)

FARTHEST = 16
"""Most tokens after a word at which a firing still counts as its own."""


@dataclass(frozen=True)
class Occurrences:
    """Every word of a split with its tokens, and those shortly after that a rule about it may reach."""

    words: tuple[str, ...]
    """Distinct words, case-folded, sorted."""
    word: Int[np.ndarray, " occurrences"]
    """Index into `words`."""
    spans: WindowBatch
    """From the word's first token to the last that counts as its own."""
    fires: Bool[np.ndarray, " occurrences"]
    """Whether the feature fires strongly in the span."""

    def of(self, chosen: set[str]) -> Bool[np.ndarray, " occurrences"]:
        """Which occurrences are of one of these words."""
        wanted = np.fromiter((w in chosen for w in self.words), bool, len(self.words))
        return wanted[self.word]

    def counts(self, which: Bool[np.ndarray, " occurrences"] | None = None) -> Int[np.ndarray, " words"]:
        """How often each word stands among the chosen occurrences (all without)."""
        word = self.word if which is None else self.word[which]
        return np.bincount(word, minlength=len(self.words)).astype(np.int64)


def occurrences(view: AnyView, feature: int, threshold: float, reach: int) -> Occurrences:
    """The words of `view`.

    Args:
        view: the split.
        feature: whose firings count.
        threshold: an activation; what is above it is a strong firing.
        reach: tokens after a word's last that count as its own.
    """
    text, table = view.text, words_of(view.text)
    start = np.flatnonzero(table.first & text.eligible)
    # A word goes on until another begins, a token is part of none, or the row ends.
    goes_on = (table.word_of >= 0) & ~table.first
    breaks = np.append(np.flatnonzero(~goes_on), len(text))
    stop = breaks[np.searchsorted(breaks, start + 1)]
    stop = np.minimum(stop + reach, text.row_start[text.row_of[start] + 1])
    firings = view.firings(feature)
    strong = firings.position[firings.activation > threshold]
    first, last = np.searchsorted(strong, [start, stop])
    spans = WindowBatch(
        start=start.astype(np.int64),
        stop=stop.astype(np.int64),
        centre=start.astype(np.int64),
        document=text.document_of(start).astype(np.int64),
        activation=np.zeros(len(start), np.float32),
        wanted=len(start),
    )
    return Occurrences(table.words, table.word_of[start].astype(np.int64), spans, last > first)


def reach_of(predicate: Predicate | None) -> int:
    """How many tokens after a word a rule that names it may hold, at most `FARTHEST`; 0 without a rule."""
    if isinstance(predicate, Preceded):
        return min(FARTHEST, predicate.within + reach_of(predicate.by))
    if isinstance(predicate, WindowContains | WeightedWords):
        return min(FARTHEST, predicate.before)
    if isinstance(predicate, AllOf | AnyOf):
        return max(reach_of(part) for part in predicate.parts)
    return 0


def word_rules(predicate: Predicate) -> tuple[Predicate, ...]:
    """The parts of a predicate that name words or tokens and are asked to hold, wherever they look."""
    if isinstance(predicate, TokenIn | WordIn | TokenMatches | WordMatches):
        return (predicate,)
    if isinstance(predicate, WindowContains):
        return (WordIn(words=predicate.words),)
    if isinstance(predicate, WeightedWords):
        speaking = tuple(entry.word for entry in predicate.weights if entry.weight > 0)
        return (WordIn(words=speaking),) if speaking else ()
    if isinstance(predicate, Preceded | Followed):
        return word_rules(predicate.by)
    if isinstance(predicate, AllOf | AnyOf):
        return tuple(rule for part in predicate.parts for rule in word_rules(part))
    return ()
