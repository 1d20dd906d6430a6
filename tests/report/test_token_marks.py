from __future__ import annotations

import pytest
from rich.console import Console

from glossator.report.token_marks import plain_token, safe_text, token_html, token_text
from tests.report.fake_cards import HOSTILE_TOKENS


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (" the", "·the"),
        ("the ", "the·"),
        ("a b", "a b"),
        ("a  b", "a··b"),
        ("\n", "↵"),
        ("\r\n", "␍↵"),
        ("\t\tx", "⇥⇥x"),
        (" " * 64, "·×64"),
        ("\x00", "␀"),
        ("\x1b[31m", "␛[31m"),
        ("\x7f", "␡"),
        ("\x9b", "<U+009B>"),
        ("\u00a0", "⍽"),
        ("\u3000", "<U+3000>"),
        ("\u202e", "<U+202E>"),
        ("\u2028", "<U+2028>"),
        ("\ufeff", "<U+FEFF>"),
        ("\ud800", "<U+D800>"),
        ("\u0301", "◌\u0301"),
        ("e\u0301", "e\u0301"),
        ("\u200d", "<U+200D>"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("\ufe0f", "◌\ufe0f"),
        ("<0xE2>", "<0xE2>"),
        ("<|im_end|>", "<|im_end|>"),
        ("", "∅"),
    ],
)
def test_everything_is_seen(token: str, shown: str) -> None:
    assert plain_token(token) == shown


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("<script>", "&lt;script&gt;"),
        ("\"'&", "&quot;&#x27;&amp;"),
        (" a", "<i>·</i>a"),
        ("·a", "·a"),
        ("שלום", "<bdi>שלום</bdi>"),
        ("\u202e", "<i>&lt;U+202E&gt;</i>"),
    ],
)
def test_html_is_escaped_and_marks_stand_apart_from_the_same_character(token: str, expected: str) -> None:
    assert token_html(token) == expected


def test_one_leading_space_stays_a_space_only_in_running_text() -> None:
    assert token_html(" the", in_running_text=True) == " the"
    assert token_html("  the", in_running_text=True) == " <i>·</i>the"
    assert token_html(" ", in_running_text=True) == "<i>·</i>"
    assert token_html("\n", in_running_text=True) == "<i>↵</i>"


@pytest.mark.parametrize("token", ["[red]", "[/]", "[/red]", "\\[red]", "\\", "[link=x]"])
def test_rich_reads_no_markup_in_a_token(token: str) -> None:
    console = Console(width=80, force_terminal=False)
    with console.capture() as captured:
        console.print(token_text(token))
    assert captured.get() == token + "\n"


@pytest.mark.parametrize("token", HOSTILE_TOKENS)
def test_no_control_character_reaches_a_terminal(token: str) -> None:
    shown = token_text(token).plain
    assert not [c for c in shown if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0]
    assert "\u202e" not in shown


def test_right_to_left_is_isolated_on_a_terminal() -> None:
    assert token_text(" שלום").plain == "\u2068·שלום\u2069"


def test_prose_keeps_its_spaces_and_loses_its_controls() -> None:
    assert safe_text("two  words\nand \x1b[2J [red]") == "two  words and ␛[2J [red]"
    assert safe_text("\u202egnp.exe") == "<U+202E>gnp.exe"
