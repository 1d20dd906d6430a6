"""Predicates against a naive evaluator that looks at one token at a time, in plain Python."""

from __future__ import annotations

import re

import numpy as np
import pytest

from glossator.errors import UserError
from glossator.probes.predicate_evaluation import evaluate
from glossator.probes.token_text import DocumentInfo, TokenText
from glossator.probes.vocabulary import Vocabulary
from glossator.probes.word_table import words_of
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
    "<|end|>", " the", "the", " Miss", " do", "n", "'t", 
    "'", "’", " ", "\n", "12", "_", "é", "e", "\u0301", "ÉT", " sea",
    "ship", "ß", "<0xE2>", "a b", "b c", "!", "\u202e", "😀", " Don", "s", "", 
    "word-like", "'a'", "\ud800", "x\n",
)  # fmt: skip
VOCABULARY = Vocabulary(TOKENS, frozenset({0}))


def text_of(rows: list[list[int]]) -> TokenText:
    ids = np.array([i for row in rows for i in row], dtype=np.int64)
    start = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    document = np.zeros(len(rows), dtype=np.int64)
    return TokenText(ids, start, document, [DocumentInfo("d", "", "")], VOCABULARY)


def naive_words(row: list[int]) -> list[tuple[str | None, bool]]:
    """For each token: its first word, as written, and whether it begins in it. Letter by letter."""
    chars: list[tuple[str, int]] = []
    for t, i in enumerate(row):
        shown = " " * 3 if i == 0 or re.fullmatch(r"<0x..>", TOKENS[i]) else TOKENS[i]
        chars += [(c, t) for c in shown]
    letter = [c.isalnum() for c, _ in chars]
    for k, (c, _) in enumerate(chars):
        letter[k] = letter[k] or ("\u0300" <= c <= "\u036f" and k > 0 and letter[k - 1])
    inside = list(letter)
    for k, (c, _) in enumerate(chars):
        if c in "'’" and 0 < k < len(chars) - 1 and letter[k - 1] and chars[k + 1][0].isalnum():
            inside[k] = True
    out: list[tuple[str | None, bool]] = [(None, False)] * len(row)
    k = 0
    while k < len(chars):
        end = k
        while end < len(chars) and inside[end]:
            end += 1
        if end > k:
            word = "".join(c for c, _ in chars[k:end])
            for t in sorted({t for _, t in chars[k:end]}):
                if out[t][0] is None:
                    out[t] = (word, t == chars[k][1])
        k = max(end, k + 1)
    return out


def fold(word: str) -> str:
    return word.casefold().replace("’", "'")


def holds(p: Predicate, row: list[int], words: list[tuple[str | None, bool]], t: int) -> bool:
    """One token of one row."""
    if isinstance(p, TokenIn):
        return TOKENS[row[t]] in p.tokens
    if isinstance(p, TokenMatches):
        return re.search(p.pattern.replace("$", r"\Z"), TOKENS[row[t]]) is not None
    word = words[t][0]
    if isinstance(p, WordIn):
        return word is not None and fold(word) in {fold(w) for w in p.words}
    if isinstance(p, WordMatches):
        return word is not None and re.search(p.pattern, word) is not None
    if isinstance(p, Preceded):
        return any(holds(p.by, row, words, s) for s in range(max(0, t - p.within), t))
    if isinstance(p, Followed):
        return any(holds(p.by, row, words, s) for s in range(t + 1, min(len(row), t + p.within + 1)))
    if isinstance(p, WindowContains | WeightedWords):
        around = range(max(0, t - p.before), min(len(row), t + p.after + 1))
        standing = [fold(words[s][0] or "") for s in around if words[s][1]]
        if isinstance(p, WindowContains):
            return any(w in {fold(x) for x in p.words} for w in standing)
        return sum(w.weight for w in p.weights for s in standing if s == fold(w.word)) >= p.threshold - 1e-9
    if isinstance(p, Position):
        return p.at_least <= t and (p.at_most is None or t <= p.at_most)
    if isinstance(p, AllOf):
        return all(holds(part, row, words, t) for part in p.parts)
    if isinstance(p, AnyOf):
        return any(holds(part, row, words, t) for part in p.parts)
    assert isinstance(p, Not)
    return not holds(p.part, row, words, t)


