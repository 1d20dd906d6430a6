"""A question for endpoints that play cassettes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from glossator.agents.llm_calls.chat import AnswerSchema, Capabilities, ChatEndpoint, ChatReply, ChatRequest
from glossator.agents.llm_calls.langchain_endpoint import LangChainEndpoint
from glossator.agents.llm_calls.model_spec import ModelSpec
from glossator.agents.llm_calls.open_endpoint import open_endpoint
from glossator.prompts.rendered_prompt import ChatMessage
from tests.llm_wire.cassette_server import Cassette

QUESTION = (ChatMessage("system", "Answer 1 or 0."), ChatMessage("user", "Is the sky blue?"))
SCHEMA = AnswerSchema(
    "verdicts",
    {
        "type": "object",
        "properties": {"1": {"type": "integer", "enum": [0, 1]}, "2": {"type": "integer", "enum": [0, 1]}},
        "required": ["1", "2"],
        "additionalProperties": False,
    },
)


def request(**changes: Any) -> ChatRequest:
    return replace(ChatRequest(QUESTION, max_tokens=24), **changes)


def endpoint_of(
    cassette: Cassette, *, timeout: float = 60.0, key_variable: str | None = None
) -> LangChainEndpoint:
    spec = ModelSpec.parse("my-model", base_url=cassette.base_url, key_variable=key_variable)
    endpoint = open_endpoint(spec, timeout=timeout)
    assert isinstance(endpoint, LangChainEndpoint)
    return endpoint


def ask(endpoint: ChatEndpoint, *requests: ChatRequest) -> list[ChatReply]:
    """Answers to `requests`, all in flight at once; the endpoint is closed."""

    async def asked() -> list[ChatReply]:
        try:
            return await asyncio.gather(*(endpoint.complete(r) for r in requests))
        finally:
            await endpoint.close()

    return asyncio.run(asked())


def streamed(endpoint: LangChainEndpoint, into: list[str], asked: ChatRequest | None = None) -> None:
    """Put the pieces of a streamed answer `into` a list, as they come."""

    async def pieces() -> None:
        try:
            async for piece in endpoint.stream(asked or request()):
                into.append(piece)
        finally:
            await endpoint.close()

    asyncio.run(pieces())


FULL = Capabilities(schema=True, logprobs=True, tools=True)
