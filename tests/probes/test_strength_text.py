"""Strengths as a person writes them."""

from __future__ import annotations

import pytest

from glossator.errors import UserError
from glossator.probes.interventions.strength_text import Strength, parse_strength


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto", Strength(None, 0.33, 1)),
        (" Auto ", Strength(None, 0.33, 1)),
        ("-auto", Strength(None, 0.33, -1)),
        ("2x", Strength(2.0, None, 1)),
        ("2", Strength(2.0, None, 1)),
        ("-0.5x", Strength(-0.5, None, -1)),
        (".5", Strength(0.5, None, 1)),
        ("1e2x", Strength(100.0, None, 1)),
        ("0", Strength(0.0, None, 1)),
        ("kl=0.33", Strength(None, 0.33, 1)),
        ("KL=3", Strength(None, 3.0, 1)),
        ("kl=-0.33", Strength(None, 0.33, -1)),
        ("-kl=0.33", Strength(None, 0.33, -1)),
        ("kl=0", Strength(0.0, None, 1)),
    ],
)
def test_what_is_meant(text: str, expected: Strength) -> None:
    assert parse_strength(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "nan",
        "inf",
        "-inf",
        "kl=nan",
        "1e999",
        "kl=",
        "kl",
        "2y",
        "kl=2x",
        "auto2",
        "--2",
        "- -auto",
        "1,5",
    ],
)
def test_what_is_no_strength(text: str) -> None:
    with pytest.raises(UserError, match=r"auto, multiples .* or kl=0\.33") as caught:
        parse_strength(text)
    assert caught.value.exit_code == 2
    assert repr(text) in str(caught.value)
