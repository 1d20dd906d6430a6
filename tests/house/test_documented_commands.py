"""Every `glossator …` line of the documentation, held against the command line itself; none is run.

A line stands in a fenced or indented block, or between backticks. `…` stands for more of the same, brackets
for what may be left out, bars between words for a choice; after a `$ ` a bar is a pipe.
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.main import get_command

from glossator.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^ *(?P<prompt>\$ )?(?P<line>glossator .*)$")
SPAN = re.compile(r"`(?P<line>glossator [^`]*)`")
MODELS = {"explainer", "scorer", "investigator"}


class Documented(NamedTuple):
    """One line, as it would be typed."""

    where: str
    words: tuple[str, ...]
    whole: bool
    """It is typed just so: nothing was left out, and it does not only name a command."""


def documented(page: Path) -> Iterator[Documented]:
    fenced = False
    joined = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for number, text in enumerate(joined.splitlines(), 1):
        fenced ^= text.startswith("```")
        found = BLOCK.match(text) if fenced or text.startswith("    ") else None
        lines = [found] if found else list(SPAN.finditer(text))
        for one in lines:
            shell = "prompt" in one.groupdict() and one["prompt"] is not None
            for words, whole in typed(one["line"], shell=shell):
                yield Documented(f"{page.name}:{number}", words, whole and found is not None)


def typed(line: str, *, shell: bool) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Each command that `line` stands for."""
    line = line.split(" | ")[0] if shell else line.replace(" | ", "|")
    if not shell:
        line = re.sub(r"(?<=\s)\[|\](?=\s|$)", "", line)
    words = shlex.split(line, comments=True)[1:]
    kept = [w for before, w in before_each(words) if w != "…" or before.startswith("--")]
    left_out = len(kept) < len(words)
    for chosen in itertools.product(*(choices(word, before) for before, word in before_each(kept))):
        yield chosen, not left_out


def before_each(words: list[str]) -> list[tuple[str, str]]:
    return list(zip(["", *words], words, strict=False))


def choices(word: str, before: str) -> list[str]:
    plain = re.fullmatch(r"[a-z-]+(\|[a-z-]+)+", word) and not before.startswith("--")
    return word.split("|") if plain else [word]


def parsed(words: tuple[str, ...], *, whole: bool) -> dict[str, Any]:
    """What a command that is not run would be given; raises what click says of a line that is wrong."""
    command: Any = get_command(app)
    context: Any = None
    rest = list(words)
    while hasattr(command, "resolve_command"):
        if not rest:  # a group alone lists what it holds
            return {}
        context = command.context_class(command, info_name="glossator", parent=context)
        name, command, rest = command.resolve_command(context, rest)
        assert name is not None
    try:
        return command.make_context(command.name, rest, parent=context).params
    except Exception as error:
        if whole or type(error).__name__ != "MissingParameter":
            raise
        return {}


def lines() -> list[Documented]:
    return [one for page in PAGES for one in documented(page)]


def test_there_are_lines() -> None:
    said = {one.words[0] for one in lines() if one.words}
    assert {"label", "run", "import", "export", "steer", "investigate", "index"} <= said
    assert len(lines()) > 80


@pytest.mark.parametrize("one", lines(), ids=lambda one: f"{one.where}-{'-'.join(one.words[:2])}")
def test_a_documented_line_is_one_that_the_command_line_takes(one: Documented) -> None:
    given = parsed(one.words, whole=one.whole)
    if one.whole and given.get("budget") and one.words[:2] != ("run", "resume"):
        assert any(given.get(model) for model in MODELS), "a budget without a model is refused"


@pytest.mark.parametrize(
    "line",
    ["glossator lable 1", "glossator run begin", "glossator label --bogus 1", "glossator label … --bogus 1"],
)
def test_a_line_that_is_wrong_is_found(line: str) -> None:
    ((words, whole),) = typed(line, shell=False)
    with pytest.raises(Exception, match="No such"):
        parsed(words, whole=whole)


def test_a_line_that_lacks_something_is_found() -> None:
    with pytest.raises(Exception, match="Missing parameter: feature"):
        parsed(("show",), whole=True)
    assert parsed(("show",), whole=False) == {}


def test_forms_of_writing() -> None:
    def of(line: str, *, shell: bool = False) -> list[str]:
        return [" ".join(words) for words, _ in typed(line, shell=shell)]

    assert of("glossator run pause | stop") == ["run pause", "run stop"]
    assert of("glossator run watch | cat", shell=True) == ["run watch"]
    assert of("glossator ask [--continue ID]  # why") == ["ask --continue ID"]
    assert of("glossator import a|b F [--author …]") == ["import a F --author …", "import b F --author …"]
    ((words, whole),) = typed("glossator label … --budget 2usd", shell=False)
    assert (words, whole) == (("label", "--budget", "2usd"), False)
