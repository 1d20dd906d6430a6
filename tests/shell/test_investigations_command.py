from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from glossator import investigation_resume
from glossator.cli import run
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
from glossator.records import Answer, PlannerKind, TraceEvent, TraceKind
from tests.agents.trace_fixtures import FEATURE, begun, made_up_feature, made_up_request


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def made(home: Path) -> tuple[str, str, str]:
    """A finished feature, a finished request, and one that was stopped."""
    with Ledger.open(home / "ledger.sqlite") as ledger:
        return made_up_feature(ledger), made_up_request(ledger), made_up_feature(ledger, finish=False)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def plain(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)


def test_they_are_listed_with_what_they_came_to(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--home", str(home)]
    assert run(["investigations", *flags]) == 0
    assert "nothing was investigated yet" in capsys.readouterr().err
    feature, request, stopped = made(home)
    assert run(["investigations", *flags]) == 0
    listed = {line["id"]: line for line in lines(capsys)}
    assert set(listed) == {feature, request, stopped}
    assert (listed[feature]["state"], listed[feature]["usd"]) == ("finished", 0.004)
    assert listed[feature]["result"]["explanation"]["text"] == "courts of law, and royal courts"
    assert (listed[request]["kind"], listed[request]["asked"]) == ("request", "what does feature 812 mean?")
    assert (listed[stopped]["state"], listed[stopped]["result"]) == ("unfinished", None)
    assert run(["investigations", "--limit", "1", *flags]) == 0
    assert len(lines(capsys)) == 1
    assert run(["investigations", "list", "--json", *flags]) == 0
    assert len(lines(capsys)) == 3


def test_one_is_shown_with_its_audit(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    feature, request, _ = made(home)
    with Ledger.open(home / "ledger.sqlite") as ledger:
        late = TraceEvent(step="late", number=0, kind=TraceKind.NODE, words="late [red]")
        InvestigationStore(ledger).append(feature, [late])
    assert run(["investigations", "show", feature[:9], "--home", str(home)]) == 0
    (shown,) = lines(capsys)
    assert [flag["kind"] for flag in shown["audit"]] == ["steps after the end"]
    assert (shown["events"], shown["spending"]["calls"]) == (33, 2)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "140")
    assert run(["investigations", "--home", str(home)]) == 0
    table = plain(capsys)
    assert "accepted: courts" in table
    assert "$0.004" in table
    assert run(["investigations", "show", feature, "--home", str(home)]) == 0
    text = plain(capsys)
    assert "accepted  courts of law, and royal courts" in text
    assert "H1: 0.83" in text  # short names
    assert "1 call, $0.002" in text
    assert "refuted" in text
    assert "⚑ steps after the end · 1 events follow the result · late" in text
    assert run(["investigations", "show", request, "--home", str(home)]) == 0
    text = plain(capsys)
    assert "1. Feature 812 fires on courts of law.  supported" in text
    assert "audit: nothing to report" in text


def test_one_is_exported_as_a_page_and_as_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    feature, *_ = made(home)
    flags = ["--home", str(home)]
    page, data = home / "out" / "trace.html", home / "out" / "trace.json"
    assert run(["investigations", "export", feature, "--html", str(page), "--json", str(data), *flags]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert str(page) in said.err
    assert page.read_text().startswith("<!DOCTYPE html>")
    whole = json.loads(data.read_text())
    assert (len(whole["events"]), whole["result"]["id"]) == (32, feature)
    assert run(["investigations", "export", feature, *flags]) == 2
    assert "give --html FILE, --json FILE" in capsys.readouterr().err
    (home / "file").write_text("in the way")
    assert run(["investigations", "export", feature, "--html", str(home / "file" / "x.html"), *flags]) == 3


@pytest.mark.parametrize("command", [["show"], ["resume"], ["export", "--html", "x.html"]])
def test_an_unknown_one_is_named(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    made(home)
    monkeypatch.chdir(home)
    assert run(["investigations", *command, "i-none", "--home", str(home)]) == 2
    assert "'i-none' is not in this ledger: glossator investigations" in capsys.readouterr().err
    assert run(["investigations", *command, "i-", "--home", str(home)]) == 2
    assert "begins several" in capsys.readouterr().err


def test_one_that_was_stopped_is_gone_on_with(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    feature, _, stopped = made(home)
    resumed: list[str] = []

    def resume(session: Any, stored: Any, listeners: Any) -> None:
        resumed.append(stored.id)
        end = TraceEvent(step="finish", number=0, kind=TraceKind.FINISHED, words="done")
        InvestigationStore(session.ledger()).append(stored.id, [end])

    monkeypatch.setattr(investigation_resume, "resume_investigation", resume)
    assert run(["investigations", "resume", feature, "--home", str(home)]) == 0
    said = capsys.readouterr()
    assert "is finished" in said.err
    assert json.loads(said.out)["id"] == feature
    assert resumed == []
    assert run(["investigations", "resume", stopped, "--home", str(home)]) == 0
    assert lines(capsys)[0]["state"] == "finished"
    assert resumed == [stopped]


def test_an_answer_that_a_limit_cut_short_is_not_over(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ledger.open(home / "ledger.sqlite") as ledger:
        trace = begun(ledger, "what?", request=True)
        answer = Answer(
            investigation=trace.investigation, request="what?", claims=(), enough=False,
            planner=PlannerKind.RULES, stopped="20 calls",
        )  # fmt: skip
        with trace.at("answer") as events:
            events.add(TraceKind.FINISHED, "stopped", answer.model_dump(mode="json"))
    resumed: list[str] = []

    def resume(session: Any, stored: Any, listeners: Any) -> None:
        resumed.append(stored.id)

    monkeypatch.setattr(investigation_resume, "resume_investigation", resume)
    assert run(["investigations", "resume", trace.investigation, "--home", str(home)]) == 0
    assert resumed == [trace.investigation]
    assert lines(capsys)[0]["result"]["stopped"] == "20 calls"


def test_evidence_of_the_ledger_stands_behind_claims_of_a_later_trace(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    feature, *_ = made(home)
    with Ledger.open(home / "ledger.sqlite") as ledger:
        known = InvestigationStore(ledger).events(feature)[-1].event.evidence[0]
        trace = begun(ledger, str(FEATURE), request=True)
        with trace.at("answer") as events:
            for cited in (known, "e-made-up"):
                claim = {"text": f"by {cited}", "evidence": [cited], "standing": "supported"}
                events.add(TraceKind.CLAIM, "claim", claim)
    assert run(["investigations", "show", trace.investigation, "--home", str(home)]) == 0
    (shown,) = lines(capsys)
    assert [flag["words"] for flag in shown["audit"]] == [
        "the claim 'by e-made-up' cites e-made-up, which nothing measured"
    ]
