"""The kinds of functions, and how often each is drawn: FIND's proportions, or all alike."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """What a function is like."""

    NUMERIC_CLEAN = "numeric_clean"
    NUMERIC_COMPOSED = "numeric_composed"
    """Two functions, added or multiplied."""
    NUMERIC_EXCEPTION = "numeric_exception"
    """About constant on a stretch of the domain."""
    NUMERIC_NOISE = "numeric_noise"
    NUMERIC_APPROXIMATION = "numeric_approximation"
    """Straight pieces or a small network in place of the function."""
    STRING_SIMPLE = "string_simple"
    STRING_COMPOSED = "string_composed"
    """f1(f2(text))."""
    TEXT_ONE = "text_one"
    """Fires on one concept."""
    TEXT_TWO = "text_two"
    """Fires on two."""
    TEXT_EXCEPTION = "text_exception"
    """A concept, or a relation between words, without one of its parts."""


_NUMERIC, _STRING, _TEXT = 1000 / 2275, 1000 / 2275, 275 / 2275
_SIMPLE = 0.85 * _NUMERIC
RECIPE: Mapping[Kind, float] = {
    Kind.NUMERIC_CLEAN: _SIMPLE * 0.483,
    Kind.NUMERIC_COMPOSED: 0.15 * _NUMERIC,
    Kind.NUMERIC_EXCEPTION: _SIMPLE * 0.191,
    Kind.NUMERIC_NOISE: _SIMPLE * 0.176,
    Kind.NUMERIC_APPROXIMATION: _SIMPLE * 0.150,
    Kind.STRING_SIMPLE: 0.3 * _STRING,
    Kind.STRING_COMPOSED: 0.7 * _STRING,
    Kind.TEXT_ONE: _TEXT * 140 / 275,
    Kind.TEXT_TWO: _TEXT * 60 / 275,
    Kind.TEXT_EXCEPTION: _TEXT * 75 / 275,
}
"""Shares of the kinds in FIND; its compositions may be disturbed too, ours are not."""
