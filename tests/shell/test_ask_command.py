"""`glossator ask` and `glossator chat` over a tiny subject: by rules, and with a scripted model."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from glossator.agents.llm_calls.chat import Capabilities, ChatEndpoint, Role
from glossator.agents.llm_calls.model_spec import ModelSpec
from glossator.agents.llm_calls.scripted_chat import ScriptedChat
from glossator.cli import run
from tests.agents.orchestrator.request_fixtures import act, following, reply
from tests.shell.shell_fixtures import tiny_project


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return tiny_project(tmp_path_factory.mktemp("tiny"))


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["ask", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_request_is_answered_continued_and_opened(
    flags: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "trace.html"
    first = asked(capsys, "what does feature 3 fire on?", "--out", str(page), *flags)
    assert first["enough"]
    assert first["planner"] == "rules"
    assert "feature_card(feature=3)" in first["tried"][0]
    assert "feature 3" in page.read_text()
    second = asked(capsys, "and what are its neighbours?", "--continue", first["investigation"], *flags)
    assert second["tried"][0].startswith("neighbours(feature=3)")
    assert run(["evidence", first["claims"][0]["evidence"][0], *flags]) == 0
    assert run(["investigations", "show", second["investigation"], *flags]) == 0


def test_what_cannot_be_asked_is_said(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, why in (
        (["what?", "--planner", "magic"], "there is no planner 'magic': choose auto, native, schema, rules"),
        (["what?", "--planner", "schema"], "needs a model: set --investigator"),
        (["what?", "--budget", "1usd"], "--budget needs a model"),
        ([" "], "the request is empty"),
        (["what?", "--continue", "i-000000000000"], "is not in this ledger"),
    ):
        assert run(["ask", *arguments, *flags]) == 2
        assert why in capsys.readouterr().err


def scripted(monkeypatch: pytest.MonkeyPatch, chat: ScriptedChat) -> list[str]:
    """Flags of a model that is `chat`."""

    def opened(models: Mapping[Role, ModelSpec], *, timeout: float) -> Mapping[Role, ChatEndpoint]:
        return dict.fromkeys(models, chat)

    monkeypatch.setattr("glossator.agents.llm_calls.open_endpoint.open_endpoints", opened)
    return ["--investigator", "tiny", "--base-url", "http://127.0.0.1:9/v1", "--price", "0/0"]


@pytest.mark.parametrize(("tools", "planner"), [(True, "native"), (False, "schema")])
def test_auto_takes_what_the_model_can_do(
    flags: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tools: bool,
    planner: str,
) -> None:
    script = following(act("feature_card", feature=3), reply(("feature 3 is not labelled", ["F1"])))
    chat = ScriptedChat(script, capabilities=Capabilities(schema=True, tools=tools), model=planner)
    model = scripted(monkeypatch, chat)
    answer = asked(capsys, "what is feature 3?", *model, *flags)
    assert answer["planner"] == planner
    assert answer["spending"]["calls"] == 2
    assert [c["standing"] for c in answer["claims"]] == ["supported"]
    tools_offered = {t.name for t in chat.requests[0].tools}
    assert ("investigate_feature" in tools_offered) is tools
    again = asked(capsys, "what is feature 3?", *model, *flags)
    assert again["spending"]["calls"] == 0
    assert again["spending"]["cached"] == 2


def test_a_chat_shows_tools_costs_and_evidence(
    flags: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = "what does feature 3 fire on?\nand its neighbours?\n/cost\n/evidence\n/nonsense\n/stop\n\n/quit\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert run(["chat", *flags]) == 0
    told = capsys.readouterr()
    assert "» feature_card(feature=3)" in told.err
    assert "» neighbours(feature=3)" in told.err
    assert "no LLM calls" in told.err
    assert "there is no /nonsense" in told.err
    assert "nothing is running" in told.err
    assert "• feature 3 is not labelled" in told.out
    identity = next(line.split()[0] for line in told.err.splitlines() if line.startswith("e-"))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"/evidence {identity}\n/evidence e-0\n"))
    assert run(["chat", *flags]) == 0
    told = capsys.readouterr()
    assert f"{identity}: how often and how strongly it fires" in told.err
    assert "there is no evidence 'e-0'" in told.err


def test_an_interrupted_request_leaves_the_chat(
    flags: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("glossator.agents.tools.feature_tools.feature_card", interrupted)
    monkeypatch.setattr("sys.stdin", io.StringIO("what is feature 3?\n/help\n"))
    assert run(["chat", *flags]) == 0
    told = capsys.readouterr().err
    assert "stopped; what was found is stored" in told
    assert "/quit            leave" in told
