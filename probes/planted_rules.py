"""Rules that planted features follow, and where each holds: plain Python over token texts.

What holds is decided here one token at a time, without `predicate_evaluation`, so that the two can be
held against each other. A file of rules is a JSON list; each entry has a `kind` and a unique `name`:

    token_set       tokens                      the token is one of these, leading space included
    regex           pattern                     the token's text contains a match (`re` syntax)
    previous_token  previous, [tokens|pattern]  the token before is one of `previous`, and this one fits
    topic           words, at_least, window     so many of these words among the last `window` tokens
    either_or       either, other               one of two rules holds
    exception       rule, unless_previous       a rule holds, and the token before is none of these
    noisy           rule, missed, stray         a rule holds; `missed` of its places stay silent, and
                                                `stray` times as many others fire
    dead            -                           never
    always_on       -                           everywhere
    random          share                       on this share of tokens, whatever they are

`mentions` (optional, everywhere) lists words of which a label that names the rule holds at least one.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import Field, TypeAdapter

from glossator.errors import UserError
from glossator.records import Record

KINDS = (
    "token_set", "regex", "previous_token", "either_or", "topic",
    "exception", "noisy", "dead", "always_on", "random",
)  # fmt: skip
"""Every kind of rule."""


class _Rule(Record):
    name: str = ""
    """Unique in its file; empty for a rule inside another."""
    mentions: tuple[str, ...] = ()
    """A label that names the rule holds one of these, case ignored."""


class TokenSetRule(_Rule):
    """The token is one of a set."""

    kind: Literal["token_set"]
    tokens: tuple[str, ...] = Field(min_length=1)
    """Token texts, leading space included."""


class RegexRule(_Rule):
    """The token's text contains a match."""

    kind: Literal["regex"]
    pattern: str
    """In the syntax of Python's `re`."""


class PreviousTokenRule(_Rule):
    """The token before is one of a set, and this one fits."""

    kind: Literal["previous_token"]
    previous: tuple[str, ...] = Field(min_length=1)
    """Token texts before."""
    tokens: tuple[str, ...] = ()
    """Token texts here; any if empty."""
    pattern: str = ""
    """What the token here contains a match of; any if empty."""


class TopicRule(_Rule):
    """Enough of these words stood in the last tokens."""

    kind: Literal["topic"]
    words: tuple[str, ...] = Field(min_length=1)
    """Lower-case words; a token counts if it is one of them, space and case aside."""
    at_least: int = Field(default=2, ge=1)
    """How many occurrences are needed."""
    window: int = Field(default=32, ge=1)
    """How many tokens are looked at, this one included."""


class DeadRule(_Rule):
    """Never."""

    kind: Literal["dead"]


class AlwaysOnRule(_Rule):
    """Everywhere."""

    kind: Literal["always_on"]


class RandomRule(_Rule):
    """On a share of tokens, whatever they are."""

    kind: Literal["random"]
    share: float = Field(default=0.01, gt=0, lt=1)
    """Of all tokens."""


SimpleRule = Annotated[TokenSetRule | RegexRule | PreviousTokenRule | TopicRule, Field(discriminator="kind")]


class EitherOrRule(_Rule):
    """One of two rules holds."""

    kind: Literal["either_or"]
    either: SimpleRule
    """One."""
    other: SimpleRule
    """The other."""


class ExceptionRule(_Rule):
    """A rule holds, except after some tokens."""

    kind: Literal["exception"]
    rule: SimpleRule
    """What holds."""
    unless_previous: tuple[str, ...] = Field(min_length=1)
    """Token texts before, after which it does not."""


class NoisyRule(_Rule):
    """A rule holds, and the feature follows it carelessly."""

    kind: Literal["noisy"]
    rule: SimpleRule
    """What holds."""
    missed: float = Field(default=0.1, ge=0, lt=1)
    """Share of its places that stay silent."""
    stray: float = Field(default=0.1, ge=0)
    """Stray firings per place."""


PlantedRule = Annotated[
    TokenSetRule
    | RegexRule
    | PreviousTokenRule
    | TopicRule
    | EitherOrRule
    | ExceptionRule
    | NoisyRule
    | DeadRule
    | AlwaysOnRule
    | RandomRule,
    Field(discriminator="kind"),
]
_RULES: TypeAdapter[tuple[PlantedRule, ...]] = TypeAdapter(tuple[PlantedRule, ...])


def load_rules(path: Path | None = None) -> tuple[PlantedRule, ...]:
    """Read the rules of `path`, or those that ship with Glossator.

    Raises:
        UserError: if the file cannot be read, is not such a list, or names two rules alike.
    """
    shipped = files("glossator").joinpath("assets", "planted_rules.json")
    try:
        raw = shipped.read_bytes() if path is None else path.read_bytes()
        rules = _RULES.validate_json(raw)
        for rule in rules:
            _check_patterns(rule)
    except OSError as exc:
        raise UserError(f"cannot read the rules {str(path)!r}: {exc.strerror}; give a JSON file") from exc
    except pydantic.ValidationError as exc:
        raise UserError(f"not a file of planted rules: {path}: {exc}") from exc
    except re.error as exc:
        raise UserError(f"a pattern in {path} is not one that Python's re reads: {exc}") from exc
    names = [rule.name for rule in rules]
    if not names or "" in names or len(set(names)) != len(names):
        raise UserError(f"planted rules need names, each its own; found {names!r}")
    return rules


def _check_patterns(rule: PlantedRule) -> None:
    for part in (rule, *(getattr(rule, name, None) for name in ("rule", "either", "other"))):
        re.compile(getattr(part, "pattern", ""))


def places(rule: PlantedRule, tokens: list[str]) -> list[bool]:
    """Where in one row the rule holds; noise is no part of a rule, and a random one holds nowhere."""
    if isinstance(rule, EitherOrRule):
        return [a or b for a, b in zip(places(rule.either, tokens), places(rule.other, tokens), strict=True)]
    if isinstance(rule, NoisyRule):
        return places(rule.rule, tokens)
    if isinstance(rule, ExceptionRule):
        barred = set(rule.unless_previous)
        return [
            held and not (t > 0 and tokens[t - 1] in barred)
            for t, held in enumerate(places(rule.rule, tokens))
        ]
    if isinstance(rule, TopicRule):
        return _topic_places(rule, tokens)
    if isinstance(rule, PreviousTokenRule):
        before = set(rule.previous)
        return [t > 0 and tokens[t - 1] in before and _fits(rule, token) for t, token in enumerate(tokens)]
    if isinstance(rule, TokenSetRule):
        wanted = set(rule.tokens)
        return [token in wanted for token in tokens]
    if isinstance(rule, RegexRule):
        search = re.compile(rule.pattern).search
        return [search(token) is not None for token in tokens]
    return [isinstance(rule, AlwaysOnRule)] * len(tokens)


def _fits(rule: PreviousTokenRule, token: str) -> bool:
    if rule.tokens and token not in rule.tokens:
        return False
    return not rule.pattern or re.search(rule.pattern, token) is not None


def _topic_places(rule: TopicRule, tokens: list[str]) -> list[bool]:
    counts = [int(token.strip().lower() in rule.words) for token in tokens]
    return [sum(counts[max(0, t - rule.window + 1) : t + 1]) >= rule.at_least for t in range(len(tokens))]
