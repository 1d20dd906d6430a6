"""Flags features that the current token, or it and the one before, explain on their own."""

from __future__ import annotations

from collections.abc import Iterator

from glossator.agents.embedded_analyst.rule_choice import Tried
from glossator.records import (
    AllOf,
    AnyOf,
    ExplanationFlag,
    Not,
    Preceded,
    Predicate,
    TokenIn,
    TokenMatches,
    WordIn,
    WordMatches,
)

EXPLAINED = 0.7
"""F1 on validate from which a rule explains a feature."""


def trivial_flags(tried: list[Tried]) -> Iterator[ExplanationFlag]:
    """The flag of the simplest kind of rule that explains the feature, if any does."""
    for reach, flag in ((0, ExplanationFlag.TOKEN_TRIVIAL), (1, ExplanationFlag.BIGRAM_TRIVIAL)):
        if any(one.score.f1 >= EXPLAINED and tokens_back(one.predicate) <= reach for one in tried):
            yield flag
            return


def tokens_back(predicate: Predicate) -> int:
    """How many tokens before the current one a rule looks at; 99 if it looks elsewhere."""
    if isinstance(predicate, TokenIn | TokenMatches | WordIn | WordMatches):
        return 0
    if isinstance(predicate, Preceded):
        return predicate.within + tokens_back(predicate.by)
    if isinstance(predicate, AllOf | AnyOf):
        return max(tokens_back(part) for part in predicate.parts)
    return tokens_back(predicate.part) if isinstance(predicate, Not) else 99
