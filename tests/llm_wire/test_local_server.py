"""The wire, end to end, to a real model: the starter subject behind a small server."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from glossator.agents.llm_calls.chat import CallFailure, Finish, UnscoredReason
from glossator.agents.llm_calls.langchain_endpoint import LangChainEndpoint
from glossator.agents.llm_calls.model_spec import ModelSpec
from glossator.agents.llm_calls.open_endpoint import open_endpoint
from glossator.errors import AssetError, ModelAccessError
from glossator.probes.subject import load_subject
from glossator.prompts.rendered_prompt import ChatMessage
from glossator.starter_assets import asset_states, default_cache, starter_subject_path
from tests.llm_wire.asking import SCHEMA, ask, request, streamed
from tests.llm_wire.local_server import serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

QUESTION = (ChatMessage("system", "A list of capitals."), ChatMessage("user", "The capital of France is"))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    cache = Path(os.environ.get("GLOSSATOR_CACHE", default_cache()))
    missing = [s.name for s in asset_states(cache) if not s.present]
    if missing:
        raise AssetError(f"missing starter assets {missing}: run `make assets` first")
    subject = load_subject(str(starter_subject_path(cache)), cache=cache / "converted")
    with serving(subject, "smollm2") as served:
        yield served


def endpoint(url: str, model: str = "smollm2") -> LangChainEndpoint:
    opened = open_endpoint(ModelSpec.parse(model, base_url=url), timeout=120.0)
    assert isinstance(opened, LangChainEndpoint)
    return opened


def test_a_real_model_answers_with_probabilities(url: str) -> None:
    [reply] = ask(endpoint(url), request(messages=QUESTION, max_tokens=4, top_logprobs=5))
    assert reply.text.startswith(" Paris")
    assert (reply.finish, reply.output_tokens, len(reply.tokens)) == (Finish.LENGTH, 4, 4)
    assert reply.input_tokens is not None
    assert 8 <= reply.input_tokens <= 12
    first = reply.tokens[0]
    assert first.token == " Paris"
    assert first.logprob == max(a.logprob for a in first.alternatives)
    assert 0.1 < math.exp(first.logprob) < 1.0
    assert sum(math.exp(a.logprob) for a in first.alternatives) <= 1.0 + 1e-5


def test_a_schema_that_the_server_refuses_is_done_without(url: str) -> None:
    opened = endpoint(url)
    [reply] = ask(opened, request(messages=QUESTION, max_tokens=2, schema=SCHEMA))
    assert reply.text.startswith(" Paris")
    assert opened.capabilities.schema is False
    assert opened.capabilities.logprobs is True


def test_a_stream_says_the_same_as_the_whole(url: str) -> None:
    asked = request(messages=QUESTION, max_tokens=6)
    [whole] = ask(endpoint(url), asked)
    pieces: list[str] = []
    streamed(endpoint(url), pieces, asked)
    assert len(pieces) > 1
    assert "".join(pieces) == whole.text


def test_a_prompt_too_long_and_an_unknown_model_are_told_apart(url: str) -> None:
    long = (ChatMessage("user", "word " * 20_000),)
    with pytest.raises(CallFailure) as raised:
        ask(endpoint(url), request(messages=long))
    assert raised.value.reason is UnscoredReason.CONTEXT_TOO_SMALL
    with pytest.raises(ModelAccessError, match="does not exist"):
        ask(endpoint(url, "other"), request(messages=QUESTION))
