from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from glossator.agents.scorers import open_scoring_room
from glossator.agents.scorers.interventions.lexical_neighbours import BOUND, lexical_neighbours, ratio_ends
from glossator.agents.scorers.interventions.word_neighbours import (
    embedding_similarity,
    same_family,
    semantic_neighbours_of,
    shares_letters,
)
from glossator.agents.scorers.interventions.word_occurrences import occurrences, reach_of, word_rules
from glossator.probes.intervals import Ends
from glossator.probes.planted_causal import planted_causal
from glossator.probes.sentence_embedder import HashingEmbedder
from glossator.probes.text_activations import TextActivations
from glossator.records import (
    AllOf,
    Explanation,
    Not,
    Preceded,
    StressCheck,
    TokenIn,
    TokenMatches,
    WindowContains,
    WordIn,
    WordMatches,
)
from tests.agents.meaning_fixtures import (
    COMMA,
    DEAD,
    DRINKS,
    HONEST,
    LETTERS,
    LOOKALIKES,
    drinks,
    meanings,
    said,
    tokens_label,
    words_label,
)


def value_of(check: StressCheck) -> float:
    assert check.value is not None, check.words
    return check.value


@pytest.mark.parametrize("seeds", [range(3), pytest.param(range(20), marks=pytest.mark.slow)])
def test_letters_are_told_from_meaning(seeds: range) -> None:
    fails = passes = 0
    for seed in seeds:
        room = drinks(seed).room
        confound = lexical_neighbours(room, words_label(LETTERS, "coffee", "tea")).check
        honest = lexical_neighbours(room, words_label(HONEST, *DRINKS)).check
        fails += confound.passed is False and value_of(confound) > 0.6
        passes += honest.passed is True and value_of(honest) < 0.1
    assert min(fails, passes) >= 0.95 * len(seeds)


def test_a_label_that_claims_the_letters_is_honest_about_them() -> None:
    room = drinks().room
    for rule in (WordMatches(pattern="^cof"), TokenMatches(pattern="^ cof")):
        checked = lexical_neighbours(room, said(LETTERS, 'words starting with "cof"', rule))
        assert isinstance(checked.evidence.payload, dict)
        named = json.dumps(checked.evidence.payload["lexical"])
        assert "coff" not in named.replace("toffee", "")
        assert checked.check.passed is not False


def test_one_word_known_by_its_letters_does_not_hide_among_others() -> None:
    """The feature fires on `cof…` alone, and the label names it among words it also fires on."""
    room = drinks().room
    many = words_label(LETTERS, "coffee")
    assert lexical_neighbours(room, many).check.passed is False
    assert "coffin" in lexical_neighbours(room, many).check.words


def test_rare_words_are_put_into_sentences() -> None:
    """Sealed holds no lookalike: only the sentences can find that the feature fires on them."""
    planted = drinks(3, LOOKALIKES, sealed_lookalikes=False)
    label = words_label(LETTERS, "coffee")
    without = lexical_neighbours(planted.room, label).check
    assert (without.value, without.passed) == (None, None)
    assert "0 with words that look like them" in without.words
    assert lexical_neighbours(planted.room, label, planted.activate).check.passed is False
    honest = lexical_neighbours(planted.room, words_label(HONEST, *DRINKS), planted.activate).check
    assert honest.value == 0.0
    assert honest.passed is not False


def test_sentences_that_fire_whatever_the_word_is_are_left_out() -> None:
    planted = drinks(3, LOOKALIKES, sealed_lookalikes=False)

    def always(feature: int, texts: Sequence[str]) -> np.ndarray:
        return np.where([t.startswith("Nobody") for t in texts], 1.0, 0.0).astype(np.float32)

    checked = lexical_neighbours(planted.room, words_label(HONEST, *DRINKS), always)
    assert isinstance(checked.evidence.payload, dict)
    carriers = checked.evidence.payload["carriers"]
    assert isinstance(carriers, list)
    assert len(carriers) == 3
    assert checked.check.value == 0.0


def test_words_near_in_meaning_are_no_lexical_neighbours() -> None:
    room = drinks().room
    label = words_label(LETTERS, "coffee")
    near = meanings((*DRINKS, "coffin", "coffins", "coffer"))
    checked = lexical_neighbours(room, label, None, near)
    assert isinstance(checked.evidence.payload, dict)
    assert "coffin" not in json.dumps(checked.evidence.payload["lexical"])
    # The reverse: the feature of letters is silent on words that mean the same and look different.
    assert "words near in meaning" in checked.check.words
    assert "tea" in json.dumps(checked.evidence.payload["semantic"])
    assert ": 0% of" in checked.check.words
    honest = lexical_neighbours(room, words_label(HONEST, "coffee"), None, meanings(DRINKS))
    assert isinstance(honest.evidence.payload, dict)
    assert ": 100% of" in honest.check.words


def test_a_label_without_a_predicate_is_about_the_words_it_names() -> None:
    room = drinks().room
    assert lexical_neighbours(room, said(LETTERS, "mentions of coffee")).check.passed is False
    assert lexical_neighbours(room, said(HONEST, "coffee, tea, espresso or cocoa")).check.passed is True
    by_meaning = meanings(("hot drinks", *DRINKS))
    assert lexical_neighbours(room, said(LETTERS, "hot drinks"), None, by_meaning).check.passed is False


