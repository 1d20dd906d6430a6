"""What a person calls a single token: "a comma", "a line break", `the word piece "ing"`."""

from __future__ import annotations

import re
from enum import StrEnum

MARKS = {
    ",": "a comma",
    ".": "a full stop",
    ";": "a semicolon",
    ":": "a colon",
    "?": "a question mark",
    "!": "an exclamation mark",
    "-": "a hyphen",
    "--": "a double dash",
    "—": "a dash",
    "–": "a dash",
    "...": "an ellipsis",
    "(": "an opening bracket",
    ")": "a closing bracket",
    "[": "an opening square bracket",
    "]": "a closing square bracket",
    "{": "an opening brace",
    "}": "a closing brace",
    '"': "a double quote",
    "'": "an apostrophe",
    "’": "an apostrophe",
    "“": "an opening quote",
    "”": "a closing quote",
    "`": "a backtick",
    "``": "a double backtick",
    "#": "a hash sign",
    "%": "a percent sign",
    "$": "a dollar sign",
    "&": "an ampersand",
    "*": "an asterisk",
    "**": "a double asterisk",
    "+": "a plus sign",
    "=": "an equals sign",
    "==": "a double equals sign",
    "!=": 'the "!=" sign',
    "/": "a slash",
    "\\": "a backslash",
    "|": "a vertical bar",
    "_": "an underscore",
    "__": "a double underscore",
    "<": 'a "<" sign',
    ">": 'a ">" sign',
    "@": "an at sign",
    "^": "a caret",
    "~": "a tilde",
    '"""': "triple quotes",
    "'''": "triple quotes",
    "->": "an arrow",
}
_PART = re.compile(r"^(<0x[0-9A-Fa-f]{2}>)+$|\ufffd")


class TokenKind(StrEnum):
    """What sort of thing a token is to a reader."""

    WORD = "word"
    PIECE = "piece"
    MARK = "mark"
    SPACE = "space"
    DIGIT = "digit"
    BYTES = "bytes"


def kind_of(token: str) -> TokenKind:
    """The sort of thing it is; a piece is letters that no space stands before, in lower case."""
    bare = token.strip()
    if _PART.search(token):
        return TokenKind.BYTES
    if not bare:
        return TokenKind.SPACE
    if bare.isdigit():
        return TokenKind.DIGIT
    if not any(c.isalnum() for c in bare):
        return TokenKind.MARK
    return TokenKind.PIECE if token[0].isalpha() and token[0].islower() else TokenKind.WORD


def quoted(text: str) -> str:
    """In double quotes, with what is not visible escaped; in single ones if it holds a double one."""
    shown = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in shown)
    return f"'{shown}'" if '"' in shown else f'"{shown}"'


def token_name(token: str) -> str:
    """A singular noun phrase for one token."""
    bare = token.strip()
    kind = kind_of(token)
    if kind is TokenKind.SPACE:
        return space_name(token)
    if kind is TokenKind.BYTES:
        return "part of a character outside the vocabulary"
    if kind is TokenKind.DIGIT:
        return f"the digit {quoted(bare)}" if len(bare) == 1 else f"the number {quoted(bare)}"
    if kind is TokenKind.MARK:
        return MARKS.get(bare, f"the sign {quoted(bare)}")
    return f"the word piece {quoted(bare)}" if kind is TokenKind.PIECE else f"the word {quoted(bare)}"


def space_name(token: str) -> str:
    """White space in words."""
    breaks = token.count("\n")
    rest = token.rpartition("\n")[2]
    indent = f"indentation of {len(rest)} spaces" if rest.strip(" ") == "" and len(rest) > 1 else ""
    if not token:
        return "an empty token"
    if breaks == 0:
        if set(token) == {"\t"}:
            return "a tab" if len(token) == 1 else f"{len(token)} tabs"
        return "a space" if len(token) == 1 else f"a run of {len(token)} spaces"
    name = "a line break" if breaks == 1 else "a blank line" if breaks == 2 else f"{breaks} line breaks"
    return f"{name} and {indent}" if indent else name
