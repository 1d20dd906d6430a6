"""Without a model: claims from explore, texts with the leader's predictions, rules corrected by outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from glossator.agents.investigator.letter_patterns import pattern_of, phrase_of, runs
from glossator.agents.investigator.proposer import Proposal, Proposer, Standing
from glossator.agents.investigator.tested_tokens import TestedTexts
from glossator.probes.planted_rules import (
    ExceptionRule,
    PlantedRule,
    PreviousTokenRule,
    RandomRule,
    RegexRule,
    TokenSetRule,
)
from glossator.probes.planted_truth import planted_places, planted_text
from glossator.probes.predicate_evaluation import evaluate
from glossator.records import (
    AllOf,
    Expectation,
    Experiment,
    ExperimentKind,
    Not,
    Preceded,
    Predicate,
    TokenIn,
    TokenMatches,
)
from tests.agents.proposer_room import ProposerRoom, sentences, standing_of

FILLER = [
    "the",
    "man",
    "see",
    "a",
    "house",
    "and",
    "go",
    "to",
    "it",
    "when",
    "they",
    "leave",
    "or",
    "stay",
    "by",
    "night",
    "of",
    "old",
    "her",
    "great",
]
COMMON, SELDOM, NEVER = ("ship", "sail", "harbour"), ("shipyard", "sailor"), ("ships", "sails", "harbours")
NEAR = ("shopping", "sales", "harbinger", "shipment")
SEA = TokenSetRule(kind="token_set", name="sea", tokens=tuple(f" {w}" for w in (*COMMON, *SELDOM, *NEVER)))
ROUNDS, TESTS = 4, 16


@cache
def room(rule: PlantedRule = SEA) -> ProposerRoom:
    """Common members stand everywhere, seldom ones once, the others nowhere on explore."""
    texts = sentences((*FILLER * 3, *COMMON, *NEAR[:2]), 40, 1)
    texts[3] += " by the shipyard and the sailor of old"
    return ProposerRoom.of(rule, texts, [" and ".join((*NEVER, *NEAR, *SELDOM))] * 3)


def investigated(of: ProposerRoom) -> list[Proposal]:
    """A few rounds: texts, outcomes, better claims; the best first."""

    async def loop() -> list[Proposal]:
        claims = list(await of.proposer.hypotheses(of.observed, 4))
        done: list[Experiment] = []
        for number in range(ROUNDS):
            standing = standing_of(claims, done, number)
            done += of.judged(await of.proposer.tests(of.observed, standing, TESTS))
            done += of.judged(await of.proposer.challenges(of.observed, standing, TESTS))
            claims = [*await of.proposer.refine(of.observed, standing_of(claims, done), 2), *claims]
        return claims

    return asyncio.run(loop())


def f1_on_truth(of: ProposerRoom, rule: PlantedRule, predicate: Predicate | None) -> float:
    """On text in which all members are as frequent."""
    words = (*FILLER, *COMMON, *SELDOM, *NEVER, *NEAR)
    text = planted_text(of.subject, sentences(words, 20, 7))
    assert predicate is not None
    held, truth = evaluate(predicate, text) & text.eligible, planted_places(rule, text) & text.eligible
    return float(2 * (held & truth).sum() / (held.sum() + truth.sum()))


def test_it_is_a_proposer_that_never_looks_at_validate() -> None:
    assert isinstance(room().proposer, Proposer)
    claims = investigated(room())  # the room's validate view refuses to be read
    assert len(claims) > 1
    assert len({c.predicate for c in claims}) == len(claims)


def test_substitution_finds_members_that_the_corpus_does_not_show() -> None:
    first = asyncio.run(room().proposer.hypotheses(room().observed, 4))
    claims = investigated(room())
    before, after = (f1_on_truth(room(), SEA, c.predicate) for c in (first[0], claims[0]))
    assert before < 0.9
    assert after > 0.98


def test_words_that_never_fire_alone_are_left_out() -> None:
    wrong = TokenIn(tokens=(" ship", " sail", " harbour", " shopping"))
    rule = SEA.model_copy(update={"tokens": (" ship", " sail", " harbour")})
    of = room(rule)
    claims = [Proposal("wrong", wrong)]
    standing = standing_of(claims)
    done: list[Experiment] = []

    async def rounds() -> Sequence[Proposal]:
        for number in range(3):
            asked = standing_of(claims, done, number)
            done.extend(of.judged(await of.proposer.tests(of.observed, asked, TESTS)))
        return await of.proposer.refine(of.observed, standing_of(claims, done), 1)

    best = asyncio.run(rounds())[0]
    assert standing.leader is not None
    assert f1_on_truth(of, rule, best.predicate) > 0.99


@pytest.mark.parametrize("ask", ["tests", "challenges"])
def test_texts_come_with_what_the_leader_says_of_them(ask: str) -> None:
    of = room()

    async def asked(standing: Standing, n: int):
        make = of.proposer.tests if ask == "tests" else of.proposer.challenges
        return await make(of.observed, standing, n)

    claims = asyncio.run(of.proposer.hypotheses(of.observed, 4))
    standing = standing_of(claims)
    batches = asyncio.run(asked(standing, 12))
    tests = [t for b in batches for t in b.tests]
    assert 6 < len(tests) <= 12
    assert batches == asyncio.run(asked(standing, 12))
    assert {b.hypothesis for b in batches} == {standing.hypotheses[0].id}
    read = TestedTexts(of.activations(), 0, of.analyst.explore.text)
    assert standing.leader is not None
    assert standing.leader.predicate is not None
    holds = read.holds(standing.leader.predicate, [t.text for t in tests])
    assert [t.expected is Expectation.FIRES for t in tests] == holds.tolist()
    assert len(np.unique(holds)) == 2
    again = asyncio.run(asked(standing_of(claims, of.judged(batches)), 12))
    unpaired = {t.text for b in again for t in b.tests if t.pair < 0}
    assert not unpaired & {t.text for t in tests}
    pairs = [t for b in batches if b.kind is ExperimentKind.MINIMAL_PAIRS for t in b.tests]
    assert bool(pairs) is (ask == "challenges")
    assert all(t.pair >= 0 for t in pairs)


def test_letters_are_claimed_where_a_list_of_words_would_not_end() -> None:
    rule = RegexRule(kind="regex", name="ip", pattern="ip")
    claims = asyncio.run(room(rule).proposer.hypotheses(room(rule).observed, 4))
    words = ("ship", "shipyard", "chip", "chips", "slip", "tipped")
    of = ProposerRoom.of(rule, sentences((*FILLER * 3, *words), 30, 2))
    claims = asyncio.run(of.proposer.hypotheses(of.observed, 4))
    patterns = [c.predicate for c in claims if isinstance(c.predicate, TokenMatches)]
    assert TokenMatches(pattern="ip") in patterns
    assert any('a token containing "ip"' in c.text for c in claims)


def test_an_exception_comes_from_experiments() -> None:
    barred = (" her", " great")
    rule = ExceptionRule(kind="exception", name="x", rule=SEA, unless_previous=barred)
    best = investigated(room(rule))[0].predicate
    assert best is not None
    assert f1_on_truth(room(rule), rule, best) > 0.95
    parts = best.parts if isinstance(best, AllOf) else ()
    assert any(isinstance(p, Not) and isinstance(p.part, Preceded) for p in parts)


def test_words_before_are_found_by_changing_them() -> None:
    rule = PreviousTokenRule(
        kind="previous_token", name="p", previous=tuple(f" {w}" for w in (*COMMON, *SELDOM, *NEVER))
    )
    first = asyncio.run(room(rule).proposer.hypotheses(room(rule).observed, 1))[0].predicate
    before, after = (f1_on_truth(room(rule), rule, p) for p in (first, investigated(room(rule))[0].predicate))
    assert after >= before
    assert after > 0.9


def test_nothing_is_claimed_of_a_feature_that_fires_by_chance() -> None:
    rule = RandomRule(kind="random", name="random", share=0.02)
    of = ProposerRoom.of(rule, sentences(FILLER, 15, 1))
    for claim in asyncio.run(of.proposer.hypotheses(of.observed, 4)):
        assert claim.predicate is not None
        held = evaluate(claim.predicate, of.analyst.explore.text)
        fires = of.analyst.explore.dense(0) > 0
        assert 2 * (held & fires).sum() / (held.sum() + fires.sum()) < 0.3


def test_patterns_in_words() -> None:
    assert "\x02 sh" in runs(" ship")
    assert pattern_of("\x02 sh") == "^ sh"
    assert pattern_of("ip\x03") == "ip$"
    assert pattern_of("a.b") == "a\\.b"
    assert phrase_of("^ sh") == 'a token beginning with "sh"'
    assert phrase_of("ip$") == 'a token ending in "ip"'
    assert phrase_of("[0-9]") is None