def random_predicate(rng: np.random.Generator, depth: int) -> Predicate:
    tokens = tuple(TOKENS[i] for i in rng.integers(0, len(TOKENS), 3))
    words = tuple(
        str(w)
        for w in rng.choice(["the", "don't", "DON’T", "sea", "ship", "ss", "a", "b", "miss", "e\u0301t"], 3)
    )
    before, after = int(rng.integers(0, 5)), int(rng.integers(0, 3))
    leaves: list[Predicate] = [
        TokenIn(tokens=tokens),
        TokenMatches(pattern=str(rng.choice([r"^ ?[A-Z]", r"\d", "n$", r"^\s+$", "é|ß", "."]))),
        WordIn(words=words),
        WordMatches(pattern=str(rng.choice(["^[A-Z]", "(?i)^don", "s", "'", r"^\d+"]))),
        WindowContains(words=words, before=before, after=after),
        WeightedWords(
            weights=tuple(WeightedWord(word=w, weight=float(rng.choice([0.1, 0.2, -0.3, 1]))) for w in words),
            threshold=float(rng.choice([0.3, 0.1, 1.0, -0.1])), before=before, after=after,
        ),
        Position(at_least=before, at_most=None if after == 0 else before + after),
    ]  # fmt: skip
    if depth == 0:
        return leaves[int(rng.integers(0, len(leaves)))]
    inner = [random_predicate(rng, depth - 1) for _ in range(2)]
    within = int(rng.integers(1, 4))
    nodes: list[Predicate] = [
        Preceded(by=inner[0], within=within), Followed(by=inner[0], within=within), AllOf(parts=tuple(inner)),
        AnyOf(parts=tuple(inner)), Not(part=inner[0]),
    ]  # fmt: skip
    return nodes[int(rng.integers(0, len(nodes)))]


@pytest.mark.parametrize("seed", range(40))
def test_agrees_with_a_naive_evaluator(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [rng.integers(0, len(TOKENS), int(n)).tolist() for n in rng.choice([0, 1, 2, 9, 30], 6)]
    text = text_of(rows)
    words = [naive_words(row) for row in rows]
    for depth in (0, 0, 0, 0, 1, 1, 2, 3):
        predicate = random_predicate(rng, depth)
        expected = [
            holds(predicate, row, of_row, t)
            for row, of_row in zip(rows, words, strict=True)
            for t in range(len(row))
        ]
        assert evaluate(predicate, text).tolist() == expected, predicate


@pytest.mark.parametrize("seed", range(20))
def test_words_agree_with_a_naive_segmentation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [rng.integers(0, len(TOKENS), int(n)).tolist() for n in rng.choice([0, 3, 50], 5)]
    table = words_of(text_of(rows))
    got = [
        (None if c < 0 else table.cased[c], bool(f))
        for c, f in zip(table.cased_of.tolist(), table.first, strict=True)
    ]
    assert got == [pair for row in rows for pair in naive_words(row)]
    held = table.word_of >= 0
    assert [table.words[w] for w in table.word_of[held]] == [
        fold(table.cased[c]) for c in table.cased_of[held]
    ]


def test_word_pieces_are_one_word_and_rows_cut_words() -> None:
    do, n, t = TOKENS.index(" do"), TOKENS.index("n"), TOKENS.index("'t")
    table = words_of(text_of([[do, n, t], [do], [n]]))
    assert [table.words[w] for w in table.word_of] == ["don't", "don't", "don't", "do", "n"]
    assert table.first.tolist() == [True, False, False, True, True]


def test_neighbours_do_not_cross_rows() -> None:
    the, miss = TOKENS.index(" the"), TOKENS.index(" Miss")
    text = text_of([[the], [], [miss, miss], [the]])
    is_the = TokenIn(tokens=(" the",))
    assert evaluate(Preceded(by=is_the), text).tolist() == [False] * 4
    assert evaluate(Preceded(by=is_the, within=9), text).tolist() == [False] * 4
    assert evaluate(Followed(by=is_the), text).tolist() == [False] * 4
    assert evaluate(WindowContains(words=("The",), before=9, after=9), text).tolist() == [
        True,
        False,
        False,
        True,
    ]


def test_a_sum_that_equals_the_threshold_on_paper_holds() -> None:
    weights = (WeightedWord(word="the", weight=0.1), WeightedWord(word="miss", weight=0.2))
    text = text_of([[TOKENS.index(" the"), TOKENS.index(" Miss")]] * 1000)
    held = evaluate(WeightedWords(weights=weights, threshold=0.3), text)
    assert held.tolist() == [False, True] * 1000


def test_empty_text() -> None:
    for predicate in (
        Preceded(by=WordIn(words=("a",))),
        WindowContains(words=("a",)),
        Position(),
        TokenMatches(pattern="."),
    ):
        assert evaluate(predicate, text_of([])).shape == (0,)
        assert evaluate(predicate, text_of([[], []])).shape == (0,)


@pytest.mark.parametrize("pattern", ["(", "a(?=b)", r"(a)\1", "[z-a]"])
def test_what_re2_does_not_read_is_a_user_error(pattern: str) -> None:
    with pytest.raises(UserError, match="not a pattern"):
        evaluate(TokenMatches(pattern=pattern), text_of([[1]]))
    with pytest.raises(UserError, match="RE2"):
        evaluate(WordMatches(pattern=pattern), text_of([[1]]))


@pytest.mark.timeout(60)  # elsewhere it would never end
def test_a_pattern_that_explodes_elsewhere_is_linear_here() -> None:
    vocabulary = Vocabulary(("a" * 4000 + "!",))
    text = TokenText(
        np.zeros(5, np.int64),
        np.array([0, 5]),
        np.zeros(1, np.int64),
        [DocumentInfo("d", "", "")],
        vocabulary,
    )
    assert not evaluate(TokenMatches(pattern="^(a+)+$"), text).any()
