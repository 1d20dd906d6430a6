"""Feature numbers and other numbers in a sentence, told apart."""

from __future__ import annotations

import re
from typing import NamedTuple

MOST_OF_RANGE = 64
"""Features that a range such as `0-40` may name; a longer one names its ends alone."""

_ID = re.compile(r"\b[a-z]-[0-9a-f]{4,12}\b")
_LIST = r"#?\d+(?:\s*(?:,|;|&|/|-|–|and|or|to|vs\.?|versus|with|through)\s*(?:and\s+|features?\s+)?#?\d+)*"
_FEATURES = re.compile(
    rf"\b(?:features?|latents?|neurons?|units?)\s*(?:numbers?\s*|nos?\.?\s*)?(?:[:=]\s*)?({_LIST})(?![\d.]*\.\d)"
    rf"|(?<!\w)#(\d+)\b",
    re.IGNORECASE,
)
_RANGE = re.compile(r"(\d+)\s*(?:-|–|to|through)\s*(\d+)")
_NUMBER = re.compile(
    r"(?<![\w.])[-−]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.])[-−]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
)


class SaidNumber(NamedTuple):
    """A number as it stands in a sentence."""

    value: float
    step: float
    """One in its last digit: 0.01 for `0.25`."""


def named_features(text: str) -> tuple[int, ...]:
    """Features that a sentence names: `feature 3`, `features 1, 2 and 5`, `features 0-9`, `#12`."""
    found: list[int] = []
    for match in _FEATURES.finditer(_ID.sub(" ", text)):
        found += numbers_of_list(match[1] or match[2])
    return tuple(dict.fromkeys(found))


def numbers_of_list(text: str) -> list[int]:
    """The whole numbers of a list, ranges written out."""
    found: list[int] = []
    at = 0
    for match in _RANGE.finditer(text):
        low, high = int(match[1]), int(match[2])
        if low < high and high - low < MOST_OF_RANGE:
            found += [*map(int, re.findall(r"\d+", text[at : match.start()])), *range(low, high + 1)]
            at = match.end()
    return [*found, *map(int, re.findall(r"\d+", text[at:]))]


def other_numbers(text: str) -> tuple[SaidNumber, ...]:
    """Numbers of a sentence that name no feature and are part of no id."""
    plain = _FEATURES.sub(" ", _ID.sub(" ", text))
    return tuple(_said(match.group()) for match in _NUMBER.finditer(plain))


def _said(text: str) -> SaidNumber:
    digits = text.replace(",", "").replace("−", "-")
    mantissa, _, exponent = digits.partition("e")
    decimals = len(mantissa.partition(".")[2])
    return SaidNumber(float(digits), 10.0 ** (int(exponent or 0) - decimals))


def agrees(said: SaidNumber, measured: float) -> bool:
    """Whether `said` is `measured` rounded, as it stands or as a percentage of it."""
    slack = said.step / 2 * (1 + 1e-6) + 1e-12
    return any(abs(said.value - measured * k) <= slack for k in (1.0, 100.0, 0.01))
