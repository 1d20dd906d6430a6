"""The planted subject: rules hold where a reader says they hold, and a real index could be built on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from glossator.errors import UnknownNameError, UserError
from glossator.probes.planted_rules import KINDS, load_rules, places
from glossator.probes.planted_truth import (
    SITE,
    PlantedDictionary,
    PlantedSubject,
    planted_firings,
    planted_places,
    planted_text,
)
from glossator.probes.predicate_evaluation import evaluate
from glossator.records import AllOf, Not, Preceded, Predicate, SiteRef, TokenIn, TokenMatches

TEXTS = [
    "The sea was calm. Mr Smith saw the sea, and 12 ships.\n",
    "A ship\n\non the open sea! Ünïcode 😀 don't.",
] * 3
RULES = """[
 {"name": "sea", "kind": "token_set", "tokens": [" sea"]},
 {"name": "digits", "kind": "regex", "pattern": "[0-9]"},
 {"name": "after Mr", "kind": "previous_token", "previous": [" Mr", "Mr"]},
 {"name": "topic", "kind": "topic", "words": ["sea", "ships"], "at_least": 2, "window": 9},
 {"name": "not the sea", "kind": "exception", "rule": {"kind": "token_set", "tokens": [" sea"]},
  "unless_previous": [" the"]},
 {"name": "dead", "kind": "dead"},
 {"name": "on", "kind": "always_on"},
 {"name": "chance", "kind": "random", "share": 0.3},
 {"name": "noisy", "kind": "noisy", "rule": {"kind": "regex", "pattern": "[a-z]"},
  "missed": 0.5, "stray": 0.5}
]"""


@pytest.fixture
def subject(tmp_path: Path) -> PlantedSubject:
    (tmp_path / "rules.json").write_text(RULES)
    return PlantedSubject.over(TEXTS, load_rules(tmp_path / "rules.json"))


def test_tokens_spell_the_text(subject: PlantedSubject) -> None:
    for text in [*TEXTS, "unseen wörds_and 777 日本", "", " \n\t x"]:
        raw = b"".join(
            bytes([int(t[3:5], 16)]) if t.startswith("<0x") and len(t) == 6 else t.encode()
            for t in (subject.vocabulary.texts[i] for i in subject.tokenize([text])[0])
        )
        assert raw.decode() == text


def test_rules_hold_where_a_reader_says(subject: PlantedSubject) -> None:
    tokens = ["The", " sea", " was", " Mr", " Smith", " saw", " the", " sea", " 1", "2", " ships"]
    by_name = {rule.name: rule for rule in subject.rules}
    assert [t for t, held in enumerate(places(by_name["sea"], tokens)) if held] == [1, 7]
    assert [t for t, held in enumerate(places(by_name["digits"], tokens)) if held] == [8, 9]
    assert [t for t, held in enumerate(places(by_name["after Mr"], tokens)) if held] == [4]
    assert [t for t, held in enumerate(places(by_name["topic"], tokens)) if held] == [7, 8, 9, 10]
    assert [t for t, held in enumerate(places(by_name["not the sea"], tokens)) if held] == [1]


def test_firings_follow_the_rules_at_eligible_places(subject: PlantedSubject) -> None:
    text = planted_text(subject, TEXTS, context=8)
    source = planted_firings(subject, text)
    for k, rule in enumerate(subject.rules):
        fired = np.zeros(len(text), dtype=bool)
        fired[source.firings(k).position] = True
        if rule.kind not in ("random", "noisy"):
            assert (fired == (planted_places(rule, text) & text.eligible)).all(), rule.name
        assert (source.firings(k).activation >= 0.5).all()
    assert source.firings(5).position.size == 0
    assert 0.1 < source.firings(7).position.size / text.eligible.sum() < 0.5


def test_an_index_would_see_the_same(subject: PlantedSubject) -> None:
    text = planted_text(subject, TEXTS[:1], context=512)
    dictionary = PlantedDictionary(len(subject.rules))
    acts = subject.activations(SITE, torch.tensor(text.ids[None].astype(np.int64)))
    pairs = dictionary.encode(acts[0])
    for k in range(dictionary.n_features):
        expected = planted_firings(subject, text).firings(k)
        at = pairs.token[pairs.feature == k].numpy()
        assert (at[at > 0] == expected.position).all()
        assert np.allclose(pairs.value[pairs.feature == k].numpy()[at > 0], expected.activation)


def test_predicates_agree_with_the_independent_truth(subject: PlantedSubject) -> None:
    text = planted_text(subject, TEXTS, context=9)
    sea, the = TokenIn(tokens=(" sea",)), TokenIn(tokens=(" the",))
    same: dict[str, Predicate] = {
        "sea": sea,
        "digits": TokenMatches(pattern="[0-9]"),
        "after Mr": Preceded(by=TokenIn(tokens=(" Mr", "Mr"))),
        "not the sea": AllOf(parts=(sea, Not(part=Preceded(by=the)))),
    }
    for rule in subject.rules:
        if rule.name in same:
            held = planted_places(rule, text)
            assert held.any()
            assert (evaluate(same[rule.name], text) == held).all()


def test_the_shipped_rules_cover_every_kind() -> None:
    assert {rule.kind for rule in load_rules()} == set(KINDS)


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '[{"kind": "dead"}]', '[{"name": "a", "kind": "no"}]',
     '[{"name":"a","kind":"regex","pattern":"("}]',
     '[{"name": "a", "kind": "dead"}, {"name": "a", "kind": "dead"}]'],
)  # fmt: skip
def test_a_file_that_is_not_rules_is_a_user_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "rules.json").write_text(content)
    with pytest.raises(UserError):
        load_rules(tmp_path / "rules.json")


def test_a_missing_file_or_site_is_named(tmp_path: Path, subject: PlantedSubject) -> None:
    with pytest.raises(UserError, match="nothing-here"):
        load_rules(tmp_path / "nothing-here.json")
    with pytest.raises(UnknownNameError, match=r"0\.resid"):
        subject.activations(SiteRef.parse("3.resid"), torch.zeros(1, 2, dtype=torch.long))
