"""Planted features are drawn from seeds, can be found in text, and say the same in the closed language."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from glossator.errors import UserError
from glossator.probes.planted_features import (
    RESERVED,
    SHARES,
    exception_of,
    facets_of,
    planted_features,
    reserved_features,
    truth_predicate,
    word_families,
)
from glossator.probes.planted_rules import (
    EitherOrRule,
    ExceptionRule,
    PlantedRule,
    TopicRule,
    places,
)
from glossator.probes.planted_truth import PlantedSubject, planted_places, planted_text
from glossator.probes.predicate_evaluation import evaluate

FILLER = [
    "the",
    "a",
    "of",
    "to",
    "in",
    "and",
    "his",
    "was",
    "had",
    "very",
    "not",
    "this",
    "my",
    "with",
    ",",
    ".",
    "that",
    "it",
    "for",
    "as",
    "he",
    "be",
    "at",
    "by",
    "on",
]
N = 30


@cache
def texts() -> tuple[str, ...]:
    """Text in which every family is spoken of."""
    rng = np.random.default_rng(0)
    words = [w for family in word_families().values() for w in family]
    return tuple(" ".join(rng.choice([*words, *FILLER * 60], 400)) for _ in range(120))


@cache
def rows() -> tuple[list[str], ...]:
    """The texts as a subject reads them."""
    subject = PlantedSubject.over(texts(), ())
    return tuple([subject.vocabulary.texts[i] for i in ids] for ids in subject.tokenize(texts()))


@cache
def rules(seed: int = 3) -> tuple[PlantedRule, ...]:
    return planted_features(rows(), N, seed)


def test_rules_belong_to_their_seed() -> None:
    assert rules() == planted_features(rows(), N, 3)
    assert rules() != rules(4)
    names = [r.name for r in rules()]
    assert len(set(names)) == len(names) == N
    assert set(Counter(r.kind for r in rules())) == set(SHARES)


def test_rules_have_places_in_several_texts() -> None:
    for rule in rules():
        held = [sum(places(rule, row)) for row in rows()]
        if truth_predicate(rule) is None:
            continue
        assert sum(held) >= 120
        assert sum(held) < 0.1 * sum(map(len, rows()))
        assert sum(h > 0 for h in held) >= 0.1 * len(held)


def test_the_closed_language_says_the_same() -> None:
    subject = PlantedSubject.over(texts(), ())
    text = planted_text(subject, texts()[:40])
    for rule in (*rules(), *reserved_features()):
        predicate = truth_predicate(rule)
        if predicate is None:
            assert rule.kind in ("dead", "random", "always_on")
            continue
        held, truth = evaluate(predicate, text) & text.eligible, planted_places(rule, text) & text.eligible
        if isinstance(rule, TopicRule):  # a topic counts words, its predicate where words begin
            assert (held != truth).sum() <= 0.05 * truth.sum()
        else:
            assert (held == truth).all()


def test_what_must_be_found_is_named() -> None:
    for rule in rules():
        assert len(facets_of(rule)) == (2 if isinstance(rule, EitherOrRule) else 0)
        assert (exception_of(rule) is not None) is isinstance(rule, ExceptionRule)
        if isinstance(rule, EitherOrRule):
            n = [sum(sum(places(part, row)) for row in rows()) for part in facets_of(rule)]
            assert max(n) <= 2 * min(n)
        if isinstance(rule, ExceptionRule):
            whole, left = (sum(sum(places(r, row)) for row in rows()) for r in (rule.rule, rule))
            assert 0.1 * whole <= whole - left <= 0.5 * whole


def test_reserved_words_belong_to_no_feature() -> None:
    said = {f" {w}" for name in RESERVED for w in word_families()[name]}
    only = said - {f" {w}" for name, ws in word_families().items() if name not in RESERVED for w in ws}
    for rule in rules():
        for part in (rule, *facets_of(rule)):
            assert not set(getattr(part, "tokens", ())) & only
    assert len(reserved_features()) == len(RESERVED)


def test_short_text_is_said() -> None:
    with pytest.raises(UserError, match="take more text"):
        planted_features([["the", " ship"]] * 3, 4, 0)
