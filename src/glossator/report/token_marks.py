"""Token text made visible and safe, for a page and for a terminal.

A token can be anything: a newline, half a character, an escape sequence, a script tag, a direction
override. `token_marks` cuts it into plain text and *marks*; a mark stands for something that could
not be seen or should not be let through, and is styled apart, so that a literal `↵` in a text and a
newline look different. `token_html` and `token_text` dress the same marks for their medium.

Directions follow Unicode Annex 9 (https://www.unicode.org/reports/tr9/): tokens with right-to-left
letters are isolated, and direction controls inside a token are written out.
"""

from __future__ import annotations

import html
import unicodedata
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from rich.text import Text

_PICTURED_WHITESPACE = {" ": "·", "\n": "↵", "\t": "⇥", "\r": "␍", "\u00a0": "⍽"}
_JOINERS = "\u200c\u200d"
_DOTTED_CIRCLE = "◌"
_LONGEST_RUN = 8
_RIGHT_TO_LEFT = {"R", "AL", "AN"}
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


class TokenMark(NamedTuple):
    """A piece of a token as shown."""

    text: str
    """What is shown."""
    is_mark: bool
    """Whether it stands for something invisible or unsafe rather than for itself."""


@lru_cache(maxsize=65_536)
def token_marks(token: str, *, in_running_text: bool = False) -> tuple[TokenMark, ...]:
    """`token` as pieces to show.

    Args:
        token: The token's text, special tokens raw.
        in_running_text: Keep one leading space a space, because the tokens beside it are shown too;
            alone, a token's leading space is part of what it is and becomes `·`.

    """
    if not token:
        return (TokenMark("∅", True),)
    pieces: list[TokenMark] = []
    rest = token
    if in_running_text and token[0] == " " and token.strip():
        pieces.append(TokenMark(" ", False))
        rest = token[1:]
    for (character, is_mark), run in groupby(_shown_characters(rest)):
        _append_run(pieces, character, is_mark, len(list(run)))
    return tuple(pieces)


def token_html(token: str, *, in_running_text: bool = False) -> str:
    """`token` as escaped HTML; marks are `<i>`, right-to-left text is inside `<bdi>`."""
    pieces = token_marks(token, in_running_text=in_running_text)
    dressed = "".join(f"<i>{html.escape(p.text)}</i>" if p.is_mark else html.escape(p.text) for p in pieces)
    return f"<bdi>{dressed}</bdi>" if is_right_to_left(token) else dressed


def token_text(token: str, *, in_running_text: bool = False, style: str = "") -> Text:
    """`token` for a terminal: literal text, in which rich reads no markup and no escape is left."""
    shown = Text(style=style)
    for piece in token_marks(token, in_running_text=in_running_text):
        shown.append(piece.text, style="dim" if piece.is_mark else None)
    if not is_right_to_left(token):
        return shown
    return Text.assemble(_FIRST_STRONG_ISOLATE, shown, _POP_ISOLATE)


def plain_token(token: str) -> str:
    """`token` with its marks as plain text, for a title or a log line."""
    return "".join(piece.text for piece in token_marks(token))


def safe_text(text: str) -> str:
    """Prose (a label, a reason) with what could upset a page or a terminal written out; spaces stay."""
    if text.isprintable() and (text.isascii() or _needs_nothing(text)):
        return text
    shown = "".join(
        " " if c.isspace() else piece for c, (piece, _) in zip(text, _shown_characters(text), strict=True)
    )
    return f"{_FIRST_STRONG_ISOLATE}{shown}{_POP_ISOLATE}" if is_right_to_left(text) else shown


def _needs_nothing(printable: str) -> bool:
    return not is_right_to_left(printable) and not unicodedata.category(printable[0]).startswith("M")


def is_right_to_left(text: str) -> bool:
    """Whether any letter of `text` is written from right to left."""
    return any(unicodedata.bidirectional(c) in _RIGHT_TO_LEFT for c in text)


def _append_run(pieces: list[TokenMark], shown: str, is_mark: bool, count: int) -> None:
    """Add `count` times `shown`, with a long run of one mark counted, joined to what it continues."""
    text = f"{shown}×{count}" if is_mark and count > _LONGEST_RUN else shown * count
    if pieces and pieces[-1].is_mark == is_mark:
        pieces[-1] = TokenMark(pieces[-1].text + text, is_mark)
    else:
        pieces.append(TokenMark(text, is_mark))


def _shown_characters(token: str) -> list[tuple[str, bool]]:
    """For each character what is shown for it, and whether that is a mark."""
    last = len(token) - 1
    inside_words = [
        c == " " and 0 < i < last and not token[i - 1].isspace() and not token[i + 1].isspace()
        for i, c in enumerate(token)
    ]
    return [
        (" ", False) if inside else _shown_character(c, at_edge=i in (0, last), leads=i == 0)
        for i, (c, inside) in enumerate(zip(token, inside_words, strict=True))
    ]


def _shown_character(character: str, *, at_edge: bool, leads: bool) -> tuple[str, bool]:
    """What is shown for one character; joiners pass inside a token, where they hold emoji together."""
    if character in _PICTURED_WHITESPACE:
        return _PICTURED_WHITESPACE[character], True
    code = ord(character)
    category = unicodedata.category(character)
    if code < 0x20:
        return chr(0x2400 + code), True
    if code == 0x7F:
        return "␡", True
    if character in _JOINERS and not at_edge:
        return character, False
    if category in ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs"):
        return f"<U+{code:04X}>", True
    if leads and category.startswith("M"):
        return _DOTTED_CIRCLE + character, False
    return character, False
