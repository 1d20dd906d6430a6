"""The words that a label is about, and the words that test whether it is about their letters."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from glossator.agents.scorers.held_tokens import HeldTokens
from glossator.agents.scorers.interventions.word_neighbours import (
    SIMILAR,
    Similarity,
    apart_in_meaning,
    lexical_neighbours_of,
    same_family,
    semantic_neighbours_of,
    shares_letters,
)
from glossator.agents.scorers.interventions.word_occurrences import (
    Occurrences,
    occurrences,
    reach_of,
    word_rules,
)
from glossator.agents.scorers.room import ScoringRoom
from glossator.probes.predicate_evaluation import evaluate
from glossator.probes.split_view import OpenView
from glossator.probes.word_table import WORD, fold, words_of
from glossator.records import AnyOf, Explanation, Predicate, TokenIn

MOST_CONCEPT, MOST_SEMANTIC, MOST_CONTROL = 12, 12, 200
MOST_LEXICAL, MOST_EACH, LEAST_EACH = 36, 18, 6
"""Lexical neighbours of all concept words together, and of one: with fewer concept words each gets more."""
LEAST_SHARE = 0.05
"""Words on which the feature fires less than this share of how often it does on the first are accidents."""
_CONSIDERED = 48
_USUAL = 500
"""Frequent words among which semantic neighbours are looked for: embedding all would take minutes."""


class TestWords(NamedTuple):
    """Words of `explore` and `validate` alone, so that naming them gives nothing sealed away."""

    __test__ = False

    concept: tuple[str, ...]
    """What the label is about and the feature fires on, most firings first."""
    lexical: dict[str, tuple[str, ...]]
    """Lexical neighbours by the concept word whose letters they share; a word stands under one only."""
    semantic: tuple[str, ...]
    """Words near in meaning that share no letters; empty without a similarity."""
    control: tuple[str, ...]
    """Frequent words that are neither."""
    reach: int
    """Tokens after a word at which a firing counts as its own."""
    forms: dict[str, str]
    """How words are mostly written after a space; words that never stand after one are left out."""

    @property
    def lexical_words(self) -> tuple[str, ...]:
        """All lexical neighbours."""
        return tuple(word for words in self.lexical.values() for word in words)


class _Vocabulary(NamedTuple):
    """Words of both open splits, most frequent first."""

    words: tuple[str, ...]
    satisfied: frozenset[str]
    """Those at which the label holds: anywhere, or in most places for a label about what stands before."""
    forms: dict[str, str]


def choose_test_words(
    room: ScoringRoom, explanation: Explanation, similarity: Similarity | None
) -> TestWords:
    """The words of the lexical-neighbour test.

    Raises:
        UserError: the predicate cannot be evaluated.
    """
    reach = reach_of(explanation.predicate)
    concept = _concept(room, explanation, similarity, reach)
    vocabulary = _vocabulary(room, explanation, reach)
    named = {fold(w) for w in WORD.findall(explanation.text)} if explanation.predicate is None else set[str]()
    barred = {*concept, *vocabulary.satisfied, *named}
    known = frozenset(vocabulary.words)
    each = min(MOST_EACH, max(LEAST_EACH, MOST_LEXICAL // max(1, len(concept))))
    lexical, taken = dict[str, tuple[str, ...]](), set(barred)
    for word in concept:
        alike = lexical_neighbours_of(word, vocabulary.words, taken, known, _CONSIDERED)
        # A form of another concept word means what that word means.
        apart = set(apart_in_meaning(_no_forms(alike, concept, known), concept, similarity, known))
        chosen = tuple(w for w in vocabulary.words if w in apart)[:each]
        taken.update(chosen)
        lexical |= {word: chosen} if chosen else {}
    usual = [w for w in vocabulary.words if w.isalpha() and len(w) > 2][:_USUAL]
    semantic = semantic_neighbours_of(concept, usual, taken, similarity, MOST_SEMANTIC)
    control = [
        w for w in usual if w not in {*taken, *semantic} and not any(shares_letters(w, c) for c in concept)
    ]
    return TestWords(
        tuple(concept), lexical, tuple(semantic), tuple(control[:MOST_CONTROL]), reach, vocabulary.forms
    )


def _no_forms(words: list[str], concept: list[str], known: frozenset[str]) -> list[str]:
    return [w for w in words if not any(same_family(w, c, known) for c in concept)]


def _concept(
    room: ScoringRoom, explanation: Explanation, similarity: Similarity | None, reach: int
) -> list[str]:
    """Words that the label names and on which the feature fires on `explore`, most firings first."""
    feature, threshold = explanation.feature.index, room.strong_threshold(explanation.feature)
    seen = occurrences(room.explore, feature, threshold, reach)
    fired = seen.counts(seen.fires)
    order = [int(i) for i in np.argsort(-fired, kind="stable") if fired[int(i)]]
    firing = [seen.words[i] for i in order]
    if explanation.predicate is not None:
        rules = word_rules(explanation.predicate)
        named = _named(room.explore, AnyOf(parts=rules[:16]), feature, threshold) if rules else set[str]()
        # A token such as `at` also stands inside words (`Saratoga`): the label is about the word itself.
        named = named & {fold(t.strip()) for r in rules if isinstance(r, TokenIn) for t in r.tokens} or named
    else:
        often = 2 * fired > seen.counts()
        texts = {fold(w) for w in WORD.findall(explanation.text)}
        named = {seen.words[i] for i in order if often[i]} & texts
        if not named and similarity is not None and firing:
            near = similarity(firing[:_CONSIDERED], [explanation.text])[:, 0]
            named = {w for w, n in zip(firing, near.tolist(), strict=False) if n >= SIMILAR}
        named = named or {seen.words[i] for i in order if often[i]}
    chosen = [i for i in order if seen.words[i] in named and seen.words[i].isalpha()]
    return [seen.words[i] for i in chosen if fired[i] >= LEAST_SHARE * fired[chosen[0]]][:MOST_CONCEPT]


def _named(view: OpenView, rule: Predicate, feature: int, threshold: float) -> set[str]:
    """Words on whose own tokens the rule holds in more than half of the places where they stand."""
    seen = occurrences(view, feature, threshold, 0)
    return _mostly(seen, HeldTokens(evaluate(rule, view.text), view.text).anywhere_in(seen.spans))


def _mostly(seen: Occurrences, held: Bool[np.ndarray, " occurrences"], share: float = 0.5) -> set[str]:
    often: Int[np.ndarray, " words"] = np.flatnonzero(seen.counts(held) > share * seen.counts())
    return {seen.words[int(i)] for i in often}


def _vocabulary(room: ScoringRoom, explanation: Explanation, reach: int) -> _Vocabulary:
    count, satisfied = Counter[str](), set[str]()
    written = dict[str, Counter[str]]()
    views: tuple[OpenView, ...] = (room.explore, room.validate)
    for view in views:
        seen = occurrences(view, explanation.feature.index, 0.0, reach)
        count.update(dict(zip(seen.words, seen.counts().tolist(), strict=True)))
        _count_forms(view, seen, written)
        if explanation.predicate is not None:
            held = HeldTokens(evaluate(explanation.predicate, view.text), view.text)
            satisfied |= _mostly(seen, held.anywhere_in(seen.spans), 0.5 if reach else 0.0)
    ordered = sorted((w for w, n in count.items() if n), key=lambda w: (-count[w], w))
    forms = {word: found.most_common(1)[0][0] for word, found in written.items()}
    return _Vocabulary(tuple(ordered), frozenset(satisfied), forms)


def _count_forms(view: OpenView, seen: Occurrences, written: dict[str, Counter[str]]) -> None:
    """Spellings of words after a space: so they stand in a sentence, cut into the same tokens."""
    text, table = view.text, words_of(view.text)
    spaced = np.array([t.startswith(" ") for t in text.vocabulary.texts], dtype=bool)
    start = seen.spans.start[spaced[text.ids[seen.spans.start]]]
    numbers, counts = np.unique(table.cased_of[start], return_counts=True)
    for number, n in zip(numbers.tolist(), counts.tolist(), strict=True):
        word = table.words[int(table.folded_of_cased[number])]
        written.setdefault(word, Counter())[table.cased[number]] += n
