"""Planted features with known truth, drawn from seeds: what an investigation is held against.

Words come from families of related words (`assets/planted_families.json`), so that members which the text
holds rarely are like those which it holds often. Rules are those of `planted_rules`; `truth_predicate`
says the same in the closed language, and `facets_of` and `exception_of` name what must be found in it.
A rule is drawn again until the text gives it enough places and not too many.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from glossator.errors import UserError
from glossator.probes.planted_rules import (
    AlwaysOnRule,
    DeadRule,
    EitherOrRule,
    ExceptionRule,
    NoisyRule,
    PlantedRule,
    PreviousTokenRule,
    RandomRule,
    RegexRule,
    SimpleRule,
    TokenSetRule,
    TopicRule,
    places,
)
from glossator.records import (
    AllOf,
    AnyOf,
    Not,
    Preceded,
    Predicate,
    TokenIn,
    TokenMatches,
    WeightedWord,
    WeightedWords,
)

SHARES = {
    "token_set": 0.34, "regex": 0.12, "previous_token": 0.12, "either_or": 0.12, "exception": 0.1,
    "topic": 0.05, "noisy": 0.07, "random": 0.04, "dead": 0.02, "always_on": 0.02,
}  # fmt: skip
"""Share of each kind."""
LEAST_PLACES, MOST_SHARE = 120, 0.06
"""Places that a rule must have in the text, and the share of tokens above which it has too many."""
LEAST_ROWS = 0.2
"""Share of the documents in which it must hold somewhere: every split needs some of them."""
SMALLEST, LARGEST = 8, 30
"""Words of a set."""
RESERVED = ("body", "kin", "colours", "vehicles", "nations", "numbers", "clothes", "directions")
"""Families that no feature under investigation uses: labels of `reserved_features` stand for other
features' where chance is measured, so they must not be true of one."""
_TRIES = 400
_LETTERS = (
    "ing$", "ed$", "ly$", "tion$", "ness$", "ment$", "ous$", "able$", "ful$", "ity$", "est$", "ist$",
    "ough", "ight", "oo", "ee", "ph", "ck$", "ss$", "^ un", "^ re", "^ con", "^ dis", "^ pro", "^ str",
    "^ sh", "^ th", "^ wh", "^ gr", "^ br", "^ qu", "x", "^ [A-Z][a-z]+$", "[0-9]", "ward", "ever",
)  # fmt: skip
_BEFORE = (
    (" the",), (" a", " an"), (" of",), (" to",), (" in", " on", " at"), (" and",), (" his", " her"),
    (" was", " is", " were"), (" had", " have", " has"), (" very", " so", " too"), (" not", " never"),
    (" this", " that"), (" my", " your"), (" with", " by"), (",",),
)  # fmt: skip


class _Stock(NamedTuple):
    """What rules are drawn from."""

    counts: Counter[str]
    """Tokens of the text."""
    rows: Sequence[list[str]]
    n: int
    """Tokens in all."""
    families: dict[str, tuple[str, ...]]


@cache
def word_families() -> dict[str, tuple[str, ...]]:
    """Families of related words by name."""
    raw = files("glossator").joinpath("assets", "planted_families.json").read_text("utf-8")
    return {name: tuple(words.split()) for name, words in json.loads(raw).items()}


def planted_features(rows: Sequence[list[str]], n: int, seed: int) -> tuple[PlantedRule, ...]:
    """`n` rules with names of their own, in random order.

    Args:
        rows: token texts of the corpus, cut as a subject reads them.
        n: how many.
        seed: the same seed draws the same rules from the same rows.

    Raises:
        UserError: the text is too short for such rules.
    """
    rng = np.random.default_rng(seed)
    counts = Counter(token for row in rows for token in row)
    free = {name: words for name, words in word_families().items() if name not in RESERVED}
    stock = _Stock(counts, rows, sum(counts.values()), free)
    others = [k for k, share in SHARES.items() for _ in range(max(1, round(share * n))) if k != "token_set"]
    kinds = [*["token_set"] * (n - len(others)), *others][:n]
    rules: list[PlantedRule] = []
    for number, kind in enumerate(kinds):
        rule = _enough(stock, _MAKERS[kind], rng, kind, [r.model_copy(update={"name": ""}) for r in rules])
        rules.append(rule.model_copy(update={"name": f"{kind} {number}"}))
    return tuple(rules[i] for i in rng.permutation(len(rules)))


