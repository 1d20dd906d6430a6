"""Tools over the wire: how they are described, what calls come back, who takes none, and what is stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage

from glossator.agents.llm_calls.chat import ChatReply, ChatRequest, ToolCall, ToolSchema
from glossator.agents.llm_calls.failure_translation import Addressee
from glossator.agents.llm_calls.langchain_endpoint import Connection, LangChainEndpoint
from glossator.agents.llm_calls.stored_answer import call_key, packed, unpacked
from glossator.memory.call_store import StoredCall
from glossator.prompts.rendered_prompt import ChatMessage
from glossator.records import PromptRef
from tests.llm_wire.asking import ask, endpoint_of, request
from tests.llm_wire.cassette_server import playing

CARD = ToolSchema(
    "feature_card",
    "What is known of a feature.",
    {"type": "object", "properties": {"feature": {"type": "integer"}}, "required": ["feature"]},
)


def test_tools_go_out_and_calls_come_back() -> None:
    with playing("tool_calls") as cassette:
        [reply] = ask(endpoint_of(cassette), request(tools=(CARD,)))
        sent = cassette.heard[0].body["tools"]
    assert sent == [
        {
            "type": "function",
            "function": {
                "name": CARD.name,
                "description": CARD.description,
                "parameters": dict(CARD.parameters),
            },
        }
    ]
    whole, broken = reply.tool_calls
    assert whole == ToolCall("feature_card", '{"feature": 812}')
    assert broken == ToolCall("neighbours", '{"feature": 812'), "what is no JSON is handed on as it is"


def test_without_tools_nothing_of_them_is_said() -> None:
    with playing("tool_calls") as cassette:
        [reply] = ask(endpoint_of(cassette), request())
        assert "tools" not in cassette.heard[0].body
    assert reply.tool_calls == ()


def test_a_server_that_takes_no_tools_is_asked_without_and_remembered() -> None:
    with playing("refuses_tools") as cassette:
        endpoint = endpoint_of(cassette)
        [reply] = ask(endpoint, request(tools=(CARD,)))
        assert reply.text.startswith('{"tool"')
        assert not endpoint.capabilities.tools
        assert endpoint.capabilities.schema
        assert "tools" not in cassette.heard[1].body


class Binding(FakeMessagesListChatModel):
    """A provider's model that can bind tools."""

    bound: list[Any]

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        self.bound.extend(tools)
        return self


def provider(chat: Any) -> LangChainEndpoint:
    def chat_of(request: ChatRequest) -> Any:
        return chat

    to = Addressee("claude", "anthropic", "set ANTHROPIC_API_KEY")
    return LangChainEndpoint(Connection(chat_of, to, "anthropic:claude"), None, timeout=60.0)


def test_other_providers_bind_tools_or_do_without() -> None:
    message = AIMessage(content="", tool_calls=[{"name": "feature_card", "args": {"feature": 3}, "id": "1"}])
    chat = Binding(responses=[message], bound=[])
    [reply] = ask(provider(chat), request(tools=(CARD,)))
    assert reply.tool_calls == (ToolCall("feature_card", '{"feature": 3}'),)
    assert chat.bound[0]["function"]["name"] == "feature_card"
    unable = provider(FakeMessagesListChatModel(responses=[AIMessage("words")]))
    assert unable.capabilities.tools
    [reply] = ask(unable, request(tools=(CARD,)))
    assert (reply.text, reply.tool_calls) == ("words", ())
    assert not unable.capabilities.tools


def test_calls_are_stored_and_old_answers_are_still_read() -> None:
    def back(text: str) -> ChatReply:
        ref = PromptRef(name="orchestrate", version=1, sha256="0" * 64)
        return unpacked(
            StoredCall(
                key="k", identity="i", model="m", role="investigator", run="r", prompt=ref, answer=text,
                input_tokens=1, output_tokens=1, cached_tokens=0, counter="c", estimated_input=1,
                estimated_output=1, usd=None,
            )
        )  # fmt: skip

    calls = (ToolCall("feature_card", '{"feature": 3}'), ToolCall("x", "{"))
    assert back(packed(ChatReply("", tool_calls=calls))).tool_calls == calls
    assert packed(ChatReply("yes")) == '["yes"]'
    assert back('["yes"]').tool_calls == ()


def test_the_key_is_the_old_one_where_no_tools_are_offered() -> None:
    plain = ChatRequest((ChatMessage("user", "Is the sky blue?"),), 24)
    old = "910bef825ab30132e043ad12e84e6fe60350156e4121b28e59700b33582b05d9"
    assert call_key("e", plain) == old, "answers stored before there were tools are found again"
    assert call_key("e", replace(plain, tools=(CARD,))) != old
