"""String functions of the closed language: up to three operations, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, get_args

from pydantic import Field

from glossator.records import Record

OpName = Literal[
    "identity", "upper", "lower", "capitalize_words", "swap_case", "alternate_case", "reverse",
    "reverse_words", "reverse_each_word", "first_letter", "last_letter", "first_word", "last_word",
    "count_letters", "count_vowels", "count_words", "caesar_1", "caesar_3", "caesar_minus_1",
    "vowels_to_a", "vowels_to_star", "next_vowel", "remove_vowels", "remove_consonants", "remove_spaces",
    "spaces_to_underscores", "double_letters", "repeat_twice", "swap_ends", "swap_pairs", "sort_letters",
    "sort_words", "remove_first", "remove_last", "insert_x_in_middle", "prefix_un", "append_s",
    "remove_e", "e_to_3", "every_second", "rotate_left", "rotate_right", "drop_repeats", "mirror",
]  # fmt: skip

LONGEST = 400
"""Characters that any operation gives at most."""
_VOWELS = "aeiou"
_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)


class Op(NamedTuple):
    """One operation."""

    run: Callable[[str], str]
    say: str
    """In words, as a verb phrase."""


_NUMBERS = tuple(_NUMBER_WORDS.split())


def _number(n: int) -> str:
    return _NUMBERS[n] if n < len(_NUMBERS) else str(n)


def _shifted(text: str, by: int) -> str:
    def one(c: str) -> str:
        if not (c.isascii() and c.isalpha()):
            return c
        base = ord("a") if c.islower() else ord("A")
        return chr((ord(c) - base + by) % 26 + base)

    return "".join(map(one, text))


def _vowels(text: str, change: Callable[[str], str]) -> str:
    """`change` of each vowel, in the vowel's own case."""
    return "".join(_as(c, change(c.lower())) if c.lower() in _VOWELS else c for c in text)


def _as(model: str, text: str) -> str:
    return text.upper() if model.isupper() else text


def _words(text: str, change: Callable[[str], str]) -> str:
    return " ".join(change(w) for w in text.split(" "))


def _swapped_ends(text: str) -> str:
    return text[-1] + text[1:-1] + text[0] if len(text) > 1 else text


def _swapped_pairs(text: str) -> str:
    return "".join(text[i : i + 2][::-1] for i in range(0, len(text), 2))


def _alternating(text: str) -> str:
    return "".join(c.upper() if i % 2 == 0 else c.lower() for i, c in enumerate(text))


def _with_middle(text: str) -> str:
    middle = len(text) // 2
    return f"{text[:middle]}x{text[middle:]}"


