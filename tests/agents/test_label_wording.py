"""Labels as a reader sees them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics
from glossator.agents.embedded_analyst.firing_target import FiringTarget
from glossator.agents.embedded_analyst.word_families import WordFamilies
from glossator.agents.embedded_analyst.wording import LONGEST, Wording, category_of, shortened
from glossator.probes.token_text import DocumentInfo, TokenText
from glossator.probes.vocabulary import Vocabulary
from glossator.records import (
    AllOf,
    AnyOf,
    Followed,
    Not,
    Position,
    Preceded,
    Predicate,
    TokenIn,
    TokenMatches,
    WeightedWord,
    WeightedWords,
    WindowContains,
    WordIn,
    WordMatches,
)

TOKENS = (
    *(
        " Miss",
        " Jones",
        " ship",
        " sailor",
        "ing",
        ",",
        "7",
        "\n",
        "\n    ",
        "sea",
        " sea",
        " expect",
        " expected",
    ),
    *(" red", " blue", " green", " God", " the", ";", ".", "!"),
)


@pytest.fixture(scope="module")
def wording() -> Wording:
    ids = np.arange(len(TOKENS), dtype=np.int32)
    bounds, documents = np.array([0, len(ids)]), np.zeros(1, dtype=np.int32)
    text = TokenText(ids, bounds, documents, [DocumentInfo("d", "", "")], Vocabulary(TOKENS))
    return Wording(CorpusStatistics.over(text), None)


def target() -> FiringTarget:
    everything = np.arange(len(TOKENS), dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    return FiringTarget(np.ones(len(TOKENS), dtype=np.int8), everything, none, none)


MISS, THE = TokenIn(tokens=(" Miss",)), TokenIn(tokens=(" the",))


@pytest.mark.parametrize(
    ("predicate", "label"),
    [
        (MISS, 'the word "Miss"'),
        (WordIn(words=("god",)), 'the word "God"'),
        (TokenIn(tokens=(" sea", "sea")), 'the word "sea"'),
        (TokenIn(tokens=("ing",)), 'the word piece "ing"'),
        (TokenIn(tokens=("\n", "\n    ")), "a line break"),
        (TokenIn(tokens=("7", ",")), 'the digit "7" or a comma'),
        (WordIn(words=("expect", "expected")), 'a form of "expect"'),
        (WordIn(words=("red", "blue", "green")), 'colours ("red", "blue", "green")'),
        (WordIn(words=("sea", "ship")), 'the words "sea" or "ship"'),
        (TokenMatches(pattern="^ [A-Z]"), "a word that begins with a capital"),
        (WordMatches(pattern="^[A-Z][a-z]+$"), "a capitalised word"),
        (WordMatches(pattern="(?i).ing$"), 'the word "sailoring"'),
        (
            AllOf(parts=(MISS, Followed(by=TokenMatches(pattern="^ [A-Z]")))),
            'the word "Miss" before the words "Jones" or "God"',
        ),
        (AllOf(parts=(MISS, Not(part=Preceded(by=THE)))), 'the word "Miss" (not after "the")'),
        (Preceded(by=MISS), 'anything after the word "Miss"'),
        (AnyOf(parts=(MISS, WordIn(words=("sea",)))), 'the words "sea" or "Miss"'),
        (AnyOf(parts=(MISS, Preceded(by=THE))), 'the word "Miss"; or anything after the word "the"'),
        (AllOf(parts=(MISS, WindowContains(words=("sea", "ship")))), 'the word "Miss" near "sea" or "ship"'),
        (Position(at_most=1), "the first 2 tokens of the context"),
        (
            WeightedWords(
                weights=(WeightedWord(word="sea", weight=1), WeightedWord(word="ship", weight=2)), threshold=2
            ),
            'text with words such as "ship" or "sea"',
        ),
    ],
)
def test_labels_read_as_a_person_would_write_them(wording: Wording, predicate: Predicate, label: str) -> None:
    assert wording.label(predicate, target()) == label


def test_a_long_label_shows_fewer_members_and_is_never_cut_inside_quotes(wording: Wording) -> None:
    words = tuple(f"remarkableword{i:02d}x" for i in range(30))
    label = wording.label(
        AnyOf(parts=(AllOf(parts=(WordIn(words=words), Preceded(by=WordIn(words=words)))), MISS)), target()
    )
    assert len(label) <= LONGEST
    assert label.count('"') % 2 == 0
    assert shortened("word " * 40).endswith(" …")


class Axes:
    """Words about the sea lie on one axis, terms on their own, everything else at random."""

    @property
    def name(self) -> str:
        return "axes"

    def embed(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        out = np.stack([np.random.default_rng(sum(map(ord, t))).normal(size=64) for t in texts])
        out[[i for i, t in enumerate(texts) if t in ("the sea", "wave", "tide", "surf")], 0] += 40
        return (out / np.linalg.norm(out, axis=1, keepdims=True)).astype(np.float32)


def test_groups_are_named_only_where_a_term_stands_out() -> None:
    families = WordFamilies(Axes(), [f"word{i}" for i in range(50)])
    assert families.name(["wave", "tide", "surf"]) == "the sea"
    assert families.name(["lamp", "quartz", "verb", "onion"]) is None
    assert families.name(["wave"]) is None


def test_labels_about_one_thing_are_known_as_such() -> None:
    drinks = 'words about drinks ("coffee", "drink", …)'
    assert category_of(drinks) == "words about drinks"
    assert category_of('words about drinks ("tea") (not before "set", …)') == "words about drinks"
    assert category_of('words about drinks ("tea") after "a"') == 'words about drinks after "a"'
    assert category_of('the word "tea"') == 'the word "tea"'
    assert category_of('words about law ("court")') != category_of(drinks)