def reserved_features() -> tuple[TokenSetRule, ...]:
    """A feature for each reserved family."""
    return tuple(
        TokenSetRule(
            kind="token_set", name=f"reserved {name}", mentions=(name,),
            tokens=tuple(f" {w}" for w in word_families()[name]),
        )
        for name in RESERVED
    )  # fmt: skip


def _enough(
    stock: _Stock,
    make: Callable[[_Stock, np.random.Generator], PlantedRule],
    rng: np.random.Generator,
    kind: str,
    drawn: Sequence[PlantedRule],
) -> PlantedRule:
    """A rule with enough places that was not drawn before."""
    for _ in range(_TRIES):
        rule = make(stock, rng)
        if kind in ("dead", "always_on", "random"):
            return rule
        parts = facets_of(rule) or (rule,)
        if rule not in drawn and all(_common(stock, part) for part in parts):
            return rule
    raise UserError(f"no further {kind} rule with {LEAST_PLACES} places in {stock.n} tokens: take more text")


def _common(stock: _Stock, rule: PlantedRule) -> bool:
    """Whether a rule has enough places in enough documents, and not too many."""
    if not LEAST_PLACES <= _n_places(stock, rule) <= MOST_SHARE * stock.n:
        return False
    least = LEAST_ROWS / 2 if isinstance(rule, TopicRule) else LEAST_ROWS
    return sum(any(places(rule, row)) for row in stock.rows) >= least * len(stock.rows)


def _n_places(stock: _Stock, rule: PlantedRule) -> int:
    if isinstance(rule, TokenSetRule):
        return sum(stock.counts[token] for token in rule.tokens)
    return sum(sum(places(rule, row)) for row in stock.rows)


def _set(stock: _Stock, rng: np.random.Generator) -> TokenSetRule:
    """Words of one family, as they stand inside a sentence; some with a capital, too."""
    name = str(rng.choice(sorted(stock.families)))
    family = [w for w in stock.families[name] if stock.counts[f" {w}"]]
    size = min(len(family), int(rng.integers(SMALLEST, LARGEST + 1)))
    words = [str(w) for w in rng.permutation(family)[:size]]
    tokens = tuple(f" {w}" for w in words)
    capitals = tuple(f" {w.capitalize()}" for w in words) if rng.random() < 0.3 else ()
    tokens = tuple(dict.fromkeys((*tokens, *capitals))) or (" the",)
    return TokenSetRule(kind="token_set", tokens=tokens, mentions=(name, *words))


def _regex(stock: _Stock, rng: np.random.Generator) -> RegexRule:
    pattern = str(rng.choice(_LETTERS))
    return RegexRule(kind="regex", pattern=pattern, mentions=_said_of(pattern))


def _said_of(pattern: str) -> tuple[str, ...]:
    letters = "".join(c for c in pattern if c.isalpha())
    return {"^ [A-Z][a-z]+$": ("capital",), "[0-9]": ("digit", "number")}.get(pattern, (letters,))


def _previous(stock: _Stock, rng: np.random.Generator) -> PreviousTokenRule:
    """After words of a family, any word or one with certain letters; or words of a family after some word."""
    if rng.random() < 0.5:
        family = _set(stock, rng)
        return PreviousTokenRule(
            kind="previous_token", previous=family.tokens, pattern="^ [a-z]", mentions=family.mentions
        )
    before, family = _BEFORE[int(rng.integers(len(_BEFORE)))], _set(stock, rng)
    return PreviousTokenRule(
        kind="previous_token", previous=before, tokens=family.tokens, mentions=family.mentions
    )


def _simple(stock: _Stock, rng: np.random.Generator) -> SimpleRule:
    return _set(stock, rng) if rng.random() < 0.7 else _regex(stock, rng)


def _either(stock: _Stock, rng: np.random.Generator) -> EitherOrRule:
    """Two meanings of about the same size: neither has more than twice the places of the other."""
    for _ in range(_TRIES):
        one, other = _set(stock, rng), _simple(stock, rng)
        a, b = _n_places(stock, one), _n_places(stock, other)
        if max(a, b) <= 2 * min(a, b) and not set(one.mentions) & set(other.mentions):
            return EitherOrRule(
                kind="either_or", either=one, other=other, mentions=one.mentions + other.mentions
            )
    raise UserError(f"no two rules of like size in {stock.n} tokens: take more text")


