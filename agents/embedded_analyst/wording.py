"""Predicates in the words of a person.

A label names what stands at the token first, then what must stand around it: `the word "Miss" before a
capitalised word`, `a comma, except after a digit`. It never shows the predicate's syntax.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics, Key
from glossator.agents.embedded_analyst.firing_target import FiringTarget
from glossator.agents.embedded_analyst.set_wording import either, examples, token_set_phrase, word_set_phrase
from glossator.agents.embedded_analyst.token_classes import TOKEN_CLASSES, WORD_CLASSES
from glossator.agents.embedded_analyst.word_families import WordFamilies
from glossator.records import (
    AllOf,
    AnyOf,
    Followed,
    Not,
    Position,
    Preceded,
    Predicate,
    TokenIn,
    TokenMatches,
    WeightedWords,
    WindowContains,
    WordIn,
    WordMatches,
)

LONGEST = 120
_FORMS = {form.pattern: form.phrase for form in (*TOKEN_CLASSES, *WORD_CLASSES)}
_KEYS = {(False, 0): Key.TOKEN, (True, 0): Key.WORD, (False, -1): Key.PREVIOUS, (True, -1): Key.PREVIOUS_WORD,
         (False, 1): Key.NEXT, (True, 1): Key.NEXT_WORD}  # fmt: skip


class Wording:
    """Writes labels; knows the explore split and, if there is an embedder, what words have in common."""

    def __init__(self, stats: CorpusStatistics, families: WordFamilies | None) -> None:
        self._stats, self._families = stats, families
        self._naming = True
        self._known = frozenset(stats.words.words)

    def label(self, predicate: Predicate, target: FiringTarget, name_groups: bool = True) -> str:
        """The predicate in plain words, at most `LONGEST` characters.

        Groups of words are named by embedding, which costs time, only if `name_groups`.
        """
        self._naming = name_groups
        return shortened(self._phrase(predicate, target))

    def _phrase(self, predicate: Predicate, target: FiringTarget) -> str:
        if isinstance(predicate, AnyOf):
            return "; or ".join(self._phrase(part, target) for part in predicate.parts)
        parts = predicate.parts if isinstance(predicate, AllOf) else (predicate,)
        here = [self._here(part, target) for part in parts if _is_here(part)]
        around = [self._around(part, target) for part in parts if not _is_here(part)]
        if here:
            return " ".join([_combined(here), *around])
        if len(parts) == 1 and isinstance(parts[0], WeightedWords | Position):
            return around[0]
        return " ".join([self._anything(target), *around])

    def _anything(self, target: FiringTarget) -> str:
        """What to call a token of which nothing is said: a word, if firings are mostly words."""
        words = self._stats.words.word_of[target.strong] >= 0
        return "any word" if len(words) and words.mean() > 0.8 else "anything"

    def _here(self, part: Predicate, target: FiringTarget, shift: int = 0) -> str:
        """A noun phrase for a condition on one token."""
        if isinstance(part, TokenIn):
            weight = self._weights(target, Key.TOKEN if shift == 0 else _KEYS[False, shift])
            return token_set_phrase(part.tokens, weight, self._known, self._namer)
        if isinstance(part, WordIn):
            weight = self._weights(target, _KEYS[True, shift])
            return word_set_phrase(part.words, weight, self._known, self._namer)
        if isinstance(part, TokenMatches | WordMatches):
            return _FORMS.get(part.pattern, f"text like {part.pattern}")
        if isinstance(part, Not):
            return f"anything but {self._here(part.part, target, shift)}"
        return self._phrase(part, target)

    def _around(self, part: Predicate, target: FiringTarget) -> str:
        """What a condition on the surroundings adds to a label."""
        if isinstance(part, Preceded):
            return f"after {self._here(part.by, target, -1)}{_reach(part.within)}"
        if isinstance(part, Followed):
            return f"before {self._here(part.by, target, 1)}{_reach(part.within)}"
        if isinstance(part, Not):
            return self._exception(part.part, target)
        if isinstance(part, WindowContains):
            return f"near words such as {examples(part.words, 4)}" if len(part.words) > 1 else f"near {examples(part.words)}"
        if isinstance(part, WeightedWords):
            return self._topic(part)
        if isinstance(part, Position):
            return _place(part)
        return f"where there is {self._phrase(part, target)}"

    def _exception(self, part: Predicate, target: FiringTarget) -> str:
        """What a rule leaves out: shown by example, since these are the values without weight."""
        inner = part.by if isinstance(part, Preceded | Followed) else part
        where = "after " if isinstance(part, Preceded) else "before " if isinstance(part, Followed) else ""
        if isinstance(inner, TokenIn):
            said = token_set_phrase(inner.tokens[:3], {}, self._known, None)
        elif isinstance(inner, WordIn):
            said = either([f'"{word}"' for word in inner.words[:3]])
        else:
            said = self._here(inner, target)
        size = len(inner.tokens) if isinstance(inner, TokenIn) else len(inner.words) if isinstance(inner, WordIn) else 0
        return f"(not {where}{said}{' and the like' if size > 3 else ''})"

    def _topic(self, part: WeightedWords) -> str:
        ordered = sorted(part.weights, key=lambda entry: -entry.weight)
        words = [entry.word for entry in ordered]
        term = self._namer(words[:8])
        return f"text about {term}: {examples(words)}" if term else f"text with words such as {examples(words)}"

    def _namer(self, words: Sequence[str]) -> str | None:
        return self._families.name(words) if self._families is not None and self._naming else None

    def _weights(self, target: FiringTarget, key: Key) -> Mapping[str, float]:
        """How often each value of a key stands at strong firings."""
        values = self._stats.keys[key][target.strong]
        value, count = np.unique(values[values < self._stats.size(key) - 1], return_counts=True)
        out: Counter[str] = Counter()
        for v, c in zip(value.tolist(), count.tolist(), strict=True):
            out[self._stats.name(key, v)] += c
        return out


def _is_here(part: Predicate) -> bool:
    if isinstance(part, Not):
        return _is_here(part.part) and not isinstance(part.part, Not)
    return isinstance(part, TokenIn | TokenMatches | WordIn | WordMatches | AnyOf | AllOf)


def _combined(phrases: list[str]) -> str:
    """Two conditions on one token."""
    return phrases[0] if len(phrases) == 1 else f"{phrases[0]} in {' and '.join(phrases[1:])}"


def _reach(within: int) -> str:
    return "" if within == 1 else f" within {within} tokens"


def _place(part: Position) -> str:
    if part.at_least == 0 and part.at_most is not None:
        return f"the first {part.at_most + 1} tokens of the context"
    end = "" if part.at_most is None else f" to {part.at_most}"
    return f"tokens from place {part.at_least}{end} of the context"


def shortened(text: str, longest: int = LONGEST) -> str:
    """Cut at a word, with an ellipsis, never inside quotes."""
    if len(text) <= longest:
        return text
    cut = text[: longest - 1]
    while cut and (cut[-1] != " " or cut.count('"') % 2):
        cut = cut[:-1]
    kept = cut.rstrip(" ,;(") or text[: longest - 1]
    return kept + (" …)" if kept.count("(") > kept.count(")") else " …")
