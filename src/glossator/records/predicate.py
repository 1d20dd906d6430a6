"""The closed language in which an explanation can be executed.

A predicate says, of every token of a text, whether the feature fires there. It is data, never code:
patterns run on RE2, whose time is linear in the text (https://github.com/google/re2), so a pattern
written by a model cannot hang anyone. `probes/predicate_evaluation.py` evaluates it over a corpus.

Words are maximal runs of letters, digits and inner apostrophes, compared case-folded; a token
belongs to the word that it is part of. Token texts are exact, leading space included.
"""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic
from pydantic import Field, TypeAdapter

from glossator.errors import UserError
from glossator.records.base import Record


class TokenIn(Record):
    """The token is one of a set, compared exactly: `" Miss"` is not `"Miss"`."""

    kind: Literal["token_in"] = "token_in"
    tokens: tuple[str, ...] = Field(min_length=1, max_length=512)
    """Token texts."""


class TokenMatches(Record):
    """The token's text contains a match of a pattern."""

    kind: Literal["token_matches"] = "token_matches"
    pattern: str = Field(min_length=1, max_length=500)
    """An RE2 pattern; anchor it with ^ and $ to match the whole token."""


class WordIn(Record):
    """The token is part of one of these words, whatever their case."""

    kind: Literal["word_in"] = "word_in"
    words: tuple[str, ...] = Field(min_length=1, max_length=512)
    """Words, case-folded."""


class WordMatches(Record):
    """The word that the token is part of contains a match of a pattern."""

    kind: Literal["word_matches"] = "word_matches"
    pattern: str = Field(min_length=1, max_length=500)
    """An RE2 pattern over the word with its case kept; prefix it with (?i) to ignore case."""


class Preceded(Record):
    """One of the `within` tokens before this one satisfies `by`."""

    kind: Literal["preceded"] = "preceded"
    by: Predicate
    """What must hold there."""
    within: int = Field(default=1, ge=1, le=64)
    """How many tokens back to look; 1 is the token directly before."""


class Followed(Record):
    """One of the `within` tokens after this one satisfies `by`."""

    kind: Literal["followed"] = "followed"
    by: Predicate
    """What must hold there."""
    within: int = Field(default=1, ge=1, le=64)
    """How many tokens ahead to look; 1 is the token directly after."""


class WindowContains(Record):
    """Any of these words stands within `before` tokens before or `after` tokens after this one."""

    kind: Literal["window_contains"] = "window_contains"
    words: tuple[str, ...] = Field(min_length=1, max_length=512)
    """Words, case-folded."""
    before: int = Field(default=32, ge=0, le=256)
    """Tokens looked at before this one (this one included)."""
    after: int = Field(default=0, ge=0, le=256)
    """Tokens looked at after this one."""


class WeightedWord(Record):
    """A word and what its presence counts for."""

    word: str
    """The word, case-folded."""
    weight: float = Field(allow_inf_nan=False)
    """Added once for each occurrence inside the window."""


class WeightedWords(Record):
    """The weights of the words around this token add up to at least a threshold: a topic."""

    kind: Literal["weighted_words"] = "weighted_words"
    weights: tuple[WeightedWord, ...] = Field(min_length=1, max_length=512)
    """The words that count."""
    threshold: float = Field(allow_inf_nan=False)
    """The least sum at which the predicate holds."""
    before: int = Field(default=32, ge=0, le=256)
    """Tokens looked at before this one (this one included)."""
    after: int = Field(default=0, ge=0, le=256)
    """Tokens looked at after this one."""


class Position(Record):
    """The token's place in its row of the context window, counted from 0."""

    kind: Literal["position"] = "position"
    at_least: int = Field(default=0, ge=0)
    """The first position that counts."""
    at_most: int | None = Field(default=None, ge=0)
    """The last position that counts; no bound if None."""


class AllOf(Record):
    """Every part holds."""

    kind: Literal["all_of"] = "all_of"
    parts: tuple[Predicate, ...] = Field(min_length=1, max_length=16)
    """The parts."""


class AnyOf(Record):
    """At least one part holds."""

    kind: Literal["any_of"] = "any_of"
    parts: tuple[Predicate, ...] = Field(min_length=1, max_length=16)
    """The parts."""


class Not(Record):
    """The part does not hold."""

    kind: Literal["not"] = "not"
    part: Predicate
    """The part."""


Predicate = Annotated[
    TokenIn
    | TokenMatches
    | WordIn
    | WordMatches
    | Preceded
    | Followed
    | WindowContains
    | WeightedWords
    | Position
    | AllOf
    | AnyOf
    | Not,
    Field(discriminator="kind"),
]

for _model in (Preceded, Followed, AllOf, AnyOf, Not):
    _model.model_rebuild()

_ADAPTER: TypeAdapter[Predicate] = TypeAdapter(Predicate)


def parse_predicate(text: str | bytes) -> Predicate:
    """Read a predicate from JSON; raises `UserError` with pydantic's account of what is wrong."""
    try:
        return _ADAPTER.validate_json(text)
    except pydantic.ValidationError as exc:
        raise UserError(f"not a predicate: {exc}") from exc
    except RecursionError as exc:
        raise UserError("not a predicate: nested too deeply") from exc


def predicate_json(predicate: Predicate) -> str:
    """The predicate as compact JSON that `parse_predicate` reads back."""
    return _ADAPTER.dump_json(predicate).decode()
