"""A result that shows itself: text in a terminal, HTML in a notebook, the record for programs."""

from __future__ import annotations

from typing import Generic, TypeVar

from rich.console import Console, RenderableType

R = TypeVar("R")
WIDTH = 110
_HTML = "<pre style='font-family:monospace;white-space:pre-wrap;line-height:1.35'>{code}</pre>"


class Shown(Generic[R]):
    """A record with its picture."""

    def __init__(self, record: R, picture: RenderableType, identity: str = "") -> None:
        """A result.

        Args:
            record: the result itself.
            picture: how the command line shows it.
            identity: the investigation's id; empty where there is none.
        """
        self.record, self.id, self._picture = record, identity, picture

    def __repr__(self) -> str:
        return self._drawn().export_text()

    def _repr_html_(self) -> str:
        """What a notebook shows; every text in it is escaped."""
        return self._drawn().export_html(inline_styles=True, code_format=_HTML)

    def _drawn(self) -> Console:
        import io

        console = Console(record=True, width=WIDTH, file=io.StringIO(), force_jupyter=False)
        console.print(self._picture)
        return console
