from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from glossator.agents.scorers.interventions.meaning_checks import meaning_checks
from glossator.agents.scorers.interventions.sibling_test import CHANCE, N_SIBLINGS, sibling_test
from glossator.agents.scorers.room import ScoringRoom
from glossator.agents.scorers.settings import ScoringSettings
from glossator.records import EvidenceKind, StressCheck
from tests.agents.meaning_fixtures import (
    COMMA,
    DEAD,
    DRINKS,
    HONEST,
    LETTERS,
    METAL,
    METALS,
    drinks,
    said,
    words_label,
)


class CountsOf:
    """Vectors of how often a few words stand in a text."""

    name = "counts"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.array([[1e-3, *(t.count(w) for w in (*DRINKS, *METALS))] for t in texts], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def measured(check: StressCheck) -> tuple[float, float]:
    assert check.value is not None, check.words
    assert check.interval is not None
    return check.value, check.interval.low


def test_a_label_picks_its_own_windows_or_does_not() -> None:
    room = drinks().room
    value, low = measured(sibling_test(room, words_label(METAL, *METALS), (HONEST, LETTERS)).check)
    assert value == 1.0
    assert low > 0.8
    both = words_label(METAL, *METALS, *DRINKS)
    check = sibling_test(room, both, (HONEST, LETTERS)).check
    value, low = measured(check)
    assert value < 0.6
    assert check.passed is False
    assert low <= CHANCE
    assert f"nearest miss: feature {HONEST}, 100%" in check.words


def test_the_label_of_a_sibling_is_worse_than_chance() -> None:
    check = sibling_test(drinks().room, words_label(METAL, *DRINKS), (HONEST,)).check
    value, _ = measured(check)
    assert value < 0.4
    assert check.passed is False


def test_own_windows_are_silent_in_none_of_the_siblings_windows() -> None:
    room = drinks().room
    checked = sibling_test(room, words_label(METAL, *METALS), (HONEST, LETTERS))
    payload = checked.evidence.payload
    assert isinstance(payload, dict)
    positions, features = payload["positions"], payload["feature"]
    assert isinstance(positions, list)
    assert isinstance(features, list)
    assert len(positions) == checked.check.n
    fires = room.sealed.dense(METAL)
    for position, feature in zip(positions, features, strict=True):
        assert isinstance(position, int)
        assert (fires[position] > 0) == (feature == METAL)
    assert not [w for w in (*METALS, *DRINKS) if f'"{w}"' in json.dumps(payload)]
    assert checked.evidence.kind is EvidenceKind.STRESS


def test_without_a_predicate_the_embedder_reads() -> None:
    base = drinks().room
    room = ScoringRoom(
        base.explore,
        base.validate,
        base.sealed,
        index_identity="drinks",
        embedder=CountsOf(),
        settings=ScoringSettings(draws=200),
    )
    right = sibling_test(room, said(METAL, " ".join(METALS)), (HONEST,)).check
    wrong = sibling_test(room, said(METAL, " ".join(DRINKS)), (HONEST,)).check
    assert right.passed is True
    assert "read by the counts" not in right.words
    assert "AUC" in right.words
    assert wrong.passed is False
    unread = sibling_test(base, said(METAL, "metals"), (HONEST,)).check
    assert (unread.value, unread.passed) == (None, None)
    assert "no embedder" in unread.words


def test_where_there_are_no_siblings_windows_it_says_why() -> None:
    room = drinks().room
    for siblings in ((), (METAL,), (DEAD,)):
        check = sibling_test(room, words_label(METAL, *METALS), siblings).check
        assert (check.value, check.interval, check.passed) == (None, None, None)
        assert check.words.startswith("not measured: ")
    dead = sibling_test(room, words_label(DEAD, "never"), (HONEST,)).check
    assert dead.value is None
    assert "0 windows of the feature" in dead.words


def test_only_the_nearest_are_used() -> None:
    many = (HONEST, *[LETTERS] * (N_SIBLINGS - 1), COMMA)
    checked = sibling_test(drinks().room, words_label(METAL, *METALS), many)
    assert isinstance(checked.evidence.recipe["siblings"], list)
    assert len(checked.evidence.recipe["siblings"]) == N_SIBLINGS
    assert COMMA not in checked.evidence.recipe["siblings"]


def test_all_three_checks_come_with_evidence() -> None:
    planted = drinks()
    found = meaning_checks(
        planted.room, words_label(HONEST, *DRINKS), (METAL, LETTERS), activate=planted.activate
    )
    assert [c.name for c in found.checks] == ["lexical neighbours", "siblings", "weak activations"]
    assert [c.passed for c in found.checks[:2]] == [True, True]
    assert len({e.id for e in found.evidence}) == 3
    again = meaning_checks(
        planted.room, words_label(HONEST, *DRINKS), (METAL, LETTERS), activate=planted.activate
    )
    assert again == found
