"""The analyst on features that are known exactly: what it says, and when it says nothing."""

from __future__ import annotations

import numpy as np
import pytest

from glossator.agents.embedded_analyst.analyst import EmbeddedAnalyst
from glossator.probes.planted_rules import (
    DeadRule,
    EitherOrRule,
    ExceptionRule,
    PlantedRule,
    PreviousTokenRule,
    RandomRule,
    RegexRule,
    TokenSetRule,
)
from glossator.probes.planted_truth import PlantedSubject, planted_firings, planted_places, planted_text
from glossator.probes.predicate_evaluation import evaluate
from glossator.probes.split_view import ExploreView, ValidateView
from glossator.probes.token_text import TokenText
from glossator.records import ExplanationFlag, FeatureRef

WORDS = [
    *["the"] * 8,
    "a",
    "of",
    "and",
    "ship",
    "sea",
    "sea",
    "sailor",
    "harbour",
    "red",
    "blue",
    "green",
    "would",
    "could",
    "should",
    "Miss",
    "Mr",
    "Smith",
    "Jones",
    "Brown",
    "said",
    "went",
    "ran",
    "walking",
    "talking",
    "singing",
    "house",
    "tree",
    "river",
    "stone",
    "bread",
    "table",
    "1",
    "2",
    "3",
    ",",
    ".",
    ";",
    "(",
    ")",
]
RULES: tuple[PlantedRule, ...] = (
    TokenSetRule(kind="token_set", name="modal", tokens=(" would", " could", " should")),
    RegexRule(kind="regex", name="ing", pattern="^ [a-z]+ing$"),
    PreviousTokenRule(kind="previous_token", name="after Miss", previous=(" Miss",)),
    ExceptionRule(
        kind="exception",
        name="the sea",
        rule=TokenSetRule(kind="token_set", tokens=(" sea",)),
        unless_previous=(" the",),
    ),
    EitherOrRule(
        kind="either_or",
        name="either",
        either=TokenSetRule(kind="token_set", tokens=(" red", " blue")),
        other=PreviousTokenRule(kind="previous_token", previous=(" of",)),
    ),
    DeadRule(kind="dead", name="dead"),
    RandomRule(kind="random", name="random", share=0.02),
)


def sentences(n: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(f" {w}" for w in rng.choice(WORDS, 200)) for _ in range(n)]


@pytest.fixture(scope="module")
def planted() -> tuple[EmbeddedAnalyst, TokenText]:
    texts = sentences(30, 0)
    subject = PlantedSubject.over(texts, RULES)
    explore, validate, unseen = (
        planted_text(subject, part) for part in (texts[:18], texts[18:24], texts[24:])
    )
    views = ExploreView(planted_firings(subject, explore)), ValidateView(planted_firings(subject, validate))
    return EmbeddedAnalyst(*views), unseen


def ref(name: str) -> FeatureRef:
    index = [rule.name for rule in RULES].index(name)
    return FeatureRef(subject="planted", dictionary="planted", index=index)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("modal", "modal verbs"),
        ("ing", 'ending in "ing"'),
        ("after Miss", 'after the word "Miss"'),
        ("the sea", 'the word "sea" (not after'),
        ("either", "; or "),
    ],
)
def test_rules_are_found_and_named(planted: tuple[EmbeddedAnalyst, TokenText], name: str, said: str) -> None:
    analyst, unseen = planted
    report = analyst.explain(ref(name))
    assert report.explanation is not None, report.reason
    assert report.explanation.predicate is not None
    assert said in report.explanation.text
    assert len(report.explanation.text) <= 120
    held = evaluate(report.explanation.predicate, unseen) & unseen.eligible
    truth = planted_places(next(r for r in RULES if r.name == name), unseen) & unseen.eligible
    assert 2 * (held & truth).sum() / (held.sum() + truth.sum()) > 0.95


@pytest.mark.parametrize("name", ["dead", "random"])
def test_it_abstains_where_there_is_no_rule(planted: tuple[EmbeddedAnalyst, TokenText], name: str) -> None:
    report = planted[0].explain(ref(name))
    assert report.explanation is None
    assert report.reason


def test_trivial_features_are_flagged(planted: tuple[EmbeddedAnalyst, TokenText]) -> None:
    analyst, _ = planted
    assert ExplanationFlag.TOKEN_TRIVIAL in analyst.explain(ref("modal")).flags
    assert ExplanationFlag.BIGRAM_TRIVIAL in analyst.explain(ref("after Miss")).flags
    assert ExplanationFlag.TOKEN_TRIVIAL not in analyst.explain(ref("after Miss")).flags


def test_what_was_tried_is_told_and_the_same_every_time(planted: tuple[EmbeddedAnalyst, TokenText]) -> None:
    analyst, _ = planted
    first, again = analyst.explain(ref("modal")), analyst.explain(ref("modal"))
    assert first == again
    assert len(first.tried) > 1
    assert first.validate is not None
    assert first.validate.f1 == pytest.approx(1.0)
