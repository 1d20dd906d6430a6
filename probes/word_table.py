"""The words of a token stream, and which word each token is part of.

A word is a maximal run of letters and digits, with apostrophes inside it ("don't"); an underscore
separates words, so the identifier `max_len` holds the words `max` and `len`. Words may span tokens
and never cross rows. A token that holds several words belongs to the first of them. A word stands
where its first token stands. Words are compared case-folded, with a straight apostrophe.

No Python object is made per token: each word is keyed by a 64-bit hash of its token ids, and text is
put together once per distinct key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np
from jaxtyping import Bool, Int

from glossator.probes.token_text import TokenText

_LETTER = r"[^\W_\u0300-\u036f][\u0300-\u036f]*"
WORD = re.compile(rf"(?:{_LETTER})+(?:['’](?:{_LETTER})+)*")
"""One word within a text; combining marks belong to the letter before them."""
_WORDISH = r"(?:[^\W_]|[\u0300-\u036f'’])"
_OPENS, _CLOSES = re.compile(rf"^{_WORDISH}"), re.compile(rf"{_WORDISH}\Z")
_ESCAPED = re.compile(r"<0x[0-9A-Fa-f]{2}>")


def fold(word: str) -> str:
    """The form in which words are compared."""
    return word.casefold().replace("’", "'")


@dataclass(frozen=True)
class WordTable:
    """Which word each token of a `TokenText` is part of."""

    word_of: Int[np.ndarray, " tokens"]
    """Index into `words`, case-folded; -1 where the token is part of no word; int32."""
    cased_of: Int[np.ndarray, " tokens"]
    """Index into `cased`; -1 where the token is part of no word; int32."""
    first: Bool[np.ndarray, " tokens"]
    """True at the first token of each word."""
    words: tuple[str, ...]
    """Distinct words, case-folded, sorted."""
    cased: tuple[str, ...]
    """Distinct words as written."""
    folded_of_cased: Int[np.ndarray, " cased"]
    """Index into `words` of each of `cased`."""
    matched: dict[tuple[str, str], Bool[np.ndarray, " entries"]] = field(default_factory=dict, repr=False)
    """What patterns matched, kept by `predicate_evaluation`."""

    @cached_property
    def number_of(self) -> dict[str, int]:
        """Index of each case-folded word."""
        return {word: i for i, word in enumerate(self.words)}


def words_of(text: TokenText) -> WordTable:
    """The words of `text`, segmented at the first call and kept with it."""
    kept = cast("WordTable | None", text.__dict__.get("_word_table"))
    if kept is None:
        kept = text.__dict__["_word_table"] = _segment(text)
    return kept


def _plain(token: str) -> str:
    """The token's text with pieces of characters as spaces: those are part of no word."""
    return _ESCAPED.sub(" ", token)


def _joined(text: TokenText) -> Bool[np.ndarray, " tokens"]:
    """True where a word may cross from the token before into this one."""
    n = len(text.vocabulary)
    opens, closes = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    for i in np.flatnonzero(np.bincount(text.ids, minlength=n) * ~text.vocabulary.special).tolist():
        token = _plain(text.vocabulary.texts[i])
        opens[i], closes[i] = (
            not token or bool(_OPENS.search(token)),
            not token or bool(_CLOSES.search(token)),
        )
    joined = np.zeros(len(text), dtype=bool)
    joined[1:] = closes[text.ids[:-1]] & opens[text.ids[1:]]
    joined[text.row_start[text.row_start < len(text)]] = False
    return joined


def _mixed(ids: Int[np.ndarray, " n"], offset: Int[np.ndarray, " n"]) -> np.ndarray:
    """A well-spread 64-bit number for each token id and its place in its word (splitmix64)."""
    x = (ids.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x += (offset.astype(np.uint64) + np.uint64(1)) * np.uint64(0xD1B54A32D192ED03)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _segment(text: TokenText) -> WordTable:
    """Chain the tokens that words may cross, and find the words of each distinct chain once."""
    n = len(text)
    if n == 0:
        none = np.zeros(0, dtype=np.int32)
        return WordTable(none, none, none.astype(bool), (), (), none)
    joined = _joined(text)
    start = np.flatnonzero(~joined)
    group = np.cumsum(~joined) - 1
    key = np.add.reduceat(_mixed(text.ids, np.arange(n) - start[group]), start)
    _, example, inverse = np.unique(key, return_index=True, return_inverse=True)
    stop = np.append(start[1:], n)
    spans = [(int(start[i]), int(stop[i])) for i in example]
    place, names = _named(text, spans)
    base = np.concatenate([[0], np.cumsum([b - a for a, b in spans])[:-1]])
    at = base[inverse[group]] + np.arange(n) - start[group]
    return _table(place[at, 0], place[at, 1] == 1, names)


def _named(
    text: TokenText, spans: list[tuple[int, int]]
) -> tuple[Int[np.ndarray, "places 2"], tuple[str, ...]]:
    """For each token of each distinct chain: the number of its word, and whether the word begins there."""
    cased: dict[str, int] = {}
    places: list[tuple[int, bool]] = []
    for a, b in spans:
        for word, first in _chain_words(_texts(text, a, b)):
            places.append((-1 if word is None else cased.setdefault(word, len(cased)), first))
    return np.array(places, dtype=np.int32), tuple(cased)


def _table(
    cased_of: Int[np.ndarray, " tokens"], first: Bool[np.ndarray, " tokens"], cased: tuple[str, ...]
) -> WordTable:
    folded = [fold(word) for word in cased]
    words = tuple(sorted(set(folded)))
    number = {word: i for i, word in enumerate(words)}
    folded_of_cased = np.array([number[w] for w in folded], dtype=np.int32)
    word_of = np.append(folded_of_cased, np.int32(-1))[cased_of]
    return WordTable(word_of, cased_of, first, words, cased, folded_of_cased)


def _texts(text: TokenText, a: int, b: int) -> list[str]:
    special, texts = text.vocabulary.special, text.vocabulary.texts
    return [" " if special[i] else _plain(texts[i]) for i in text.ids[a:b].tolist()]


def _chain_words(tokens: list[str]) -> list[tuple[str | None, bool]]:
    """For each token of a chain: the first word that it is part of, and whether that begins here."""
    out: list[tuple[str | None, bool]] = []
    found = list(WORD.finditer("".join(tokens)))
    at, begin = 0, 0
    for token in tokens:
        end = begin + len(token)
        while at < len(found) and found[at].end() <= begin:
            at += 1
        here = found[at] if token and at < len(found) and found[at].start() < end else None
        out.append((here.group() if here else None, here is not None and here.start() >= begin))
        begin = end
    return out
