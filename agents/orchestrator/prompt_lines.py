"""A situation as fenced lines of a prompt, short enough for small contexts.

The newest result is shown whole, up to a page; older ones are shown shorter, and say how much of them is
left out. A fact keeps its label for good, so a citation never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

from glossator.agents.orchestrator.situation import Exchange, Gathered, Situation
from glossator.agents.tools.tool import AnyTool
from glossator.prompts.fence import fenced


class Page(NamedTuple):
    """How much of one result is shown."""

    facts: int
    characters: int
    """Of each fact."""


NEWEST, OLDER = Page(30, 500), Page(10, 180)
RECENT_EXCHANGES = 6
CLAIMS_OF_EXCHANGE = 6
_CALL_CHARACTERS = 300


def tool_lines(situation: Situation) -> list[str]:
    """One line a tool: name, arguments with their types, and what it is for."""
    return [fenced("T", tool_in_words(tool)) for tool in situation.catalogue.values()]


def tool_in_words(tool: AnyTool) -> str:
    """`name(argument: type, optional: type = default): what it is for`."""
    schema: Mapping[str, Any] = tool.arguments.model_json_schema()
    fields = cast(dict[str, dict[str, Any]], schema.get("properties", {}))
    required = set(schema.get("required", ()))
    given = ", ".join(_field(name, field, name in required) for name, field in fields.items())
    slow = " Slow." if tool.slow else ""
    return f"{tool.name}({given}): {tool.description}{slow}"


def _field(name: str, field: Mapping[str, Any], required: bool) -> str:
    shown = f"{name}: {_type(field)}"
    return shown if required or field.get("default") is None else f"{shown} = {field['default']}"


def _type(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return " or ".join(f'"{v}"' for v in field["enum"])
    if "anyOf" in field:
        return " or ".join(_type(f) for f in field["anyOf"] if f.get("type") != "null")
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    names = {"integer": "whole number", "string": "text", "boolean": "true or false"}
    kind = str(field.get("type", "object"))
    return names.get(kind, kind)


def conversation_lines(situation: Situation) -> list[str]:
    """Earlier requests and what was claimed, newest last."""
    labels = {id(claim): label for label, claim in situation.numbered_claims().items()}
    lines: list[str] = []
    for exchange in situation.conversation[-RECENT_EXCHANGES:]:
        lines += _exchange(exchange, labels)
    return lines


def _exchange(exchange: Exchange, labels: Mapping[int, str]) -> Iterator[str]:
    yield fenced("Q0", _cut(exchange.request, 300))
    if not exchange.claims:
        yield fenced("K0", "no claim: not enough evidence")
    for claim in exchange.claims[:CLAIMS_OF_EXCHANGE]:
        ids = ", ".join(claim.evidence[:3])
        yield fenced(labels.get(id(claim), "K0"), f"{_cut(claim.text, 240)} [{ids or 'no evidence'}]")


def gathered_lines(situation: Situation) -> list[str]:
    """Every call so far with its facts."""
    lines: list[str] = []
    first = 1
    for n, step in enumerate(situation.gathered, 1):
        page = NEWEST if n == len(situation.gathered) else OLDER
        lines += _step(n, step, first, page)
        first += len(step.facts)
    return lines


def _step(number: int, step: Gathered, first: int, page: Page) -> Iterator[str]:
    called = "your reply" if step.call is None else _cut(str(step.call), _CALL_CHARACTERS)
    if step.result is None:
        yield fenced(f"S{number}", f"{called} failed: {_cut(step.error, 500)}")
        return
    ids = ", ".join(dict.fromkeys(fact.evidence for fact in step.facts))
    yield fenced(f"S{number}", f"{called}: {len(step.facts)} facts, evidence {_cut(ids, 120) or 'none'}")
    for n, fact in enumerate(step.facts[: page.facts], first):
        yield fenced(f"F{n}", _cut(fact.text, page.characters))
    hidden = len(step.facts) - page.facts
    if hidden > 0:
        step_left_out = f"{hidden} further facts of this call are not shown"
        yield fenced(f"S{number}", step_left_out)
    if step.result.left_out:
        yield fenced(f"S{number}", f"left out: {_cut(step.result.left_out, 200)}")


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
