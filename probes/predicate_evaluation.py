"""Runs a predicate over a token stream, saying of every token whether it holds there.

Everything is looked up, shifted or summed: a pattern is matched once per distinct token or word by
RE2 (https://github.com/google/re2, linear in the text), a neighbourhood is a difference of cumulative
sums. Nothing crosses a row. Sums of weights are compared with a tolerance of 1e-9 of their scale,
so that a sum that equals the threshold on paper satisfies it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import re2
from jaxtyping import Bool, Float, Int

from glossator.errors import UserError
from glossator.probes.token_text import TokenText
from glossator.probes.word_table import WordTable, fold, words_of
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

_KEPT_PATTERNS = 256


def evaluate(
    predicate: Predicate, text: TokenText, words: WordTable | None = None
) -> Bool[np.ndarray, " tokens"]:
    """Where `predicate` holds in `text`.

    Args:
        predicate: what to evaluate.
        text: the token stream.
        words: its words; segmented and kept with the text if not given.

    Raises:
        UserError: if a pattern is not one that RE2 reads.
    """
    table = words_of(text) if words is None else words
    return _RULES[predicate.kind](predicate, text, table)


def held_within(
    held: Bool[np.ndarray, " tokens"], text: TokenText, before: int, after: int, itself: bool = True
) -> Bool[np.ndarray, " tokens"]:
    """Where `held` is true at any of the `before` tokens before, the `after` tokens after, or here."""
    if not itself and before + after == 1:
        return _shifted(held, text, before)
    total = np.zeros(len(text) + 1, dtype=np.int32)
    np.cumsum(held, out=total[1:])
    low, high = _bounds(text, before, after)
    found = total[high] - total[low]
    return found > 0 if itself else found - held > 0


def _shifted(held: Bool[np.ndarray, " tokens"], text: TokenText, before: int) -> Bool[np.ndarray, " tokens"]:
    """Where the token directly before (`before` 1) or after (`before` 0) is held."""
    out = np.zeros(len(text), dtype=bool)
    begins = text.row_start[text.row_start < len(text)]
    if before:
        out[1:] = held[:-1]
        out[begins] = False
    else:
        out[:-1] = held[1:]
        out[begins[begins > 0] - 1] = False
    return out


def _bounds(
    text: TokenText, before: int, after: int
) -> tuple[Int[np.ndarray, " tokens"], Int[np.ndarray, " tokens"]]:
    """First token and the one after the last of each token's neighbourhood, inside its row."""
    kept = cast("tuple[np.ndarray, np.ndarray, np.ndarray] | None", text.__dict__.get("_row_bounds"))
    if kept is None:
        here = np.arange(len(text), dtype=np.int32)
        bounds = text.row_start.astype(np.int32)
        kept = text.__dict__["_row_bounds"] = (here, bounds[text.row_of], bounds[text.row_of + 1])
    here, begin, end = kept
    low = np.maximum(here - np.int32(before), begin)
    high = np.minimum(here + np.int32(after + 1), end) if after else here + np.int32(1)
    return low, high


def summed_within(
    weight: Float[np.ndarray, " tokens"], text: TokenText, before: int, after: int
) -> Float[np.ndarray, " tokens"]:
    """The sum of `weight` over each token's neighbourhood, itself included; float64."""
    total = np.zeros(len(text) + 1, dtype=np.float64)
    np.cumsum(weight, out=total[1:])
    low, high = _bounds(text, before, after)
    return total[high] - total[low]


