"""`glossator label` with a language model: a scripted one behind a loopback server and the real client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from glossator.agents.llm_calls import call_room
from glossator.agents.llm_calls.retry import RetryPolicy
from glossator.agents.llm_calls.scripted_chat import Asked, Script, by_form, verdicts
from glossator.cli import run
from tests.agents.planted_index import LABEL_FORM
from tests.llm_wire.scripted_server import ScriptedServer, serving
from tests.shell.shell_fixtures import tiny_project

KEY = "sk-proj-ThisIsTheKey0123456789"
FEATURES, MANY = "0-3", "0-11"


def label(asked: Asked) -> str:
    return json.dumps({"label": "words about the law and courts", "predicate": ""})


def reader(claim: str, text: str) -> bool:
    return "law" in text or "court" in text


SCRIPT: Script = by_form(verdicts(reader), {LABEL_FORM: label})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A tiny project whose index stands."""
    flags = tiny_project(tmp_path_factory.mktemp("project"))
    assert run(["label", "--features", "0", *flags]) == 0
    return flags


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedServer]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MY_KEY", KEY)
    with serving(SCRIPT) as scripted:
        yield scripted


def asking(server: ScriptedServer, project: list[str], ledger: Path) -> list[str]:
    return [
        *project, "--base-url", server.base_url, "--explainer", "my-model", "--api-key-variable", "MY_KEY",
        "--ledger-url", f"sqlite:///{ledger}", "--llm-slots", "4", "--windows-per-prompt", "5",
    ]  # fmt: skip


