"""Endpoints that refuse or ignore part of a request: once is enough to know."""

from __future__ import annotations

from typing import Any

import pytest

from glossator.agents.llm_calls.chat import Capabilities
from glossator.agents.llm_calls.request_form import Part, RequestForm
from tests.llm_wire.asking import FULL, SCHEMA, ask, endpoint_of, request
from tests.llm_wire.cassette_server import playing


@pytest.mark.parametrize(
    ("name", "gone", "left"),
    [
        ("refuses_temperature", {"temperature"}, FULL),
        ("refuses_max_tokens", {"max_tokens"}, FULL),
        ("refuses_schema", {"response_format"}, Capabilities(schema=False, logprobs=True, tools=True)),
        (
            "refuses_logprobs",
            {"logprobs", "top_logprobs"},
            Capabilities(schema=True, logprobs=False, tools=True),
        ),
        ("refuses_unknown_fields", {"chat_template_kwargs", "seed"}, FULL),
    ],
)
def test_what_is_refused_is_left_away_and_remembered(name: str, gone: set[str], left: Capabilities) -> None:
    asked: dict[str, Any] = {"top_logprobs": 2} if "logprobs" in gone else {}
    asked |= {"schema": SCHEMA} if "response_format" in gone else {}
    with playing(name) as cassette:
        endpoint = endpoint_of(cassette)
        assert endpoint.capabilities == FULL
        [reply] = ask(endpoint, request(**asked))
        assert reply.text.startswith("1")
        assert endpoint.capabilities == left
        first, second = (heard.body for heard in cassette.heard)
        assert set(first) - set(second) == gone
        assert endpoint.form is not None
        assert not gone & set(endpoint.form.fields(request(**asked)))
    assert "max_completion_tokens" in second or "max_tokens" not in gone


def test_calls_in_flight_together_learn_together() -> None:
    with playing("refuses_temperature") as cassette:
        replies = ask(endpoint_of(cassette), *[request(sample=n) for n in range(8)])
    assert [r.text for r in replies] == ["1"] * 8
    assert sum("temperature" in heard.body for heard in cassette.heard) <= 8
    assert sum("temperature" not in heard.body for heard in cassette.heard) == 8


def test_what_is_ignored_is_noticed() -> None:
    with playing("empty") as cassette:
        endpoint = endpoint_of(cassette)
        ask(endpoint, request(schema=SCHEMA, top_logprobs=2))
        assert endpoint.capabilities == FULL, "an empty answer shows nothing"
    with playing("no_usage") as cassette:
        endpoint = endpoint_of(cassette)
        ask(endpoint, request(schema=SCHEMA, top_logprobs=2))
        assert endpoint.capabilities == Capabilities(schema=False, logprobs=False, tools=True)


def test_a_long_prompt_is_not_taken_for_a_refused_field() -> None:
    with playing("context_vllm") as cassette:
        endpoint = endpoint_of(cassette)
        with pytest.raises(Exception, match="longer than the model's context"):
            ask(endpoint, request(schema=SCHEMA))
        assert endpoint.capabilities == FULL
    assert len(cassette.heard) == 1


@pytest.mark.parametrize(
    ("model", "effort", "capabilities", "temperature"),
    [
        ("gpt-4.1-mini", None, FULL, True),
        ("gpt-5-mini", "minimal", Capabilities(schema=True, logprobs=False, tools=True), False),
        ("gpt-5-2025-08-07", "minimal", Capabilities(schema=True, logprobs=False, tools=True), False),
        ("gpt-5.1", "none", FULL, True),
        ("gpt-5-chat-latest", None, FULL, True),
        ("o4-mini", "low", Capabilities(schema=True, logprobs=False, tools=True), False),
    ],
)
def test_openais_models_are_known(
    model: str, effort: str | None, capabilities: Capabilities, temperature: bool
) -> None:
    form = RequestForm.of_openai(model)
    fields = form.fields(request())
    assert fields.get("reasoning_effort") == effort
    assert form.capabilities == capabilities
    assert (Part.TEMPERATURE in fields) is temperature
    assert fields["max_completion_tokens"] == 24 + form.allowance
