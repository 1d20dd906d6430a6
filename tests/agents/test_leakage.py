"""Quotes are found whatever their case and punctuation; common turns of phrase are not quotes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from glossator.agents.scorers import leakage
from glossator.agents.scorers.leakage import quotes

WINDOWS = (
    "The old lighthouse keeper walked slowly, down the spiral stairs.",
    "At the end of the day\nit was all over. As it was in the beginning!",
    "January, February, March, April and May don't count",
)


@pytest.mark.parametrize(
    ("label", "quote"),
    [
        ("stories in which the Old LIGHTHOUSE keeper walked home", "the old lighthouse keeper walked"),
        ("months: March -- April, and May don't", "march april and may don't"),
        ("a keeper walked slowly down", "keeper walked slowly down"),
        ("as it was in the", None),
        ("as it was in the beginning", "as it was in the beginning"),
        ("tokens at the end of the", None),
        ("lighthouse keeper walked", None),
        ("spiral stairs at the end", None),
        ("the word slowly", None),
        ("", None),
    ],
)
def test_what_is_a_quote(label: str, quote: str | None) -> None:
    assert quotes(label, WINDOWS) == quote


def test_the_longest_quote_is_told() -> None:
    label = "old lighthouse keeper walked, or January February March April and May"
    assert quotes(label, WINDOWS) == "january february march april and may"
    assert quotes(label, ()) is None


def test_a_run_never_goes_across_windows_nor_part_of_a_word() -> None:
    assert quotes("one red apple two green pears", ["one red apple", "two green pears"]) is None
    assert quotes("big cats chase mice", ["the big cats chase mices"]) is None


def test_many_windows_are_searched_twice_a_word_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[CountedLine] = []

    def counted(texts: Sequence[str]) -> str:
        lines.append(CountedLine(one_line(texts)))
        return lines[-1]

    one_line = leakage._one_line
    monkeypatch.setattr(leakage, "_one_line", counted)
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(50)])
    texts = [" ".join(rng.choice(words, 32)) for _ in range(2_000)]
    label = " ".join(rng.choice(words, 50))
    quotes(label, texts)
    quotes("w1 " * 60, ["w1 " * 32] * 2_000)
    assert 50 <= lines[0].searches <= 2 * 50
    assert 60 <= lines[1].searches <= 2 * 60


class CountedLine(str):
    """Counts how often something is looked for in it."""

    searches = 0

    def __contains__(self, part: str) -> bool:
        self.searches += 1
        return super().__contains__(part)


def test_the_longest_run_is_that_of_a_slow_search() -> None:
    rng = np.random.default_rng(1)
    words = [f"w{i}" for i in range(6)]
    for _ in range(200):
        label = rng.choice(words, 15).tolist()
        texts = [rng.choice(words, 20).tolist() for _ in range(6)]
        slow = max(
            (
                b - a
                for a in range(15)
                for b in range(a + 4, 16)
                if any(stands_in(label[a:b], t) for t in texts)
            ),
            default=0,
        )
        found = quotes(" ".join(label), [" ".join(t) for t in texts])
        assert (0 if found is None else len(found.split())) == slow


def stands_in(run: list[str], text: list[str]) -> bool:
    return any(text[i : i + len(run)] == run for i in range(len(text) - len(run) + 1))
