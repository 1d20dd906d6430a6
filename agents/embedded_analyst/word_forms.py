"""Forms of one word: "expect", "expects", "expected" are one family."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from glossator.probes.word_table import WordTable

_IRREGULAR = """
be am is are was were been being's|have has had having|do does did done doing
go goes went gone going|say says said saying|get gets got gotten getting|make makes made making
take takes took taken taking|know knows knew known knowing|see sees saw seen seeing
come comes came coming|think thinks thought thinking|give gives gave given giving
find finds found finding|tell tells told telling|become becomes became becoming
leave leaves left leaving|feel feels felt feeling|bring brings brought bringing
begin begins began begun beginning|keep keeps kept keeping|hold holds held holding
write writes wrote written writing|stand stands stood standing|hear hears heard hearing
let lets letting|mean means meant meaning|meet meets met meeting|run runs ran running
pay pays paid paying|sit sits sat sitting|speak speaks spoke spoken speaking|lead leads led leading
grow grows grew grown growing|lose loses lost losing|fall falls fell fallen falling
send sends sent sending|build builds built building|understand understands understood
draw draws drew drawn drawing|break breaks broke broken breaking|spend spends spent spending
rise rises rose risen rising|drive drives drove driven driving|buy buys bought buying
wear wears wore worn wearing|choose chooses chose chosen choosing|throw throws threw thrown throwing
show shows showed shown showing|sell sells sold selling|win wins won winning
teach teaches taught teaching|fight fights fought fighting|catch catches caught catching
lie lies lay lain lying|seek seeks sought seeking|man men|woman women|child children|foot feet
tooth teeth|life lives|wife wives|person people|good better best|bad worse worst
"""
LEMMA = {
    form: family.split()[0]
    for line in _IRREGULAR.strip().splitlines()
    for family in line.split("|")
    for form in family.split()
}
_ENDINGS = (
    ("ies", "y"),
    ("ied", "y"),
    ("ying", "ie"),
    ("ing", ""),
    ("ing", "e"),
    ("ed", ""),
    ("ed", "e"),
    ("es", ""),
    ("es", "e"),
    ("s", ""),
    ("'s", ""),
    ("ly", ""),
    ("d", ""),
)
_SHORTEST = 3


class WordForms(NamedTuple):
    """The words of a text, and how each is mostly written."""

    known: frozenset[str]
    usual: Mapping[str, str]
    """The most frequent spelling of words that are mostly not written in lower case."""

    @classmethod
    def of(cls, words: WordTable) -> WordForms:
        """The forms of a split's words."""
        n = len(words.cased)
        count = np.bincount(words.cased_of[words.cased_of >= 0], minlength=n)
        usual: dict[str, str] = {}
        for i in np.argsort(count, kind="stable").tolist():
            usual[words.words[words.folded_of_cased[i]]] = words.cased[i]
        return cls(frozenset(words.words), {w: c for w, c in usual.items() if w != c})

    def shown(self, word: str) -> str:
        """A case-folded word as it is mostly written."""
        return self.usual.get(word, word)


def base_form(word: str, known: Container[str]) -> str:
    """The form under which a word is listed in a dictionary, as far as endings tell.

    Args:
        word: case-folded.
        known: words of the text; a base form is one of these.
    """
    if word in LEMMA:
        return LEMMA[word]
    for ending, instead in _ENDINGS:
        stem = word[: -len(ending)]
        if not word.endswith(ending) or len(stem) + len(instead) < _SHORTEST:
            continue
        if stem + instead in known:
            return stem + instead
        if ending in ("ing", "ed") and len(stem) > _SHORTEST and stem[-1] == stem[-2] and stem[:-1] in known:
            return stem[:-1]
    return word


def families(words: Iterable[str], known: Container[str]) -> dict[str, list[str]]:
    """Words by base form, both in order of first appearance."""
    out: dict[str, list[str]] = {}
    for word in words:
        out.setdefault(base_form(word, known), []).append(word)
    return out


def shared_beginning(words: list[str], least: int = 4) -> str | None:
    """The longest beginning that all of several words share, if it is long enough to mean something."""
    if len(words) < 2:
        return None
    first, last = min(words), max(words)
    n = 0
    while n < min(len(first), len(last)) and first[n] == last[n]:
        n += 1
    return first[:n] if n >= least else None