OPS: Mapping[OpName, Op] = {
    "identity": Op(lambda s: s, "returns the text unchanged"),
    "upper": Op(str.upper, "makes all letters upper case"),
    "lower": Op(str.lower, "makes all letters lower case"),
    "capitalize_words": Op(lambda s: _words(s, str.capitalize), "capitalizes every word"),
    "swap_case": Op(str.swapcase, "swaps upper and lower case"),
    "alternate_case": Op(_alternating, "alternates upper and lower case, beginning with upper"),
    "reverse": Op(lambda s: s[::-1], "reverses the text"),
    "reverse_words": Op(lambda s: " ".join(s.split(" ")[::-1]), "reverses the order of the words"),
    "reverse_each_word": Op(lambda s: _words(s, lambda w: w[::-1]), "reverses each word in its place"),
    "first_letter": Op(lambda s: s[:1], "keeps the first character only"),
    "last_letter": Op(lambda s: s[-1:], "keeps the last character only"),
    "first_word": Op(lambda s: s.split(" ")[0], "keeps the first word only"),
    "last_word": Op(lambda s: s.split(" ")[-1], "keeps the last word only"),
    "count_letters": Op(lambda s: _number(sum(map(str.isalpha, s))), "says the number of letters as a word"),
    "count_vowels": Op(
        lambda s: _number(sum(c.lower() in _VOWELS for c in s)), "says the number of vowels as a word"
    ),
    "count_words": Op(lambda s: _number(len(s.split())), "says the number of words as a word"),
    "caesar_1": Op(lambda s: _shifted(s, 1), "moves each letter one on in the alphabet"),
    "caesar_3": Op(lambda s: _shifted(s, 3), "moves each letter three on in the alphabet"),
    "caesar_minus_1": Op(lambda s: _shifted(s, -1), "moves each letter one back in the alphabet"),
    "vowels_to_a": Op(lambda s: _vowels(s, lambda _: "a"), "replaces every vowel by a"),
    "vowels_to_star": Op(lambda s: _vowels(s, lambda _: "*"), "replaces every vowel by *"),
    "next_vowel": Op(
        lambda s: _vowels(s, lambda v: _VOWELS[(_VOWELS.index(v) + 1) % 5]),
        "replaces each vowel by the next vowel",
    ),
    "remove_vowels": Op(lambda s: _vowels(s, lambda _: ""), "removes the vowels"),
    "remove_consonants": Op(
        lambda s: "".join(c for c in s if not c.isalpha() or c.lower() in _VOWELS), "removes the consonants"
    ),
    "remove_spaces": Op(lambda s: s.replace(" ", ""), "removes the spaces"),
    "spaces_to_underscores": Op(lambda s: s.replace(" ", "_"), "replaces spaces by underscores"),
    "double_letters": Op(lambda s: "".join(c * 2 for c in s), "doubles every character"),
    "repeat_twice": Op(lambda s: s + s, "says the whole text twice"),
    "swap_ends": Op(_swapped_ends, "swaps the first and last character"),
    "swap_pairs": Op(_swapped_pairs, "swaps neighbouring characters in pairs"),
    "sort_letters": Op(lambda s: "".join(sorted(s)), "sorts the characters"),
    "sort_words": Op(lambda s: " ".join(sorted(s.split(" "))), "sorts the words"),
    "remove_first": Op(lambda s: s[1:], "removes the first character"),
    "remove_last": Op(lambda s: s[:-1], "removes the last character"),
    "insert_x_in_middle": Op(_with_middle, "inserts the letter x in the middle"),
    "prefix_un": Op(lambda s: f"un{s}", "puts un in front"),
    "append_s": Op(lambda s: f"{s}s", "adds the letter s at the end"),
    "remove_e": Op(lambda s: s.replace("e", "").replace("E", ""), "removes the letter e"),
    "e_to_3": Op(lambda s: s.replace("e", "3").replace("E", "3"), "replaces the letter e by 3"),
    "every_second": Op(lambda s: s[::2], "keeps every second character, beginning with the first"),
    "rotate_left": Op(lambda s: s[1:] + s[:1], "moves the first character to the end"),
    "rotate_right": Op(lambda s: s[-1:] + s[:-1], "moves the last character to the front"),
    "drop_repeats": Op(lambda s: "".join(dict.fromkeys(s)), "keeps only the first of equal characters"),
    "mirror": Op(lambda s: s + s[::-1], "adds the reversed text at the end"),
}  # fmt: skip
assert set(OPS) == set(get_args(OpName))


class StringForm(Record):
    """A string function."""

    kind: Literal["string"] = "string"
    ops: tuple[OpName, ...] = Field(min_length=1, max_length=3)
    """Applied in this order: the first one to the input."""

    def run(self, text: str) -> str:
        """The output to one text, at most `LONGEST` characters."""
        for name in self.ops:
            text = OPS[name].run(text)[:LONGEST]
        return text

    def answer(self, given: float | str) -> float | str:
        """The output to one input."""
        return self.run(str(given)[:LONGEST])

    def describe(self) -> str:
        """In words, in the order of work."""
        return ", then ".join(OPS[name].say for name in self.ops)
