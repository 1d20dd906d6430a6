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
    r"(?<![\w.])(?P<digits>[-−]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[-−]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)"
    r"(?P<percent>\s?(?:%|percent|per cent))?"
)


class SaidNumber(NamedTuple):
    """A number as it stands in a sentence."""

    value: float
    step: float
    """One in its last digit: 0.01 for `0.25`."""
    percent: bool = False
    """A share, said as so many of a hundred."""


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
    return all_numbers(_FEATURES.sub(" ", text))


def all_numbers(text: str) -> tuple[SaidNumber, ...]:
    """Numbers of a sentence that are part of no id, those of features among them."""
    return tuple(_said(match) for match in _NUMBER.finditer(_ID.sub(" ", text)))


def _said(match: re.Match[str]) -> SaidNumber:
    digits = match["digits"].replace(",", "").replace("−", "-")
    mantissa, _, exponent = digits.partition("e")
    decimals = len(mantissa.partition(".")[2])
    step = 10.0 ** min(300, int(exponent or 0) - decimals)
    return SaidNumber(float(digits), step, match["percent"] is not None)


def agrees(said: SaidNumber, measured: SaidNumber) -> bool:
    """Whether `said` is `measured` rounded; a share may stand as such or as a percentage."""
    scale = 1.0 if said.percent == measured.percent else 100.0 if said.percent else 0.01
    return abs(said.value - measured.value * scale) <= said.step / 2 * (1 + 1e-6) + 1e-12
