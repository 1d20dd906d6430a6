"""Recorded failures through the real client: what they mean, and that neither key nor prompt gets out."""

from __future__ import annotations

import json
import re
import socket
from datetime import UTC, datetime

import pytest

from glossator.agents.llm_calls.chat import CallFailure, UnscoredReason
from glossator.agents.llm_calls.failure_translation import Addressee, retry_after, translated
from glossator.agents.llm_calls.model_spec import ModelSpec
from glossator.agents.llm_calls.open_endpoint import open_endpoint
from glossator.errors import ModelAccessError
from tests.llm_wire.asking import QUESTION, ask, endpoint_of, request, streamed
from tests.llm_wire.cassette_server import playing

KEY = "sk-proj-ThisIsTheKey0123456789"
OTHER_KEY = "sk-openai-NotForOthers"


def failure(name: str, *, timeout: float = 60.0) -> CallFailure:
    with playing(name) as cassette, pytest.raises(CallFailure) as raised:
        ask(endpoint_of(cassette, timeout=timeout), request())
    assert len(cassette.heard) == 1  # trying again is for the call room
    return raised.value


@pytest.mark.parametrize(
    ("name", "reason", "retryable", "wait"),
    [
        ("context_llama_cpp", UnscoredReason.CONTEXT_TOO_SMALL, False, None),
        ("context_openai", UnscoredReason.CONTEXT_TOO_SMALL, False, None),
        ("context_vllm", UnscoredReason.CONTEXT_TOO_SMALL, False, None),
        ("content_filter_prompt", UnscoredReason.REFUSED, False, None),
        ("rate_limited", UnscoredReason.RATE_LIMITED, True, None),
        ("rate_limited_seconds", UnscoredReason.RATE_LIMITED, True, 7.0),
        ("rate_limited_milliseconds", UnscoredReason.RATE_LIMITED, True, 1.5),
        ("server_error", UnscoredReason.SERVER_ERROR, True, None),
        ("loading", UnscoredReason.SERVER_ERROR, True, 3.0),
        ("gateway_page", UnscoredReason.SERVER_ERROR, True, None),
        ("not_json", UnscoredReason.SERVER_ERROR, True, None),
        ("broken_json", UnscoredReason.SERVER_ERROR, True, None),
        ("no_choices", UnscoredReason.SERVER_ERROR, True, None),
        ("cut_mid_answer", UnscoredReason.SERVER_ERROR, True, None),
        ("refuses_everything", UnscoredReason.SERVER_ERROR, False, None),
    ],
)
def test_every_failure_has_its_reason(
    name: str, reason: UnscoredReason, retryable: bool, wait: float | None
) -> None:
    found = failure(name)
    assert (found.reason, found.retryable, found.retry_after) == (reason, retryable, wait)
    assert "'my-model' at http://127.0.0.1" in found.detail


def test_an_endpoint_that_hangs_is_given_up_in_time() -> None:
    found = failure("hang", timeout=0.4)  # it would answer after three seconds
    assert (found.reason, found.retryable) == (UnscoredReason.TIMED_OUT, True)


def test_an_endpoint_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
    endpoint = open_endpoint(ModelSpec.parse("my-model", base_url=url), timeout=60.0)
    with pytest.raises(CallFailure) as raised:
        ask(endpoint, request())
    assert (raised.value.reason, raised.value.retryable) == (UnscoredReason.UNREACHABLE, True)


@pytest.mark.parametrize(
    ("name", "next_step"),
    [
        ("wrong_key", "set MY_KEY"),
        ("unknown_model", "check the model's name"),
        ("forbidden", "choose another model"),
        ("no_credit", "no credit left"),
    ],
)
def test_what_only_other_settings_help_against_says_so(
    name: str, next_step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with playing(name) as cassette, pytest.raises(ModelAccessError, match=next_step) as raised:
        ask(endpoint_of(cassette, key_variable="MY_KEY"), request())
    assert cassette.heard[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(raised.value)


def test_a_key_that_is_repeated_to_us_goes_no_further() -> None:
    to = Addressee("m", "u", "set K", secrets=("s3cret-value",))
    said = to.safe("bad key s3cret-value; sent 'Bearer abc.def', known: sk-proj-abcdefgh1234")
    assert said == "bad key [key]; sent '[key] known: [key]"


def test_a_custom_url_gets_nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", OTHER_KEY)
    monkeypatch.setenv("OPENAI_ADMIN_KEY", OTHER_KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-private")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-private")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Private: hidden\nAuthorization: Bearer other")
    monkeypatch.setenv("LANGSMITH_GATEWAY", "true")
    monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_private")
    with playing("verdict_with_logprobs") as cassette:
        ask(endpoint_of(cassette), request())
    headers = cassette.heard[0].headers
    assert headers["authorization"] == "Bearer EMPTY"
    assert not re.search(f"{OTHER_KEY}|private|hidden|other", json.dumps(headers))


def test_openai_itself_gets_its_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", OTHER_KEY)
    with playing("verdict_with_logprobs") as cassette:
        monkeypatch.setenv("OPENAI_BASE_URL", cassette.base_url)
        ask(open_endpoint(ModelSpec.parse("openai:gpt-5-mini"), timeout=60.0), request())
    [heard] = cassette.heard
    assert heard.headers["authorization"] == f"Bearer {OTHER_KEY}"
    assert heard.path == "/v1/chat/completions"
    assert heard.body["max_completion_tokens"] == 24
    assert heard.body["reasoning_effort"] == "minimal"
    assert not {"temperature", "max_tokens", "logprobs", "chat_template_kwargs"} & set(heard.body)


def test_tracing_stays_off_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    from langchain_core.tracers.langchain import wait_for_all_tracers

    with playing("verdict_with_logprobs") as collector, playing("verdict_with_logprobs") as cassette:
        monkeypatch.setenv("LANGSMITH_TRACING", "true")
        monkeypatch.setenv("LANGCHAIN_TRACING_V2", "true")
        monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_private")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", collector.base_url)
        ask(endpoint_of(cassette), request())
        wait_for_all_tracers()
    assert collector.heard == []


@pytest.mark.parametrize("quote", ["Is the sky blue? Or is the sky", "the sky blue?\nOr is the"])
def test_a_message_that_quotes_the_prompt_is_withheld(quote: str) -> None:
    said = ("Answer.", "Is the sky blue? Or is the sky green at night?")
    error = ValueError(f"cannot parse {quote}")
    found = translated(error, Addressee("m", "u", "set K", said=said))
    assert isinstance(found, CallFailure)
    assert "sky" not in found.detail
    assert "quotes the prompt" in found.detail


def test_waits_are_read_in_every_form() -> None:
    now = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
    assert retry_after({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, now=now) == 30.0
    assert retry_after({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, now=now) == 0.0
    assert retry_after({"retry-after": "0"}) == 0.0
    for nonsense in ("soon", "-3", "inf", ""):
        assert retry_after({"retry-after": nonsense}) is None


@pytest.mark.parametrize("name", ["stream_cut", "stream_ends_early", "stream_error"])
def test_a_stream_that_is_cut_gives_what_came_and_then_fails(name: str) -> None:
    pieces: list[str] = []
    with playing(name) as cassette, pytest.raises(CallFailure) as raised:
        streamed(endpoint_of(cassette), pieces)
    assert pieces == ["Hello", " there", "!"][: 2 if name == "stream_error" else 3]
    assert (raised.value.reason, raised.value.retryable) == (UnscoredReason.SERVER_ERROR, True)


def test_the_question_itself_is_never_in_a_failure() -> None:
    assert QUESTION[1].content not in failure("refuses_everything").detail
