"""The key of a call, and its answer as compact text."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from glossator.agents.llm_calls.chat import (
    AnswerToken,
    ChatReply,
    ChatRequest,
    Finish,
    TokenLogprob,
    ToolCall,
)
from glossator.errors import CorruptFileError
from glossator.memory.call_store import StoredCall

_DIGITS = 5
_LOWEST = -1e4
"""Minus infinity is no JSON."""
_HALF_PAIR = re.compile("[\ud800-\udfff]")
"""JSON can spell it alone, and models write it where an answer is cut; no text encoding has it."""
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_compact = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


class _Body(NamedTuple):
    """What is kept of an answer; one JSON list."""

    text: str
    finish: Finish = Finish.STOP
    tokens: tuple[tuple[str, float, tuple[tuple[str, float], ...]], ...] = ()
    """Token, log-probability, alternatives with theirs."""
    tool_calls: tuple[tuple[str, str], ...] = ()
    """Name and arguments; answers stored before there were any end without."""


_BODY = TypeAdapter(_Body)


def call_key(identity: str, request: ChatRequest) -> str:
    """SHA-256 of everything that an answer depends on, in hex."""
    schema = None if request.schema is None else [request.schema.name, request.schema.schema]
    payload: list[object] = [
        identity,
        request.messages,
        request.max_tokens,
        schema,
        request.temperature,
        request.top_logprobs,
        request.sample,
    ]
    if request.tools:  # what was asked without tools keeps the key that it always had
        payload.append(request.tools)
    return hashlib.sha256(_canonical(payload).encode()).hexdigest()


def packed(reply: ChatReply) -> str:
    """Text, ending, token probabilities and tool calls as compact JSON, of a `reply` made by `as_stored`."""
    tokens = [[t.token, t.logprob, [[a.token, a.logprob] for a in t.alternatives]] for t in reply.tokens]
    body: list[object] = [reply.text]
    if tokens or reply.tool_calls or reply.finish is not Finish.STOP:
        body.append(reply.finish.value)
    if tokens or reply.tool_calls:
        body.append(tokens)
    if reply.tool_calls:
        body.append(reply.tool_calls)
    return _compact(body)


def as_stored(reply: ChatReply) -> ChatReply:
    """`reply` as it will come out of the ledger: a score is the same whether its answers were just given,
    were stored, or some of each. Halves of surrogate pairs, which no ledger takes, are U+FFFD."""
    tokens = tuple(
        AnswerToken(
            _sound(t.token),
            _round(t.logprob),
            tuple(TokenLogprob(_sound(a.token), _round(a.logprob)) for a in t.alternatives),
        )
        for t in reply.tokens
    )
    called = tuple(ToolCall(_sound(c.name), _sound(c.arguments)) for c in reply.tool_calls)
    return replace(reply, text=_sound(reply.text), tokens=tokens, tool_calls=called)


def unpacked(call: StoredCall) -> ChatReply:
    """The reply that was stored; raises `CorruptFileError` where it is no such thing."""
    try:
        body = _BODY.validate_json(call.answer)
    except ValidationError as error:
        raise CorruptFileError(
            f"the ledger holds an LLM answer that cannot be read ({call.key[:12]}…): "
            "run `glossator doctor`, or put back a copy of the ledger"
        ) from error
    tokens = tuple(
        AnswerToken(token, logprob, tuple(TokenLogprob(*a) for a in alternatives))
        for token, logprob, alternatives in body.tokens
    )
    called = tuple(ToolCall(name, arguments) for name, arguments in body.tool_calls)
    return ChatReply(
        body.text, body.finish, call.input_tokens, call.output_tokens, call.cached_tokens, tokens, called
    )


def _sound(text: str) -> str:
    if text.isascii() or _HALF_PAIR.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _round(logprob: float) -> float:
    return _LOWEST if logprob < _LOWEST else round(logprob, _DIGITS)