def cards(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def questions(server: ScriptedServer) -> set[str]:
    """What was asked, whatever form of answer was asked for: that is learned on the way."""
    return {repr((r.messages, r.sample)) for r in server.asked}


def test_label_twice_compare_and_no_key_anywhere(
    project: list[str], server: ScriptedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, out = tmp_path / "ledger.sqlite", tmp_path / "out"
    flags = asking(server, project, ledger)
    capsys.readouterr()
    assert run(["label", "--features", FEATURES, "--out", str(out), *flags]) == 0
    made = cards(capsys)
    explained = [c for c in made if c["candidates"]]
    assert explained, [c["verdict"]["reason"] for c in made]
    assert any(x["explanation"]["method"] == "one_shot" for c in explained for x in c["candidates"])
    assert sum(c["spending"]["calls"] for c in explained) == len(server.asked)
    assert all(c["spending"]["usd"] is None for c in explained)  # a price that nobody said is no zero
    assert server.keys == {f"Bearer {KEY}"}

    paid = len(server.asked)
    assert run(["label", "--features", FEATURES, "--out", str(out), *flags]) == 0
    assert run(["label", "--features", FEATURES, "--force", "--out", str(out), *flags]) == 0
    assert len(server.asked) == paid
    capsys.readouterr()
    assert run(["compare", str(explained[0]["feature"]["index"]), *flags]) == 0
    assert "one_shot" in capsys.readouterr().out
    kept = [p for folder in (tmp_path, out) for p in folder.rglob("*") if p.is_file()]
    assert {p.name for p in kept} >= {"ledger.sqlite", "report.html", "cards.jsonl"}
    assert not [p for p in kept if KEY.encode() in p.read_bytes()]


def test_an_estimate_asks_nothing_and_is_near(
    project: list[str], server: ScriptedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = asking(server, project, tmp_path / "ledger.sqlite")
    capsys.readouterr()
    assert run(["label", "--features", FEATURES, "--estimate", *flags, "--price", "1/2"]) == 0
    (estimate,) = cards(capsys)
    assert not server.asked
    assert estimate["total"]["calls"] > 0
    assert estimate["total"]["usd"] == pytest.approx(
        estimate["total"]["input_tokens"] / 1e6 + 2 * estimate["total"]["output_tokens"] / 1e6, rel=0.1
    )


@pytest.mark.parametrize(
    ("status", "error", "code", "said"),
    [
        (401, {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}, 2, "key"),
        (404, {"message": "The model `my-model` does not exist", "code": "model_not_found"}, 2, "my-model"),
    ],
)
def test_a_wrong_key_or_model_ends_the_run_at_once(
    project: list[str],
    server: ScriptedServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    status: int,
    error: dict[str, Any],
    code: int,
    said: str,
) -> None:
    server.status, server.error = (lambda _: status), error
    assert run(["label", "--features", FEATURES, *asking(server, project, tmp_path / "l.sqlite")]) == code
    message = capsys.readouterr().err
    assert said in message
    assert KEY not in message
    assert "Traceback" not in message


def test_an_endpoint_that_is_not_there(
    project: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = partial(RetryPolicy, first_wait=0.0, longest_wait=0.0)
    monkeypatch.setattr(call_room, "RetryPolicy", impatient)
    flags = [*project, "--base-url", "http://127.0.0.1:9/v1", "--explainer", "my-model"]
    assert run(["label", "--features", FEATURES, *flags, "--ledger-url", f"sqlite:///{tmp_path / 'l'}"]) == 5
    message = capsys.readouterr().err
    assert "unreachable" in message
    assert "goes on from here" in message


@pytest.mark.slow
def test_a_budget_ends_the_run_and_the_next_goes_on(
    project: list[str], server: ScriptedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["label", "--features", MANY, *asking(server, project, tmp_path / "free.sqlite")]) == 0
    needed, whole = questions(server), cards(capsys)
    server.asked.clear()

    flags = asking(server, project, tmp_path / "ledger.sqlite")
    assert run(["label", "--features", MANY, "--budget", "2calls", *flags]) == 2
    assert "too small for one feature" in capsys.readouterr().err
    assert not server.asked
    budget = int(0.7 * len(needed))
    assert run(["label", "--features", MANY, "--budget", f"{budget}calls", *flags]) == 1
    said = capsys.readouterr()
    done = [json.loads(line) for line in said.out.splitlines()]
    assert 0 < sum(bool(c["candidates"]) for c in done) < sum(bool(c["candidates"]) for c in whole)
    assert "--budget" in said.err
    assert len(server.asked) <= budget
    assert run(["label", "--features", MANY, *flags]) == 0
    assert questions(server) == needed
    assert len(server.asked) == len(needed)


def test_calls_that_the_endpoint_failed_are_asked_again_and_no_others(
    project: list[str], server: ScriptedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = asking(server, project, tmp_path / "ledger.sqlite")
    capsys.readouterr()
    server.status = lambda n: 418 if n % 5 == 4 else 200  # nothing that trying again at once would help
    assert run(["label", "--features", FEATURES, *flags]) == 0
    first = cards(capsys)
    failed = sum((c["spending"] or {}).get("unscored", {}).get("server error", 0) for c in first)
    assert failed > 0
    answered = len(server.asked) - failed
    server.status = lambda _: 200
    server.asked.clear()
    assert run(["label", "--features", FEATURES, *flags]) == 0
    second = cards(capsys)
    assert not any((c["spending"] or {}).get("unscored") for c in second)
    assert sum(c["spending"]["cached"] for c in second if c["spending"]) >= answered
    server.asked.clear()
    assert run(["label", "--features", FEATURES, *flags]) == 0
    assert not server.asked


def test_flags_that_cannot_be_meant(project: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for flags, said in (
        (["--budget", "2usd"], "needs a model"),
        (["--estimate"], "needs a model"),
        (["--explainer", "my-model"], "--base-url"),
        (["--explainer", "opnai:gpt"], "did you mean 'openai'"),
        (["--explainer", "openai:gpt-5-mini", "--budget", "lots"], "such as 2usd"),
        (["--explainer", "openai:gpt-5-mini", "--explain-by", "guessing"], "known are"),
        (["--explainer", "openai:gpt-5-mini", "--score-by", "predicate"], "known are"),
    ):
        assert run(["label", "--features", "0", *flags, *project]) == 2
        assert said in capsys.readouterr().err
