"""Predicates in the words of a person.

A label names what stands at the token first, then what must stand around it: `the word "Miss" before a
capitalised word`, `a comma, except after a digit`. It never shows the predicate's syntax.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics, Key
from glossator.agents.embedded_analyst.firing_target import FiringTarget
from glossator.agents.embedded_analyst.set_wording import either, examples, token_set_phrase, word_set_phrase
from glossator.agents.embedded_analyst.token_classes import TOKEN_CLASSES, WORD_CLASSES
from glossator.agents.embedded_analyst.token_names import TokenKind, kind_of, quoted, token_name
from glossator.agents.embedded_analyst.word_families import WordFamilies
from glossator.agents.embedded_analyst.word_forms import WordForms
from glossator.probes.predicate_evaluation import matching_entries
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
_DOMINANT = 0.85
_FORMS = {form.pattern: form.phrase for form in (*TOKEN_CLASSES, *WORD_CLASSES)}
_KEYS = {
    (False, 0): Key.TOKEN,
    (True, 0): Key.WORD,
    (False, -1): Key.PREVIOUS,
    (True, -1): Key.PREVIOUS_WORD,
    (False, 1): Key.NEXT,
    (True, 1): Key.NEXT_WORD,
}


class Wording:
    """Writes labels; knows the explore split and, if there is an embedder, what words have in common."""

    def __init__(self, stats: CorpusStatistics, families: WordFamilies | None) -> None:
        self._stats, self._families = stats, families
        self._naming = True
        self._vocabulary = WordForms.of(stats.words)

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
        here = self._here_together([part for part in parts if _is_here(part)], target)
        around = [self._around(part, target) for part in parts if not _is_here(part)]
        if here:
            return " ".join([here, *around])
        if len(parts) == 1 and isinstance(parts[0], WeightedWords | Position):
            return around[0]
        return " ".join([self._anything(target), *around])

    def _here_together(self, parts: Sequence[Predicate], target: FiringTarget) -> str:
        """One noun phrase for what is asked of the token itself: a set says more than a class of form."""
        pieces = [
            p
            for p in parts
            if isinstance(p, TokenIn) and all(kind_of(t) is TokenKind.PIECE for t in p.tokens)
        ]
        words = [p for p in parts if isinstance(p, WordIn)]
        if pieces and words:
            return f"{self._here(pieces[0], target)} in {self._here(words[0], target)}"
        sets = [p for p in parts if isinstance(p, TokenIn | WordIn)]
        if sets:
            return self._here(
                min(sets, key=lambda p: len(p.tokens if isinstance(p, TokenIn) else p.words)), target
            )
        return " that is also ".join(self._here(part, target) for part in parts)

    def _anything(self, target: FiringTarget) -> str:
        """What to call a token of which nothing is said: a word, if firings are mostly words."""
        words = self._stats.words.word_of[target.strong] >= 0
        return "any word" if len(words) and words.mean() > 0.8 else "anything"

    def _here(self, part: Predicate, target: FiringTarget, shift: int = 0) -> str:
        """A noun phrase for a condition on one token."""
        if isinstance(part, TokenIn):
            weight = self._weights(target, Key.TOKEN if shift == 0 else _KEYS[False, shift])
            return token_set_phrase(part.tokens, weight, self._vocabulary, self._namer)
        if isinstance(part, WordIn):
            weight = self._weights(target, _KEYS[True, shift])
            return word_set_phrase(part.words, weight, self._vocabulary, self._namer)
        if isinstance(part, TokenMatches | WordMatches):
            return self._form(part, target, shift)
        if isinstance(part, Not):
            return f"anything but {self._here(part.part, target, shift)}"
        return self._phrase(part, target)

    def _form(self, part: TokenMatches | WordMatches, target: FiringTarget, shift: int) -> str:
        """The class of form, or its members where very few of them carry nearly all."""
        general = _FORMS.get(part.pattern, f"text like {part.pattern}")
        of_words = isinstance(part, WordMatches)
        weight = self._weights(target, _KEYS[of_words, shift])
        fits = matching_entries(part.pattern, list(weight))
        inside = {name: count for (name, count), fit in zip(weight.items(), fits, strict=True) if fit}
        heavy = sorted(inside, key=lambda name: -inside[name])[:2]
        if sum(inside[name] for name in heavy) < _DOMINANT * sum(inside.values()) or not heavy:
            return general
        phrase = word_set_phrase if of_words else token_set_phrase
        return phrase(heavy, inside, self._vocabulary, self._namer)

    def _around(self, part: Predicate, target: FiringTarget) -> str:
        """What a condition on the surroundings adds to a label."""
        if isinstance(part, Preceded):
            return f"after {self._here(part.by, target, -1)}{_reach(part.within)}"
        if isinstance(part, Followed):
            return f"before {self._here(part.by, target, 1)}{_reach(part.within)}"
        if isinstance(part, Not):
            return self._exception(part.part, target)
        if isinstance(part, WindowContains):
            shown = [self._vocabulary.shown(word) for word in part.words]
            return f"near words such as {examples(shown, 4)}" if len(shown) > 1 else f"near {examples(shown)}"
        if isinstance(part, WeightedWords):
            return self._topic(part)
        if isinstance(part, Position):
            return _place(part)
        return f"where there is {self._phrase(part, target)}"

    def _exception(self, part: Predicate, target: FiringTarget) -> str:
        """What a rule leaves out: two examples, since these are the values without weight."""
        inner = part.by if isinstance(part, Preceded | Followed) else part
        where = "after " if isinstance(part, Preceded) else "before " if isinstance(part, Followed) else ""
        if isinstance(inner, TokenIn):
            names = list(dict.fromkeys(_bare_name(token) for token in inner.tokens))
        elif isinstance(inner, WordIn):
            names = [quoted(self._vocabulary.shown(word)) for word in inner.words]
        else:
            return f"(not {where}{self._here(inner, target)})"
        said = ", ".join([*names[:2], "…"]) if len(names) > 3 else either(names)
        return f"(not {where}{said})"

    def _topic(self, part: WeightedWords) -> str:
        ordered = sorted(part.weights, key=lambda entry: -entry.weight)
        words = [entry.word for entry in ordered]
        term = self._namer(words[:8])
        shown = [self._vocabulary.shown(word) for word in words]
        return (
            f"text about {term}: {examples(shown)}" if term else f"text with words such as {examples(shown)}"
        )

    def _namer(self, words: Sequence[str]) -> str | None:
        return self._families.name(words) if self._families is not None and self._naming else None

    def _weights(self, target: FiringTarget, key: Key) -> Mapping[str, float]:
        """How often each value of a key stands at strong firings."""
        values = self._stats.keys[key][target.strong]
        value, count = np.unique(values[values < self._stats.size(key) - 1], return_counts=True)
        out: dict[str, float] = {}
        for v, c in zip(value.tolist(), count.tolist(), strict=True):
            name = self._stats.name(key, v)
            out[name] = out.get(name, 0.0) + float(c)
        return out


def _is_here(part: Predicate) -> bool:
    if isinstance(part, Not):
        return _is_here(part.part) and not isinstance(part.part, Not)
    return isinstance(part, TokenIn | TokenMatches | WordIn | WordMatches | AnyOf | AllOf)


def _bare_name(token: str) -> str:
    """A token inside a list: words in quotes, marks and white space by name."""
    return token_name(token) if kind_of(token) in (TokenKind.SPACE, TokenKind.MARK) else quoted(token.strip())


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
