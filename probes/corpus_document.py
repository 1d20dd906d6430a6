"""One text of a corpus."""

from __future__ import annotations

from typing import NamedTuple


class Document(NamedTuple):
    """One text and where it came from."""

    id: str
    """Unique within its corpus."""
    title: str
    """For people; may be empty."""
    genre: str
    """`news`, `code`, …; may be empty."""
    text: str
    """The text, never blank, free of lone surrogates."""
    source: str
    """The file or data set that it was read from."""
