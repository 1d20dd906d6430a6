"""One tiny question that shows whether an endpoint answers, and what it can do beyond text."""

from __future__ import annotations

import time
from typing import NamedTuple

from glossator.agents.llm_calls.chat import (
    AnswerSchema,
    CallFailure,
    Capabilities,
    ChatEndpoint,
    ChatReply,
    ChatRequest,
)
from glossator.errors import GlossatorError, ModelAccessError
from glossator.prompts.rendered_prompt import ChatMessage

_SCHEMA = AnswerSchema(
    "verdict",
    {
        "type": "object",
        "properties": {"1": {"type": "integer", "enum": [0, 1]}},
        "required": ["1"],
        "additionalProperties": False,
    },
)
_QUESTION = 'Is a rose a flower? Answer with JSON: {"1": 1} for yes, {"1": 0} for no.'
_REQUEST = ChatRequest((ChatMessage("user", _QUESTION),), max_tokens=24, schema=_SCHEMA, top_logprobs=2)


class Probed(NamedTuple):
    """How an endpoint did."""

    seconds: float
    """Until the answer, or until it was clear that none would come."""
    capabilities: Capabilities
    reply: ChatReply | None
    error: str = ""
    """Why there is no answer, in words; empty where there is one."""
    refused: bool = False
    """Whether only other settings would help."""


_answered: dict[str, Probed] = {}


async def probe(endpoint: ChatEndpoint) -> Probed:
    """Ask `endpoint` once; an endpoint that answered is not asked again in this process.

    An endpoint corrects its own `capabilities` by what the question shows.
    """
    if endpoint.identity in _answered:
        return _answered[endpoint.identity]
    started = time.perf_counter()
    reply, error, refused = None, "", False
    try:
        reply = await endpoint.complete(_REQUEST)
    except ModelAccessError as exc:
        error, refused = str(exc), True
    except (CallFailure, GlossatorError) as exc:
        error = str(exc)
    found = Probed(time.perf_counter() - started, endpoint.capabilities, reply, error, refused)
    if reply is not None:
        _answered[endpoint.identity] = found
    return found
