"""`glossator models` over cassettes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from glossator.agents.llm_calls import endpoint_probe
from glossator.cli import run
from tests.llm_wire.cassette_server import playing

KEY = "sk-proj-ThisIsTheKey0123456789"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    endpoint_probe._answered.clear()
    yield
    endpoint_probe._answered.clear()


def test_without_a_model_it_says_that_none_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "without an LLM" in shown.err
    assert "--explainer openai:gpt-5-mini" in shown.err


def test_each_role_has_a_line_and_each_model_one_call(capsys: pytest.CaptureFixture[str]) -> None:
    with playing("schema_object") as cassette:
        code = run(
            ["models", "--base-url", cassette.base_url, "--explainer", "my-model", "--price", "0.25/2"]
        )
    assert code == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["role"] for line in lines] == ["explainer", "scorer", "investigator", "judge"]
    assert len(cassette.heard) == 1
    assert lines[0] == lines[1] | {"role": "explainer"}
    seconds = lines[0].pop("seconds")
    assert 0 < seconds < 60
    assert lines[0] == {
        "role": "explainer", "model": "my-model", "endpoint": cassette.base_url,
        "usd_per_million_input_tokens": 0.25, "usd_per_million_output_tokens": 2.0,
        "schema": True, "logprobs": False, "error": None,
    }  # fmt: skip


def test_a_price_that_is_not_known_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    with playing("verdict_with_logprobs") as cassette:
        assert run(["models", "--base-url", cassette.base_url, "--scorer", "gpt-4.1-mini"]) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[0])
    assert line["role"] == "scorer"
    assert line["usd_per_million_input_tokens"] is None
    assert line["logprobs"] is True
    assert line["schema"] is False, "it answered a bare 1"


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("unknown_model", 2, "check the model's name"),
        ("server_error", 5, "server error"),
        ("wrong_key", 2, "key"),
    ],
)
def test_a_model_that_does_not_answer_is_told_in_words(
    name: str, code: int, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with playing(name) as cassette:
        flags = ["--base-url", cassette.base_url, "--api-key-variable", "MY_KEY", "--explainer", "m"]
        assert run(["models", *flags]) == code
        assert run(["models", *flags]) == code, "what failed is asked again"
    shown = capsys.readouterr()
    assert said in json.loads(shown.out.splitlines()[0])["error"]
    assert KEY not in shown.out + shown.err
    assert len(cassette.heard) == 2


def test_a_missing_key_is_one_rows_error_and_the_others_are_tried(capsys: pytest.CaptureFixture[str]) -> None:
    with playing("schema_object") as cassette:
        flags = ["--base-url", cassette.base_url, "--explainer", "my-model", "--judge", "openai:gpt-5-mini"]
        assert run(["models", *flags]) == 2
    lines = {line["role"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert lines["explainer"]["error"] is None
    assert "OPENAI_API_KEY" in lines["judge"]["error"]
    assert lines["judge"]["usd_per_million_input_tokens"] > 0, "known from the list, key or not"
    assert lines["explainer"]["usd_per_million_input_tokens"] is None


def test_a_person_sees_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glossator.commands.models.wants_json", lambda asked: asked)
    monkeypatch.setenv("COLUMNS", "160")
    with playing("schema_object") as cassette:
        assert run(["models", "--base-url", cassette.base_url, "--explainer", "my-model"]) == 0
    shown = capsys.readouterr().out
    for word in ("investigator", "my-model", cassette.base_url, "unknown", "yes", "no"):
        assert word in shown
