"""Recorded answers through the real client: what is read from them, and what is sent."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata

from glossator.agents.llm_calls.chat import ChatReply, Finish
from glossator.agents.llm_calls.wire_reply import read_reply
from tests.llm_wire.asking import SCHEMA, ask, endpoint_of, request, streamed
from tests.llm_wire.cassette_server import playing


def answer(name: str, **changes: Any) -> tuple[ChatReply, dict[str, Any]]:
    with playing(name) as cassette:
        [reply] = ask(endpoint_of(cassette), request(**changes))
    return reply, cassette.heard[0].body


def test_a_verdict_comes_with_its_probabilities() -> None:
    reply, body = answer("verdict_with_logprobs", top_logprobs=3)
    assert (reply.text, reply.finish) == ("1", Finish.STOP)
    assert (reply.input_tokens, reply.output_tokens, reply.cached_tokens) == (41, 2, 0)
    assert [t.token for t in reply.tokens] == ["1", ""]
    likeliest = {a.token: math.exp(a.logprob) for a in reply.tokens[0].alternatives}
    assert likeliest["1"] == pytest.approx(0.742, abs=1e-3)
    assert likeliest["0"] == pytest.approx(0.241, abs=1e-3)
    assert body["logprobs"] is True
    assert body["top_logprobs"] == 3


def test_the_request_says_all_that_was_asked_and_nothing_else() -> None:
    _, body = answer("verdict_with_logprobs", temperature=0.7, sample=5)
    assert body == {
        "model": "my-model",
        "messages": [
            {"role": "system", "content": "Answer 1 or 0."},
            {"role": "user", "content": "Is the sky blue?"},
        ],
        "max_tokens": 24,
        "temperature": 0.7,
        "seed": 5,
        "chat_template_kwargs": {"enable_thinking": False},
        "stream": False,
    }


def test_an_answer_can_be_held_to_a_schema() -> None:
    reply, body = answer("schema_object", schema=SCHEMA)
    assert json.loads(reply.text) == {"1": 0, "2": 1}
    assert reply.cached_tokens == 24
    form = body["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"] == {"name": "verdicts", "strict": True, "schema": dict(SCHEMA.schema)}


def test_an_answer_cut_at_the_limit_is_an_answer_that_says_so() -> None:
    reply, _ = answer("length", schema=SCHEMA)
    assert (reply.text, reply.finish) == ('{"1": 0, "2": 1, "3', Finish.LENGTH)
    assert reply.cached_tokens == 1024


@pytest.mark.parametrize("name", ["refusal", "content_filter"])
def test_refusals_are_told_from_answers(name: str) -> None:
    assert answer(name)[0].finish is Finish.REFUSAL


def test_an_empty_answer_is_empty() -> None:
    reply, _ = answer("empty")
    assert (reply.text, reply.finish, reply.output_tokens) == ("", Finish.STOP, 12)


def test_reasoning_is_no_part_of_the_text() -> None:
    assert answer("reasoning")[0].text == "1"


def test_usage_that_is_not_told_is_unknown_not_zero() -> None:
    reply, _ = answer("no_usage")
    assert (reply.input_tokens, reply.output_tokens) == (None, None)


def test_a_stream_is_read_piece_by_piece() -> None:
    pieces: list[str] = []
    with playing("stream") as cassette:
        streamed(endpoint_of(cassette), pieces)
    assert pieces == ["Hello", " there", "!", " How", " can"]
    assert cassette.heard[0].body["stream"] is True


def test_an_endpoint_outlives_the_event_loop_it_was_used_in() -> None:
    with playing("verdict_with_logprobs") as cassette:
        endpoint = endpoint_of(cassette)
        for sample in range(3):
            assert asyncio.run(endpoint.complete(request(sample=sample))).text == "1"
        asyncio.run(endpoint.close())
    assert [heard.body["seed"] for heard in cassette.heard] == [0, 1, 2]


def test_token_counts_below_zero_are_not_given() -> None:
    usage = UsageMetadata(input_tokens=-5, output_tokens=-3, total_tokens=-8)
    usage["input_token_details"] = InputTokenDetails(cache_read=-2)
    reply = read_reply(AIMessage("1", usage_metadata=usage))
    assert (reply.input_tokens, reply.output_tokens, reply.cached_tokens) == (None, None, 0)
