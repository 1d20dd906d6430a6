"""Where results go: a table on a terminal, JSON lines when piped or asked for; never mixed.

Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

else:
    RenderableType = Any

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON lines, also on a terminal.")]


def wants_json(asked: bool) -> bool:
    """Whether results are for a program: asked for, or stdout is not a terminal."""
    return asked or not sys.stdout.isatty()


def print_json_line(value: object) -> None:
    """Print `value` as one line of ASCII JSON."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def print_rich(*renderables: RenderableType) -> None:
    """Print tables and panels to stdout."""
    from rich.console import Console

    console = Console()
    for renderable in renderables:
        console.print(renderable)


def note(message: str) -> None:
    """Say something to the person, on stderr, as it is (no markup)."""
    typer.echo(message, err=True)


def note_if_heard(message: str) -> None:
    """`note` for a night's work: it goes on though the terminal is gone, or the disk of its log is full."""
    with contextlib.suppress(OSError):
        note(message)