def matching_entries(
    pattern: str, entries: Sequence[str], present: Int[np.ndarray, " n"] | None = None
) -> np.ndarray:
    """Which of `entries` hold a match of `pattern`; those not `present` are left False.

    Raises:
        UserError: if RE2 does not read the pattern.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as exc:
        reason = exc.args[0].decode(errors="replace") if exc.args and isinstance(exc.args[0], bytes) else exc
        raise UserError(
            f"not a pattern: {pattern!r} ({reason}); patterns are RE2: no look-around, no back-references"
        ) from exc
    search = compiled.search
    out = np.zeros(len(entries), dtype=bool)
    for i in range(len(entries)) if present is None else present.tolist():
        out[i] = search(entries[i].encode("utf-8", "replace")) is not None
    return out


def _pattern(
    words: WordTable, what: str, pattern: str, match: Callable[[], np.ndarray]
) -> Bool[np.ndarray, " entries"]:
    """What `match` finds, kept with the table; the oldest of many patterns is dropped."""
    kept = words.matched.get((what, pattern))
    if kept is None:
        while len(words.matched) >= _KEPT_PATTERNS:
            words.matched.pop(next(iter(words.matched)))
        kept = words.matched[what, pattern] = match()
    return kept


def _token_in(p: TokenIn, text: TokenText, words: WordTable) -> np.ndarray:
    wanted = set(p.tokens)
    texts = text.vocabulary.texts
    ids = _token_numbers(text)
    hit = np.zeros(len(texts), dtype=bool)
    for token in wanted:
        hit[ids.get(token, [])] = True
    return hit[text.ids]


def _token_numbers(text: TokenText) -> dict[str, list[int]]:
    """Ids by token text (several tokens may read the same), kept with the vocabulary."""
    kept = cast("dict[str, list[int]] | None", text.vocabulary.__dict__.get("_ids_by_text"))
    if kept is None:
        kept = {}
        for i, token in enumerate(text.vocabulary.texts):
            kept.setdefault(token, []).append(i)
        text.vocabulary.__dict__["_ids_by_text"] = kept
    return kept


def _token_matches(p: TokenMatches, text: TokenText, words: WordTable) -> np.ndarray:
    def match() -> np.ndarray:
        present = np.flatnonzero(np.bincount(text.ids, minlength=len(text.vocabulary)))
        return matching_entries(p.pattern, text.vocabulary.texts, present)

    return _pattern(words, "token", p.pattern, match)[text.ids]


def _by_word(
    hit: Bool[np.ndarray, " words"], word_of: Int[np.ndarray, " tokens"]
) -> Bool[np.ndarray, " tokens"]:
    return np.append(hit, False)[word_of]


def _listed(listed: Sequence[str], words: WordTable) -> Bool[np.ndarray, " words"]:
    hit = np.zeros(len(words.words), dtype=bool)
    numbers = words.number_of
    hit[[numbers[w] for w in map(fold, listed) if w in numbers]] = True
    return hit


def _word_in(p: WordIn, text: TokenText, words: WordTable) -> np.ndarray:
    return _by_word(_listed(p.words, words), words.word_of)


def _word_matches(p: WordMatches, text: TokenText, words: WordTable) -> np.ndarray:
    hit = _pattern(words, "word", p.pattern, lambda: matching_entries(p.pattern, words.cased))
    return _by_word(hit, words.cased_of)


def _preceded(p: Preceded, text: TokenText, words: WordTable) -> np.ndarray:
    return held_within(evaluate(p.by, text, words), text, p.within, 0, itself=False)


def _followed(p: Followed, text: TokenText, words: WordTable) -> np.ndarray:
    return held_within(evaluate(p.by, text, words), text, 0, p.within, itself=False)


def _window_contains(p: WindowContains, text: TokenText, words: WordTable) -> np.ndarray:
    standing = _by_word(_listed(p.words, words), words.word_of) & words.first
    return held_within(standing, text, p.before, p.after)


def _weighted_words(p: WeightedWords, text: TokenText, words: WordTable) -> np.ndarray:
    weight = np.zeros(len(words.words) + 1)
    for entry in p.weights:
        number = words.number_of.get(fold(entry.word))
        if number is not None:
            weight[number] += entry.weight
    scale = max(max(abs(entry.weight) for entry in p.weights), abs(p.threshold), 1e-300)
    standing = np.where(words.first, weight[words.word_of] / scale, 0.0)
    return summed_within(standing, text, p.before, p.after) >= p.threshold / scale - 1e-9


def _position(p: Position, text: TokenText, words: WordTable) -> np.ndarray:
    place = np.arange(len(text)) - text.row_start[text.row_of]
    held = place >= p.at_least
    return held if p.at_most is None else held & (place <= p.at_most)


def _all_of(p: AllOf, text: TokenText, words: WordTable) -> np.ndarray:
    return np.logical_and.reduce([evaluate(part, text, words) for part in p.parts])


def _any_of(p: AnyOf, text: TokenText, words: WordTable) -> np.ndarray:
    return np.logical_or.reduce([evaluate(part, text, words) for part in p.parts])


def _not(p: Not, text: TokenText, words: WordTable) -> np.ndarray:
    return ~evaluate(p.part, text, words)


_Rule = Callable[[object, TokenText, WordTable], np.ndarray]
_RULES = cast(
    "dict[str, _Rule]",
    {
        "token_in": _token_in,
        "token_matches": _token_matches,
        "word_in": _word_in,
        "word_matches": _word_matches,
        "preceded": _preceded,
        "followed": _followed,
        "window_contains": _window_contains,
        "weighted_words": _weighted_words,
        "position": _position,
        "all_of": _all_of,
        "any_of": _any_of,
        "not": _not,
    },
)
