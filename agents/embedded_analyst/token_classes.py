"""Classes of tokens and words by their form: a pattern, and how a person would name it.

Patterns are RE2. A token's pattern sees its text with the leading space; a word's sees the whole word
with its case kept.
"""

from __future__ import annotations

from typing import NamedTuple


class FormClass(NamedTuple):
    """A class of tokens or words."""

    pattern: str
    """What its members' texts match."""
    phrase: str
    """One of them, in words: `a capitalised word`."""


_SUFFIXES = [
    "ing",
    "ed",
    "ly",
    "tion",
    "s",
    "es",
    "er",
    "ers",
    "est",
    "ness",
    "ment",
    "able",
    "ible",
    "ous",
    "ity",
    "ism",
    "ist",
    "al",
    "ic",
    "ive",
    "ful",
    "less",
    "ence",
    "ance",
    "ian",
    "ary",
    "ure",
    "th",
    "y",
    "'s",
    "n't",
    "'ll",
    "'re",
    "'ve",
    "'d",
]
_PREFIXES = [
    "un",
    "re",
    "pre",
    "dis",
    "in",
    "con",
    "com",
    "pro",
    "sub",
    "inter",
    "over",
    "under",
    "non",
    "ex",
    "de",
]

TOKEN_CLASSES: tuple[FormClass, ...] = (
    FormClass(r"^ ?[0-9]$", "a single digit"),
    FormClass(r"[0-9]", "a digit"),
    FormClass(r"^ ?[A-Z][a-z]+$", "a capitalised word"),
    FormClass(r"^ [A-Z]", "a word that begins with a capital"),
    FormClass(r"^ [a-z]", "a lower-case word"),
    FormClass(r"^[A-Z][a-z]*$", "a capitalised word at the start of a line or after a mark"),
    FormClass(r"^[a-z]+$", "a word piece that continues a word"),
    FormClass(r"^ ?[A-Z]{2,}$", "a word in capitals"),
    FormClass(r"^ ?[A-Z]$", "a single capital letter"),
    FormClass(r"^ ?[A-Za-z]$", "a single letter"),
    FormClass(r"^\n+$", "a line break"),
    FormClass(r"^\n\n", "a blank line"),
    FormClass(r"^\s+$", "white space"),
    FormClass(r"^ +$", "indentation"),
    FormClass(r"^ {3,}$", "deep indentation"),
    FormClass(r"^\t+$", "a tab"),
    FormClass(r"^ ?[.!?]+$", "the end of a sentence"),
    FormClass(r"^ ?,$", "a comma"),
    FormClass(r"^ ?[;:]$", "a colon or semicolon"),
    FormClass(r'^ ?["“”]+$', "a quotation mark"),
    FormClass(r'["“”\'’]', "a quote or apostrophe"),
    FormClass(r"[(\[{]", "an opening bracket"),
    FormClass(r"[)\]}]", "a closing bracket"),
    FormClass(r"^ ?-+$", "a dash"),
    FormClass(r"[=<>+*/%&|^~!]", "an operator sign"),
    FormClass(r"_", "an underscore"),
    FormClass(r"[#@$\\`]", "a code mark such as # or @"),
    FormClass(r"^[^A-Za-z0-9\s]+$", "a punctuation mark without a space before it"),
    FormClass(r"^ ?[^A-Za-z0-9\s]+$", "a punctuation mark"),
    FormClass(r"^ ?[^A-Za-z0-9\s]{2,}$", "several punctuation marks in a row"),
    FormClass(r"[^\x00-\x7f]", "a character outside plain ASCII"),
    *(
        FormClass(f"^ [a-z]+{suffix}$", f'a lower-case word ending in "{suffix}"')
        for suffix in ("ing", "ed", "ly")
    ),
)

WORD_CLASSES: tuple[FormClass, ...] = (
    *(FormClass(f"(?i).{suffix}$", f'a word ending in "{suffix}"') for suffix in _SUFFIXES),
    *(FormClass(f"(?i)^{prefix}..", f'a word beginning with "{prefix}"') for prefix in _PREFIXES),
    *(
        FormClass(f"(?i)^{letter}", f'a word beginning with "{letter}"')
        for letter in "abcdefghijklmnopqrstuvwxyz"
    ),
    FormClass(r"^[A-Z][a-z]+$", "a capitalised word"),
    FormClass(r"^[A-Z]{2,}$", "a word in capitals"),
    FormClass(r"^[0-9]+$", "a number"),
    FormClass(r"^(1[0-9]|20)[0-9][0-9]$", "a year"),
    FormClass(r"[a-z][A-Z]", "a camelCase identifier"),
    FormClass(r"[a-zA-Z][0-9]|[0-9][a-zA-Z]", "letters and digits mixed"),
    FormClass(
        r"(?i)^([0-9]+(st|nd|rd|th)|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)$",
        "an ordinal number",
    ),
    FormClass(
        r"(?i)^(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty"
        r"|forty|fifty|sixty|hundred|thousand|million|billion|dozen|half)$",
        "a number in words",
    ),
)
