from __future__ import annotations

import numpy as np
import pytest

from glossator.errors import UnknownNameError
from glossator.feature_selection import draw_features, parse_features, ranges_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5", [5]), ("0-3", [0, 1, 2, 3]), (" 7 , 1-2,2 - 3", [1, 2, 3, 7]), ("9-9", [9])],
)
def test_lists_and_ranges(text: str, expected: list[int]) -> None:
    assert parse_features(text, 10) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5-2", r"'5-2' runs backwards: did you mean 2-5"),
        ("abc", "cannot read the feature 'abc'"),
        ("1,,2", "cannot read the feature ''"),
        ("", "cannot read the feature ''"),
        ("-3", "cannot read"),
        ("1.5", "cannot read"),
        ("²", "cannot read"),
        ("3,10", r"no feature 10: the dictionary has 10, numbered 0-9"),
        ("0-99999999999", "no feature 99999999999"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        parse_features(text, 10)


def test_random_features_are_live_distinct_and_the_same_for_a_seed() -> None:
    live = np.array([2, 3, 5, 7, 11, 13])
    drawn = draw_features(live, 3, seed=1)
    assert drawn == draw_features(live, 3, seed=1)
    assert len(set(drawn)) == 3
    assert set(drawn) <= {2, 3, 5, 7, 11, 13}
    assert draw_features(live, 3, seed=1) != draw_features(live, 3, seed=4)
    assert draw_features(live, 99, seed=0) == [2, 3, 5, 7, 11, 13]
    with pytest.raises(UnknownNameError, match="no feature fires"):
        draw_features(np.array([], dtype=np.int64), 3, seed=0)


def test_ranges_read_well() -> None:
    assert ranges_text([3, 1, 2, 7]) == "1-3, 7"
    assert ranges_text(range(0, 40, 2), limit=3) == "0, 2, 4 and 17 more"
    assert ranges_text([]) == ""