def _exception(stock: _Stock, rng: np.random.Generator) -> ExceptionRule:
    """Not after some frequent words, which stand before at least a tenth of the places."""
    for _ in range(_TRIES):
        rule, barred = _simple(stock, rng), _BEFORE[int(rng.integers(len(_BEFORE)))]
        whole = ExceptionRule(kind="exception", rule=rule, unless_previous=barred, mentions=rule.mentions)
        n, left = _n_places(stock, rule), _n_places(stock, whole)
        if n >= LEAST_PLACES and 0.1 * n <= n - left <= 0.5 * n:
            return whole
    raise UserError(f"no rule with an exception in {stock.n} tokens: take more text")


def _topic(stock: _Stock, rng: np.random.Generator) -> TopicRule:
    name = str(
        rng.choice(["sea", "war", "law", "religion", "music", "medicine", "sport", "science", "art", "farm"])
    )
    family = stock.families[name]
    size = int(rng.integers(max(1, int(0.7 * len(family))), len(family) + 1))
    words = tuple(str(w).lower() for w in rng.permutation(family)[:size])
    at_least, window = int(rng.integers(2, 4)), int(rng.choice([16, 24, 32]))
    return TopicRule(kind="topic", words=words, at_least=at_least, window=window, mentions=(name, *words))


def _noisy(stock: _Stock, rng: np.random.Generator) -> NoisyRule:
    rule = _simple(stock, rng)
    return NoisyRule(kind="noisy", rule=rule, missed=0.1, stray=0.1, mentions=rule.mentions)


_MAKERS: dict[str, Callable[[_Stock, np.random.Generator], PlantedRule]] = {
    "token_set": _set,
    "regex": _regex,
    "previous_token": _previous,
    "either_or": _either,
    "exception": _exception,
    "topic": _topic,
    "noisy": _noisy,
    "dead": lambda stock, rng: DeadRule(kind="dead"),
    "always_on": lambda stock, rng: AlwaysOnRule(kind="always_on"),
    "random": lambda stock, rng: RandomRule(kind="random", share=float(rng.choice([0.005, 0.01, 0.02]))),
}


def truth_predicate(rule: PlantedRule) -> Predicate | None:
    """Where a rule holds, in the closed language; None where it holds nowhere, everywhere or by chance."""
    if isinstance(rule, TokenSetRule):
        return TokenIn(tokens=rule.tokens)
    if isinstance(rule, RegexRule):
        return TokenMatches(pattern=rule.pattern)
    if isinstance(rule, PreviousTokenRule):
        here = TokenIn(tokens=rule.tokens) if rule.tokens else TokenMatches(pattern=rule.pattern or "(?s).")
        return AllOf(parts=(here, Preceded(by=TokenIn(tokens=rule.previous))))
    if isinstance(rule, TopicRule):
        weights = tuple(WeightedWord(word=w, weight=1.0) for w in rule.words)
        return WeightedWords(weights=weights, threshold=rule.at_least, before=rule.window - 1)
    if isinstance(rule, EitherOrRule):
        return AnyOf(
            parts=tuple(p for r in (rule.either, rule.other) if (p := truth_predicate(r)) is not None)
        )
    if isinstance(rule, NoisyRule):
        return truth_predicate(rule.rule)
    if isinstance(rule, ExceptionRule):
        inner, barred = truth_predicate(rule.rule), exception_of(rule)
        assert inner is not None
        assert barred is not None
        return AllOf(parts=(inner, Not(part=barred)))
    return None


def facets_of(rule: PlantedRule) -> tuple[SimpleRule, ...]:
    """The two meanings of an either-or; none for other rules."""
    return (rule.either, rule.other) if isinstance(rule, EitherOrRule) else ()


def exception_of(rule: PlantedRule) -> Predicate | None:
    """Where a rule with an exception does not hold."""
    return Preceded(by=TokenIn(tokens=rule.unless_previous)) if isinstance(rule, ExceptionRule) else None
