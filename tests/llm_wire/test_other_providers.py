"""Chat models of providers with a dialect of their own, by a stand-in for LangChain's class."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage

from glossator.agents.llm_calls.chat import CallFailure, Capabilities, ChatRequest, Finish, UnscoredReason
from glossator.agents.llm_calls.failure_translation import Addressee
from glossator.agents.llm_calls.langchain_endpoint import Connection, LangChainEndpoint
from glossator.errors import ModelAccessError
from tests.llm_wire.asking import SCHEMA, ask, request


class ProviderError(Exception):
    """As the SDKs of Anthropic and others raise them."""

    def __init__(self, status: int, message: str, headers: dict[str, str]) -> None:
        super().__init__(message)
        self.status_code, self.response = status, SimpleNamespace(status_code=status, headers=headers)


class Raising(FakeMessagesListChatModel):
    error: Any

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        raise self.error


def endpoint(chat: Any, asked: list[ChatRequest] | None = None) -> LangChainEndpoint:
    def chat_of(request: ChatRequest) -> Any:
        if asked is not None:
            asked.append(request)
        return chat

    to = Addressee("claude", "anthropic", "set ANTHROPIC_API_KEY")
    return LangChainEndpoint(Connection(chat_of, to, "anthropic:claude"), None, timeout=60.0)


def test_an_answer_in_blocks_is_read_without_its_thinking() -> None:
    message = AIMessage(
        content=[{"type": "thinking", "thinking": "Hm, 0?"}, {"type": "text", "text": "1"}],
        response_metadata={"stop_reason": "max_tokens"},
        usage_metadata={
            "input_tokens": 90, "output_tokens": 7, "total_tokens": 97,
            "input_token_details": {"cache_read": 64},
        },
    )  # fmt: skip
    asked: list[ChatRequest] = []
    opened = endpoint(FakeMessagesListChatModel(responses=[message]), asked)
    [reply] = ask(opened, request(schema=SCHEMA, top_logprobs=3, temperature=0.5))
    assert (reply.text, reply.finish) == ("1", Finish.LENGTH)
    assert (reply.input_tokens, reply.output_tokens, reply.cached_tokens) == (90, 7, 64)
    assert opened.capabilities == Capabilities(tools=True)
    assert [r.temperature for r in asked] == [0.5]


def test_their_errors_mean_the_same() -> None:
    error = ProviderError(529, "Overloaded", {"Retry-After": "4"})
    with pytest.raises(CallFailure) as raised:
        ask(endpoint(Raising(responses=[], error=error)), request())
    assert raised.value.reason is UnscoredReason.SERVER_ERROR
    assert (raised.value.retryable, raised.value.retry_after) == (True, 4.0)
    with pytest.raises(ModelAccessError, match="set ANTHROPIC_API_KEY"):
        ask(endpoint(Raising(responses=[], error=ProviderError(401, "invalid x-api-key", {}))), request())
    with pytest.raises(CallFailure) as raised:
        ask(
            endpoint(Raising(responses=[], error=ProviderError(400, "prompt is too long: 9 > 8", {}))),
            request(),
        )
    assert raised.value.reason is UnscoredReason.CONTEXT_TOO_SMALL
