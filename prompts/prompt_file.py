"""Prompt files: Markdown with declared variables, rendered strictly.

A file `NAME.md` begins with TOML between `+++` lines (`name`, `version`, and a table `variables` that
says what form each one has) and goes on with one section per turn: `# system`, `# user`, `# assistant`.
Sections are cut before anything is filled in, so no value can begin a turn. Templates are Jinja2
(https://jinja.palletsprojects.com/) with undefined names refused and no escaping.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal, cast

import jinja2
import jinja2.meta

from glossator.prompts.rendered_prompt import ChatMessage, RenderedPrompt
from glossator.records import PromptRef

PREDICATE_LANGUAGE = "predicate_language"
"""The one Markdown file here that is no prompt but a part of some."""

_TURN = re.compile(r"^# (system|user|assistant)[ \t]*$", re.MULTILINE)
_FENCED = re.compile(r"(\w{1,12})\|[^|]*\|\1(?: \((?:10|[1-9])\))?")
_TO_FILL = re.compile(r"\{[{%#]")
_ENVIRONMENT = jinja2.Environment(
    undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
)

Value = str | int | Sequence[str]
"""What a variable may be filled with."""


class Form(StrEnum):
    """What a variable holds."""

    LINE = "line"
    """One fenced line."""
    LINES = "lines"
    """Fenced lines: a sequence of them, or one string with a line each; may be none."""
    NUMBER = "number"
    """A whole number."""
    HELP = "help"
    """`predicate_help()`, or nothing."""


@dataclass(frozen=True)
class PromptFile:
    """A prompt file, read and checked."""

    ref: PromptRef
    variables: frozenset[str]
    """Names that `render` takes, all of them required."""
    forms: Mapping[str, Form] = field(repr=False)
    turns: tuple[ChatMessage, ...] = field(repr=False)
    """Templates of the turns."""

    def render(self, **variables: Value) -> RenderedPrompt:
        """The turns with the variables filled in.

        Raises:
            ValueError: a variable is missing, unknown, or not in its declared form (corpus text that
                is not fenced, above all).
        """
        for name in sorted(self.variables ^ variables.keys()):
            problem = "is missing" if name in self.variables else "is not declared"
            raise ValueError(
                f"prompt {self.ref.name!r}: variable {name!r} {problem}; it takes {sorted(self.variables)}"
            )
        filled = {n: _filled(self.ref.name, n, self.forms[n], v) for n, v in variables.items()}
        turns = (ChatMessage(t.role, _rendered(t.content, filled)) for t in self.turns)
        return RenderedPrompt(tuple(turns), self.ref)


def _rendered(source: str, filled: Mapping[str, str]) -> str:
    """`source` filled in; most system turns have nothing to fill in."""
    return _template(source).render(filled) if _TO_FILL.search(source) else source


@lru_cache(maxsize=256)
def _template(source: str) -> jinja2.Template:
    """Compiled once: a scorer renders the same file hundreds of times a second."""
    return _ENVIRONMENT.from_string(source)


def _filled(prompt: str, name: str, form: Form, value: Value) -> str:
    where = f"prompt {prompt!r}: variable {name!r}"
    if form is Form.NUMBER:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{where} must be a whole number, not {value!r}")
        return str(value)
    if isinstance(value, int):
        raise ValueError(f"{where} must be text, not {value!r}")
    if form is Form.HELP:
        if value not in ("", predicate_help()):
            raise ValueError(f"{where} must be predicate_help() or empty")
        return cast(str, value)
    lines = value.split("\n") if isinstance(value, str) and value else list(value)
    if form is Form.LINE and len(lines) != 1:
        raise ValueError(f"{where} must be one fenced line, not {len(lines)}")
    for line in lines:
        if not _FENCED.fullmatch(line) or len(line.splitlines()) != 1:
            raise ValueError(f"{where}: {line[:80]!r} is not fenced; make it with fenced()")
    return "\n".join(lines)


@cache
def load_prompt(name: str) -> PromptFile:
    """The prompt file `name` (without its ending).

    Raises:
        ValueError: there is none, or it is malformed.
    """
    if name not in _names():
        raise ValueError(f"no prompt {name!r}; there are {', '.join(_names())}")
    return read_prompt(name, _source(name))


def all_prompts() -> tuple[PromptRef, ...]:
    """Every prompt file, by name."""
    return tuple(load_prompt(name).ref for name in _names())


@lru_cache(maxsize=1)
def predicate_help() -> str:
    """The predicate language in short, for explainers that may answer with a predicate."""
    return _source(PREDICATE_LANGUAGE).decode().strip()


@lru_cache(maxsize=1)
def _names() -> tuple[str, ...]:
    stems = (
        f.name.removesuffix(".md") for f in files("glossator.prompts").iterdir() if f.name.endswith(".md")
    )
    return tuple(sorted(s for s in stems if s != PREDICATE_LANGUAGE))


def _source(name: str) -> bytes:
    return files("glossator.prompts").joinpath(f"{name}.md").read_bytes()


def read_prompt(name: str, source: bytes) -> PromptFile:
    """The prompt file that `source` holds.

    Its hash is that of the bytes, and of the predicate language's where a variable holds it.

    Raises:
        ValueError: the front matter, the turns or the declared variables are not as they must be.
    """
    parts = source.decode().split("+++\n", 2)
    if len(parts) != 3 or parts[0]:
        raise ValueError(f"prompt {name!r} must begin with TOML between lines of +++")
    head = tomllib.loads(parts[1])
    if head.keys() != {"name", "version", "variables"} or head["name"] != name:
        raise ValueError(f"prompt {name!r} must have its own name, a version and variables, and nothing else")
    forms = {n: Form(f) for n, f in head["variables"].items()}
    turns = _turns(name, parts[2])
    used = set[str]().union(
        *(jinja2.meta.find_undeclared_variables(_ENVIRONMENT.parse(t.content)) for t in turns)
    )
    if used != forms.keys():
        raise ValueError(f"prompt {name!r} declares {sorted(forms)} and uses {sorted(used)}")
    digest = hashlib.sha256(source)
    if Form.HELP in forms.values():
        digest.update(_source(PREDICATE_LANGUAGE))
    ref = PromptRef(name=name, version=head["version"], sha256=digest.hexdigest())
    return PromptFile(ref, frozenset(forms), forms, turns)


def _turns(name: str, body: str) -> tuple[ChatMessage, ...]:
    before, *rest = _TURN.split(body)
    roles = cast(list[Literal["system", "user", "assistant"]], rest[::2])
    if before.strip() or roles[:2] != ["system", "user"] or roles[-1] != "user":
        raise ValueError(f"prompt {name!r} must have '# system' first, then '# user', and end with '# user'")
    return tuple(ChatMessage(r, text.strip()) for r, text in zip(roles, rest[1::2], strict=True))