@pytest.mark.parametrize(
    "label",
    [
        said(COMMA, "a comma", TokenIn(tokens=(",",))),
        words_label(DEAD, "never"),
        words_label(HONEST, "absent"),
        words_label(HONEST, "espresso"),
    ],
)
def test_where_there_is_nothing_to_compare_it_says_why(label: Explanation) -> None:
    room = drinks().room
    check = lexical_neighbours(room, label).check
    assert (check.value, check.interval, check.passed) == (None, None, None)
    assert check.words.startswith("not measured: ")


def test_a_wrong_label_gives_no_value() -> None:
    """Its words fire the feature as seldom as others do, so nothing can be put in relation to them."""
    room = drinks().room
    dense = said(HONEST, "some of it", WordIn(words=("coffee", *(f"bar{x}" for x in "abc"))))
    assert lexical_neighbours(room, dense).check.passed is True
    wrong = lexical_neighbours(room, words_label(HONEST, "team", "teach")).check
    assert wrong.value is None


def test_few_places_leave_it_undecided() -> None:
    planted = drinks(1, ("coffin",))
    honest = lexical_neighbours(planted.room, words_label(HONEST, "coffee")).check
    if honest.value is not None:
        assert honest.interval is not None
        assert (honest.passed is True) == (honest.interval.high < BOUND)
        assert honest.passed is not False


def test_evidence_names_no_sealed_word_and_is_reproducible() -> None:
    one = lexical_neighbours(drinks(5).room, tokens_label(HONEST, *DRINKS))
    assert one == lexical_neighbours(drinks(5).room, tokens_label(HONEST, *DRINKS))
    room = drinks(5).room
    open_words = {w for v in (room.explore, room.validate) for w in occurrences(v, HONEST, 0.0, 0).words}
    assert isinstance(one.evidence.payload, dict)
    kinds = one.evidence.payload["fires_of_n"]
    assert isinstance(kinds, dict)
    for counts in kinds.values():
        assert isinstance(counts, dict)
        assert set(counts) <= open_words


@pytest.mark.parametrize(
    "pair",
    ["coffee coffin", "tea team", "would world", "at atom", "ship shop", "sea season", "comma commerce"],
)
def test_words_that_look_alike(pair: str) -> None:
    one, other = pair.split()
    assert shares_letters(one, other)
    assert shares_letters(other, one)
    assert not same_family(one, other, {"sea", "comma", "coffee"})


@pytest.mark.parametrize(
    "pair", ["coffee tea", "coffee coffee", "walk run", "1987 1986", "a at", "form from"]
)
def test_words_that_do_not_look_alike(pair: str) -> None:
    one, other = pair.split()
    assert not shares_letters(one, other)


@pytest.mark.parametrize(
    "pair", ["use used", "use user", "walk walking", "baby babies", "run runner", "stop stopped", "go went"]
)
def test_forms_of_one_word(pair: str) -> None:
    one, other = pair.split()
    assert same_family(one, other, {"use", "walk", "baby", "run", "stop"})
    assert same_family(other, one, {"use", "walk", "baby", "run", "stop"})


def test_the_hashing_embedder_knows_no_meanings() -> None:
    assert embedding_similarity(None) is None
    assert embedding_similarity(HashingEmbedder()) is None
    assert semantic_neighbours_of(["tea"], ["coffee"], set(), None, 5) == []


def test_rules_are_walked() -> None:
    rule = AllOf(
        parts=(
            Preceded(by=WordIn(words=("of",)), within=2),
            Not(part=WordIn(words=("no",))),
            TokenIn(tokens=(" a",)),
        )
    )
    assert word_rules(rule) == (WordIn(words=("of",)), TokenIn(tokens=(" a",)))
    assert reach_of(rule) == 2
    assert reach_of(WindowContains(words=("sea",), before=32)) == 16
    assert reach_of(None) == 0


def test_a_firing_on_any_token_of_a_word_counts_as_the_words() -> None:
    room = drinks().room
    seen = occurrences(room.sealed, HONEST, 0.0, 0)
    fired = {seen.words[int(i)] for i in np.flatnonzero(seen.counts(seen.fires))}
    assert fired == set(DRINKS)
    wider = occurrences(room.sealed, HONEST, 0.0, 1)
    assert wider.fires.sum() > seen.fires.sum()
    ends = room.sealed.text.row_start[room.sealed.text.row_of[wider.spans.start] + 1]
    assert (wider.spans.stop <= ends).all()


def test_ratio_ends() -> None:
    none = ratio_ends(0.0, Ends(0.0, 0.1), 1.0, Ends(0.9, 1.0))
    assert none.low == 0
    assert 0.1 < none.high < 0.12
    half = ratio_ends(0.4, Ends(0.3, 0.5), 0.8, Ends(0.7, 0.9))
    assert 0.35 < half.low < 0.5 < half.high < 0.66


@pytest.mark.slow
def test_in_a_real_model_the_planted_confound_fails_and_the_clean_feature_passes(tmp_path: Path) -> None:
    planted = planted_causal(0)
    room = open_scoring_room(planted.index(tmp_path / "index"))
    activate = TextActivations(planted.subject, planted.dictionary, context=64)
    said_of = planted.explanations()
    confound = lexical_neighbours(room, said_of["lexical"], activate).check
    clean = lexical_neighbours(room, said_of["clean"], activate).check
    assert (confound.passed, clean.passed) == (False, True)
    assert "coffin" in confound.words
