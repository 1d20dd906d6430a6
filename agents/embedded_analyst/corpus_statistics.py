"""What the analyst computes once for a split and uses for every feature.

Each token of the stream gets a few *keys*: small integers for the token, its word, and those of its
neighbours. A set of key values is then a rule ("the token is one of these", "the word before is one of
those"), and counting how often each value meets a firing is enough to find the best set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
import re2
from jaxtyping import Bool, Float, Int

from glossator.agents.embedded_analyst.token_classes import TOKEN_CLASSES, WORD_CLASSES, FormClass
from glossator.probes.token_text import TokenText
from glossator.probes.word_table import WordTable, words_of


class Key(StrEnum):
    """What a rule looks at."""

    TOKEN = "token"
    WORD = "word"
    PREVIOUS = "previous token"
    PREVIOUS_WORD = "previous word"
    NEXT = "next token"
    NEXT_WORD = "next word"

    @property
    def of_words(self) -> bool:
        """Whether its values are words rather than tokens."""
        return self in (Key.WORD, Key.PREVIOUS_WORD, Key.NEXT_WORD)

    @property
    def shift(self) -> int:
        """Where it looks: 0 here, -1 at the token before, 1 at the token after."""
        return {"p": -1, "n": 1}.get(self.value[0], 0)


@dataclass(frozen=True)
class CorpusStatistics:
    """Keys and counts over one split."""

    text: TokenText
    words: WordTable

    @classmethod
    def over(cls, text: TokenText) -> CorpusStatistics:
        """Statistics of a split's text."""
        return cls(text, words_of(text))

    @cached_property
    def keys(self) -> dict[Key, Int[np.ndarray, " tokens"]]:
        """Each key at each token; the last value of a key stands for "none"."""
        none_token, none_word = len(self.text.vocabulary), len(self.words.words)
        token = self.text.ids.astype(np.int32)
        word = np.where(self.words.word_of < 0, none_word, self.words.word_of).astype(np.int32)
        return {
            Key.TOKEN: token,
            Key.WORD: word,
            Key.PREVIOUS: self._shifted(token, -1, none_token),
            Key.PREVIOUS_WORD: self._shifted(word, -1, none_word),
            Key.NEXT: self._shifted(token, 1, none_token),
            Key.NEXT_WORD: self._shifted(word, 1, none_word),
        }

    def size(self, key: Key) -> int:
        """How many values the key has, "none" included."""
        return (len(self.words.words) if key.of_words else len(self.text.vocabulary)) + 1

    def _shifted(self, values: Int[np.ndarray, " tokens"], by: int, none: int) -> Int[np.ndarray, " tokens"]:
        out = np.full(len(values), none, dtype=np.int32)
        begins = self.text.row_start[self.text.row_start < len(values)]
        if by < 0:
            out[1:] = values[:-1]
            out[begins] = none
        else:
            out[:-1] = values[1:]
            out[begins[begins > 0] - 1] = none
        return out

    @cached_property
    def counts(self) -> dict[Key, Int[np.ndarray, " values"]]:
        """How often each key value occurs at eligible tokens."""
        eligible = self.text.eligible
        return {k: np.bincount(v[eligible], minlength=self.size(k)) for k, v in self.keys.items()}

    @cached_property
    def n_eligible(self) -> int:
        """Tokens that may be evidence."""
        return int(self.text.eligible.sum())

    @cached_property
    def place(self) -> Int[np.ndarray, " tokens"]:
        """Each token's place in its row."""
        return np.arange(len(self.text)) - self.text.row_start[self.text.row_of]

    @cached_property
    def token_members(self) -> Bool[np.ndarray, "entries classes"]:
        """Which token classes each vocabulary entry that occurs is in; the last row is "none"."""
        n = len(self.text.vocabulary)
        present = np.flatnonzero(np.bincount(self.text.ids, minlength=n)).tolist()
        texts = self.text.vocabulary.texts
        return _memberships(TOKEN_CLASSES, [texts[i] for i in present], np.array(present), n + 1)

    @cached_property
    def word_members(self) -> Bool[np.ndarray, "entries classes"]:
        """Which word classes each cased word is in; the last row is "none"."""
        n = len(self.words.cased)
        return _memberships(WORD_CLASSES, self.words.cased, np.arange(n), n + 1)

    @cached_property
    def token_columns(self) -> Float[np.ndarray, "entries classes"]:
        """`token_members` as numbers to add up."""
        return self.token_members.astype(np.float32)

    @cached_property
    def word_columns(self) -> Float[np.ndarray, "entries classes"]:
        """`word_members` as numbers to add up."""
        return self.word_members.astype(np.float32)

    @cached_property
    def _entries(self) -> dict[tuple[bool, int], Int[np.ndarray, " tokens"]]:
        token, cased = self.text.ids.astype(np.int32), self.cased
        none = {False: len(self.text.vocabulary), True: len(self.words.cased)}
        here = {False: token, True: cased}
        return {
            (w, s): here[w] if s == 0 else self._shifted(here[w], s, none[w])
            for w in here
            for s in (0, -1, 1)
        }

    def shifted_entry(self, of_words: bool, shift: int) -> Int[np.ndarray, " tokens"]:
        """The row of `word_members` or `token_members` for the token at `shift` from each."""
        return self._entries[of_words, shift]

    @cached_property
    def cased(self) -> Int[np.ndarray, " tokens"]:
        """The cased word of each token, or one past the last."""
        return np.where(self.words.cased_of < 0, len(self.words.cased), self.words.cased_of).astype(np.int32)

    def name(self, key: Key, value: int) -> str:
        """The token or word behind a key value; raises IndexError for "none"."""
        return self.words.words[value] if key.of_words else self.text.vocabulary.texts[value]


def _memberships(
    classes: Sequence[FormClass], texts: Sequence[str], at: Int[np.ndarray, " texts"], width: int
) -> Bool[np.ndarray, "width classes"]:
    """All classes of each text in one pass."""
    options = re2.Options()
    options.log_errors = False
    patterns = re2.Set.SearchSet(options)
    for form in classes:
        patterns.Add(form.pattern)
    patterns.Compile()
    out = np.zeros((width, len(classes)), dtype=bool)
    for i, text in zip(at.tolist(), texts, strict=True):
        for k in patterns.Match(text.encode("utf-8", "replace")) or ():
            out[i, k] = True
    return out
