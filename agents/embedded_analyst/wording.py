"""Predicates in the words of a person.

A label names what stands at the token first, then what must stand around it: `the word "Miss" before a
capitalised word`, `a comma (not after a digit)`. It never shows the predicate's syntax. Members of a
set are shown by how often they stand at strong firings, fewer of them where the label grows too long.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics, Key
from glossator.agents.embedded_analyst.firing_target import FiringTarget
from glossator.agents.embedded_analyst.set_wording import Namer, SetStyle, either, examples
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
_ABOUT = re.compile(r'(?P<head>words about [^(]+) \("[^)]*\)(?P<rest>.*?)(?: \(not .*\))?')
_SHOWN = (5, 3, 2)
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
        self._forms = WordForms.of(stats.words)

    def label(self, predicate: Predicate, target: FiringTarget, name_groups: bool = True) -> str:
        """The predicate in plain words, at most `LONGEST` characters.

        Groups of words are named by embedding, which costs time, only if `name_groups`.
        """
        namer = self._families.name if self._families is not None and name_groups else None
        text = ""
        for shown in _SHOWN:
            text = _Sentence(self._stats, target, SetStyle(self._forms, namer, shown)).phrase(predicate)
            if len(text) <= LONGEST:
                return text
        return shortened(text)


def category_of(text: str) -> str:
    """What a label says without examples and exceptions: `words about drinks` of `words about drinks ("tea")
    (not before "set")`. A label that names no category says all that it says."""
    named = _ABOUT.fullmatch(text)
    return f"{named['head']}{named['rest']}" if named else text


def _told_once(phrases: Sequence[str]) -> list[str]:
    """The phrases, of those about one thing only the first."""
    first: dict[str, str] = {}
    for phrase in phrases:
        first.setdefault(category_of(phrase), phrase)
    return list(first.values())


class _Sentence:
    """One label in the making."""

    def __init__(self, stats: CorpusStatistics, target: FiringTarget, style: SetStyle) -> None:
        self._stats, self._target, self._style = stats, target, style

    def phrase(self, predicate: Predicate) -> str:
        if isinstance(predicate, AnyOf):
            merged = self._one_set(predicate.parts)
            return merged or "; or ".join(_told_once([self.phrase(part) for part in predicate.parts]))
        parts = predicate.parts if isinstance(predicate, AllOf) else (predicate,)
        here = [part for part in parts if _is_here(part)]
        around = [self._around(part) for part in parts if not _is_here(part)]
        if here:
            return " ".join([self._together(here), *around])
        if len(parts) == 1 and isinstance(parts[0], WeightedWords | Position):
            return around[0]
        return " ".join([self._anything(), *around])

    def _anything(self) -> str:
        """What to call a token of which nothing is said: a word, if firings are mostly words."""
        words = self._stats.words.word_of[self._target.strong] >= 0
        return "any word" if len(words) and words.mean() > 0.8 else "anything"

    def _one_set(self, parts: Sequence[Predicate]) -> str | None:
        """Sets of tokens and sets of words, either of which may hold, as one set."""
        if not all(isinstance(part, TokenIn | WordIn) for part in parts):
            return None
        tokens = [t for part in parts if isinstance(part, TokenIn) for t in part.tokens]
        words = [w for part in parts if isinstance(part, WordIn) for w in part.words]
        weight = dict(self._weights(Key.TOKEN))
        held = {t.strip().casefold() for t in tokens}
        for word, count in self._weights(Key.WORD).items():
            if word in words and word not in held:
                weight[f" {word}"] = count
        return self._style.tokens([*tokens, *(f" {w}" for w in words if w not in held)], weight)

    def _together(self, parts: Sequence[Predicate]) -> str:
        """One noun phrase for what is asked of the token itself: a set says more than a class of form."""
        pieces = [
            p
            for p in parts
            if isinstance(p, TokenIn) and all(kind_of(t) is TokenKind.PIECE for t in p.tokens)
        ]
        words = [p for p in parts if isinstance(p, WordIn)]
        if pieces and words:
            return f"{self._here(pieces[0])} in {self._here(words[0])}"
        sets = [p for p in parts if isinstance(p, TokenIn | WordIn)]
        if sets:
            return self._here(min(sets, key=lambda p: len(p.tokens if isinstance(p, TokenIn) else p.words)))
        said: list[str] = []
        for phrase in (self._here(part) for part in parts):
            if not _repeats(phrase, said):
                said.append(phrase)
        return " that is also ".join(said)

    def _here(self, part: Predicate, shift: int = 0) -> str:
        """A noun phrase for a condition on one token."""
        if isinstance(part, TokenIn):
            return self._style.tokens(part.tokens, self._weights(_KEYS[False, shift]))
        if isinstance(part, WordIn):
            return self._style.words(part.words, self._weights(_KEYS[True, shift]))
        if isinstance(part, TokenMatches | WordMatches):
            return self._form(part, shift)
        if isinstance(part, Not):
            return f"anything but {self._here(part.part, shift)}"
        return self.phrase(part)

    def _form(self, part: TokenMatches | WordMatches, shift: int) -> str:
        """The class of form, or its members where one or two of them carry nearly all."""
        of_words = isinstance(part, WordMatches)
        weight = self._weights(_KEYS[of_words, shift])
        fits = matching_entries(part.pattern, list(weight))
        inside = {name: count for (name, count), fit in zip(weight.items(), fits, strict=True) if fit}
        heavy = sorted(inside, key=lambda name: -inside[name])[:2]
        if not heavy or sum(inside[name] for name in heavy) < _DOMINANT * sum(inside.values()):
            return _FORMS.get(part.pattern, f"text like {part.pattern}")
        return self._style.words(heavy, inside) if of_words else self._style.tokens(heavy, inside)

    def _around(self, part: Predicate) -> str:
        """What a condition on the surroundings adds to a label."""
        if isinstance(part, Preceded):
            return f"after {self._here(part.by, -1)}{_reach(part.within)}"
        if isinstance(part, Followed):
            return f"before {self._here(part.by, 1)}{_reach(part.within)}"
        if isinstance(part, Not):
            return self._exception(part.part)
        if isinstance(part, WindowContains):
            shown = [self._style.forms.shown(word) for word in part.words]
            return f"near {examples(shown, min(4, self._style.shown))}"
        if isinstance(part, WeightedWords):
            return self._topic(part)
        return _place(part) if isinstance(part, Position) else f"where there is {self.phrase(part)}"

    def _exception(self, part: Predicate) -> str:
        """What a rule leaves out: two examples, since these are the values without weight."""
        inner = part.by if isinstance(part, Preceded | Followed) else part
        where = "after " if isinstance(part, Preceded) else "before " if isinstance(part, Followed) else ""
        if isinstance(inner, TokenIn):
            names = list(dict.fromkeys(_bare_name(token) for token in inner.tokens))
        elif isinstance(inner, WordIn):
            names = [quoted(self._style.forms.shown(word)) for word in inner.words]
        else:
            return f"(not {where}{self._here(inner)})"
        return f"(not {where}{', '.join([*names[:2], '…']) if len(names) > 3 else either(names)})"

    def _topic(self, part: WeightedWords) -> str:
        ordered = sorted(part.weights, key=lambda entry: -entry.weight)
        words = [entry.word for entry in ordered]
        namer: Namer | None = self._style.namer
        term = None if namer is None else namer(words[:8])
        shown = examples([self._style.forms.shown(word) for word in words], self._style.shown)
        return f"text about {term}: {shown}" if term else f"text with words such as {shown}"

    def _weights(self, key: Key) -> Mapping[str, float]:
        """How often each value of a key stands at strong firings."""
        values = self._stats.keys[key][self._target.strong]
        value, count = np.unique(values[values < self._stats.size(key) - 1], return_counts=True)
        out: dict[str, float] = {}
        for v, c in zip(value.tolist(), count.tolist(), strict=True):
            name = self._stats.name(key, v)
            out[name] = out.get(name, 0.0) + float(c)
        return out


def _is_here(part: Predicate) -> bool:
    """Whether a condition is about the token itself."""
    if isinstance(part, Not):
        return _is_here(part.part) and not isinstance(part.part, Not)
    return isinstance(part, TokenIn | TokenMatches | WordIn | WordMatches | AnyOf | AllOf)


def _bare_name(token: str) -> str:
    """A token inside a list: words in quotes, marks by name, white space roughly."""
    kind = kind_of(token)
    if kind is TokenKind.SPACE:
        return "a line break" if "\n" in token else "a space"
    return token_name(token) if kind is TokenKind.MARK else quoted(token.strip())


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
    cut = text[: longest - 2]
    while cut and (cut[-1] != " " or cut.count('"') % 2):
        cut = cut[:-1]
    kept = cut.rstrip(" ,;(") or text[: longest - 2]
    return kept + (" …)" if kept.count("(") > kept.count(")") else " …")


def _repeats(phrase: str, said: Sequence[str]) -> bool:
    """Whether an earlier phrase shares a long word's beginning: "capitalised" after "in capitals"."""
    stems = {word[:7] for word in phrase.split() if len(word) >= 7}
    return any(word[:7] in stems for earlier in said for word in earlier.split())
