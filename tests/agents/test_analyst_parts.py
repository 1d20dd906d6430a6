"""The analyst's parts against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics, Key
from glossator.agents.embedded_analyst.firing_target import firing_target, remaining
from glossator.agents.embedded_analyst.rule_choice import score_rule, window_sample
from glossator.agents.embedded_analyst.set_growth import Tally, grow_set, shrink_set, tally
from glossator.agents.embedded_analyst.token_names import token_name
from glossator.agents.embedded_analyst.window_words import logistic_weights
from glossator.agents.embedded_analyst.word_forms import base_form, families
from glossator.probes.split_view import ArrayFirings, ExploreView, Firings
from glossator.probes.token_text import DocumentInfo, TokenText
from glossator.probes.vocabulary import Vocabulary
from glossator.records import TokenIn

TOKENS = (" the", " sea", " ship", "s", " a", ".")


def view_of(ids: list[int], firings: dict[int, float], row: int = 10) -> ExploreView:
    bounds = np.array([*range(0, len(ids), row), len(ids)], dtype=np.int64)
    documents = np.arange(len(bounds) - 1, dtype=np.int32)
    infos = [DocumentInfo(str(d), "", "") for d in documents]
    text = TokenText(np.array(ids, dtype=np.int32), bounds, documents, infos, Vocabulary(TOKENS))
    at = np.array(sorted(firings), dtype=np.int64)
    return ExploreView(
        ArrayFirings(text, [Firings(at, np.array([firings[int(p)] for p in at], dtype=np.float32))])
    )


def test_strong_weak_and_silent_tokens() -> None:
    view = view_of([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 0, 1], {1: 1.0, 3: 0.3, 5: 0.31, 11: 0.1})
    target = firing_target(view, 0, 1.0)
    assert target.strong.tolist() == [1, 5]
    assert target.weak.tolist() == [3, 11]
    assert target.wanted.tolist() == [-1, 1, 0, -1, 0, 1, 0, 0, 0, 0, -1, -1]
    assert target.silent.tolist() == [2, 4, 6, 7, 8, 9]
    left = remaining(target, np.array([1, 2]))
    assert left.strong.tolist() == [5]
    assert left.silent.tolist() == [4, 6, 7, 8, 9]


def test_keys_do_not_cross_rows() -> None:
    stats = CorpusStatistics.over(view_of([0, 1, 2, 3, 4, 5], {}, row=3).text)
    assert stats.keys[Key.PREVIOUS].tolist() == [6, 0, 1, 6, 3, 4]
    assert stats.keys[Key.NEXT].tolist() == [1, 2, 6, 4, 5, 6]
    assert [stats.name(Key.WORD, w) for w in stats.keys[Key.WORD][:3].tolist()] == ["the", "sea", "ship"]


def test_a_set_grows_while_it_helps() -> None:
    """Value 7: 9 of 10; value 8: 5 of 10; value 9: 1 of 100. With 15 wanted, {7, 8} is best."""
    counted = Tally(np.array([7, 8, 9]), np.array([9, 5, 1]), np.array([10, 10, 100]))
    assert grow_set(counted, 15, 0.001).values.tolist() == [7, 8]
    assert set(grow_set(counted, 15, 0.001, beta=30.0).values.tolist()) == {7, 8, 9}


def test_a_tally_leaves_out_none() -> None:
    counted = tally(np.array([1, 1, 2, 4]), np.array([2, 2, 3, 4]), none=4, size=5)
    assert counted.value.tolist() == [1, 2]
    assert counted.wanted.tolist() == [2, 1]
    assert counted.total.tolist() == [2, 3]


def test_exceptions_are_what_costs_precision() -> None:
    wanted, unwanted = np.array([1] * 20 + [2] * 20), np.array([3] * 30 + [1])
    out = shrink_set(wanted, unwanted, none=9, size=10, n_wanted=40)
    assert out.values.tolist() == [3]
    assert out.f1 == pytest.approx(80 / 81)


def test_scores_count_strong_firings_against_silence_only() -> None:
    view = view_of([0, 1, 2, 1, 4, 1, 0, 1, 2, 3], {1: 1.0, 3: 0.2, 8: 0.9})
    target = firing_target(view, 0, 1.0)
    stats = CorpusStatistics.over(view.text)
    score = score_rule(TokenIn(tokens=(" sea",)), stats, target, window_sample(view, 0, 1.0))
    assert (score.precision, score.recall) == (pytest.approx(1 / 3), pytest.approx(1 / 2))
    assert score.f1 == pytest.approx(2 / 5)


def test_logistic_weights_find_the_word_that_matters() -> None:
    rng = np.random.default_rng(0)
    present = (rng.random((400, 3)) < 0.5).astype(np.float32)
    weights = logistic_weights(present, present[:, 1] > 0)
    assert weights[1] > 3
    assert abs(weights[0]) < 0.7
    assert abs(weights[2]) < 0.7


@pytest.mark.parametrize(
    ("word", "base"),
    [
        ("expected", "expect"),
        ("carries", "carry"),
        ("was", "be"),
        ("hoping", "hope"),
        ("running", "run"),
        ("gas", "gas"),
        ("bus", "bus"),
        ("children", "child"),
        ("unseen", "unseen"),
    ],
)
def test_base_forms(word: str, base: str) -> None:
    assert base_form(word, {"expect", "carry", "hope", "run"}) == base


def test_families_keep_their_order() -> None:
    assert families(["went", "expects", "go"], {"expect"}) == {"go": ["went", "go"], "expect": ["expects"]}


@pytest.mark.parametrize(
    ("token", "name"),
    [
        (",", "a comma"),
        (" (", "an opening bracket"),
        ("\n", "a line break"),
        ("\n\n", "a blank line"),
        ("        ", "a run of 8 spaces"),
        ("\n    ", "a line break and indentation of 4 spaces"),
        ("ing", 'the word piece "ing"'),
        (" Miss", 'the word "Miss"'),
        ("7", 'the digit "7"'),
        ("<0xE2>", "part of a character outside the vocabulary"),
        (' "%', "the sign '\"%'"),
        ("\t", "a tab"),
        ("", "an empty token"),
    ],
)
def test_tokens_have_names(token: str, name: str) -> None:
    assert token_name(token) == name
