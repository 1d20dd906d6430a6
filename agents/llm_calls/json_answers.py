"""JSON records out of replies, and the schemas that ask for them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import TypeVar, cast

from pydantic import BaseModel, JsonValue, ValidationError

from glossator.agents.llm_calls.answer_text import answer_text, no_answer
from glossator.agents.llm_calls.chat import AnswerSchema, ChatReply, Finish, Unscored, UnscoredReason

M = TypeVar("M", bound=BaseModel)

_DECODER = json.JSONDecoder(strict=False)
"""Lets a raw line break stand inside a string; models write them."""
_TRAILING_COMMA = re.compile(r",(\s{0,99}[}\]])")
_TRIES = 300
"""Opening brackets tried; each costs at most one pass over the text."""
_DROPPED = {"title", "default", "description", "minLength", "maxLength", "uniqueItems", "format"}
"""Keywords that strict modes refuse or that cost tokens; the model checks them again anyway."""


def read_json(reply: ChatReply, model: type[M]) -> M | Unscored:
    """The last JSON value in the reply that is a `model`, small slips forgiven.

    Forgiven: text around it, code fences, trailing commas, raw line breaks in strings, fields that
    nobody asked for, an object where its JSON text was wanted, `null` for an empty string, and a bare
    list where the model has a single field.
    """
    if reply.finish is Finish.REFUSAL:
        return no_answer(reply, "JSON")
    read = answer_text(reply)
    problem = ""
    for text in (read.text, _TRAILING_COMMA.sub(r"\1", read.text), read.thinking):
        for value in reversed(list(_values(text))):
            record = _record(value, model)
            if not isinstance(record, str):
                return record
            problem = problem or record
    if problem and reply.finish is not Finish.LENGTH:
        return Unscored(UnscoredReason.MALFORMED, problem)
    return no_answer(reply, "JSON object")


def _values(text: str) -> Iterator[object]:
    """Outermost JSON objects and lists, in order."""
    at = 0
    for _ in range(_TRIES):
        opened = re.compile(r"[{\[]").search(text, at)
        if opened is None:
            return
        try:
            value, at = _DECODER.raw_decode(text, opened.start())
        except (ValueError, RecursionError):
            at = opened.end()
            continue
        yield value


def _record(value: object, model: type[M]) -> M | str:
    """The record, or what is wrong, naming fields only."""
    if isinstance(value, list):
        if len(model.model_fields) != 1:
            return "a list instead of an object"
        value = {next(iter(model.model_fields)): value}
    if not isinstance(value, dict):
        return "no object"
    try:
        return model.model_validate(value)
    except ValidationError as first:
        try:
            return model.model_validate(_mended(value, first))
        except ValidationError as second:
            places = {
                ".".join(map(str, e["loc"])) or "the object" for e in second.errors(include_input=False)
            }
            return f"not as asked: {', '.join(sorted(places)[:6])}"


def _mended(value: object, error: ValidationError) -> object:
    """A copy without unknown fields, and with text where text was wanted."""
    mended: object = json.loads(json.dumps(value))
    for problem in error.errors(include_input=False):
        *path, last = problem["loc"] or ("",)
        holder = mended
        for step in path:
            holder = _inner(holder, step)
        if not isinstance(holder, dict) or not isinstance(last, str) or last not in holder:
            continue
        if problem["type"] == "extra_forbidden":
            del holder[last]
        elif problem["type"] == "string_type":
            given = holder[last]
            holder[last] = "" if given is None else json.dumps(given, ensure_ascii=False)
    return mended


def _inner(holder: object, step: str | int) -> object:
    if isinstance(holder, dict):
        return holder.get(str(step))
    return holder[step] if isinstance(holder, list) and isinstance(step, int) else None


@cache
def schema_of(model: type[BaseModel]) -> AnswerSchema:
    """The model's JSON schema as strict modes want it: every field required, no others allowed."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", model.__name__).lower().strip("_")
    return AnswerSchema(name[:64], cast(dict[str, JsonValue], _strict(model.model_json_schema())))


def _strict(node: object) -> object:
    if isinstance(node, list):
        return [_strict(n) for n in node]
    if not isinstance(node, dict):
        return node
    strict: dict[str, object] = {}
    for key, inner in node.items():
        if key in ("properties", "$defs") and isinstance(inner, dict):
            strict[key] = {name: _strict(value) for name, value in inner.items()}
        elif key not in _DROPPED:
            strict[key] = _strict(inner)
    properties = strict.get("properties")
    if strict.get("type") == "object" and isinstance(properties, dict):
        strict |= {"required": list(properties), "additionalProperties": False}
    return strict
