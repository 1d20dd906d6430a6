from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glossator.cli import run
from glossator.memory.finding_store import FindingStore
from glossator.memory.investigation_store import InvestigationStore
from glossator.memory.ledger import Ledger
from glossator.records import FeatureNames, Finding, FindingKind
from tests.shell.shell_fixtures import tiny_project

NAMES = FeatureNames("tiny", "1-resid-8")


def learn(
    home: Path,
    text: str,
    features: tuple[int, ...] = (3,),
    kind: FindingKind = FindingKind.MEANING,
    names: FeatureNames = NAMES,
) -> str:
    with Ledger.open(home / "ledger.sqlite") as ledger:
        source = InvestigationStore(ledger).start("feature", names, "3", {})
        verdict = "accepted" if kind is FindingKind.MEANING else ""
        finding = Finding.of(*names, features, kind, text, evidence=("e-1",), verdict=verdict)
        FindingStore(ledger).add(source, [finding])
        return source


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_findings_are_listed_newest_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--home", str(tmp_path), "--embedder", "hashing"]
    assert run(["memory", "findings", *flags]) == 0
    assert "nothing like that was learnt yet" in capsys.readouterr().err
    first = learn(tmp_path, "the word cat")
    second = learn(tmp_path, "The word cat.")
    learn(tmp_path, "the word dog", kind=FindingKind.REFUTED)
    learn(tmp_path, "alike", (4, 5), FindingKind.RELATION)
    assert run(["memory", "findings", *flags]) == 0
    listed = lines(capsys)
    assert [f["text"] for f in listed] == ["alike", "the word dog", "The word cat."]
    assert listed[2]["investigations"] == [first, second]
    assert listed[2]["evidence"] == ["e-1"]
    assert run(["memory", "findings", "--feature", "4", "--json", *flags]) == 0
    assert [f["features"] for f in lines(capsys)] == [[4, 5]]
    assert run(["memory", "findings", "--kind", "refuted", *flags]) == 0
    assert [f["text"] for f in lines(capsys)] == ["the word dog"]
    assert run(["memory", "findings", "--kind", "rumour", *flags]) == 2
    assert "'rumour': findings are of kind meaning, facet" in capsys.readouterr().err


def test_findings_of_several_dictionaries_are_never_mixed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learn(tmp_path, "the word cat")
    learn(tmp_path, "the word cat", names=FeatureNames("tiny", "2-resid-8"))
    assert run(["memory", "findings", "--home", str(tmp_path)]) == 2
    assert "tiny/1-resid-8, tiny/2-resid-8" in capsys.readouterr().err


def test_a_terminal_gets_tables_without_control_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "160")
    flags = ["--home", str(tmp_path), "--embedder", "hashing"]
    assert run(["memory", "findings", *flags]) == 0
    assert "nothing like that was learnt yet" in capsys.readouterr().err
    assert run(["memory", "contradictions", *flags]) == 0
    assert "no contradictions were found" in capsys.readouterr().err
    learn(tmp_path, "cats [bold] \x1b[2J")
    learn(tmp_path, "cats [bold] \x1b[2J", kind=FindingKind.REFUTED)
    assert run(["memory", "findings", *flags]) == 0
    shown = capsys.readouterr().out
    assert "meaning, accepted" in shown
    assert "cats [bold]" in shown
    assert "\x1b[2J" not in shown
    assert run(["memory", "contradictions", *flags]) == 0
    shown = capsys.readouterr()
    assert "• accepted, and refuted by an investigation (in the same words)" in shown.out
    assert "\x1b[2J" not in shown.out
    assert "no index" in shown.err


def test_contradictions_are_held_against_the_index(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = tiny_project(tmp_path)
    assert run(["index", "build", *flags]) == 0
    home = tmp_path / "home"
    passport = next((home / "indexes" / "passports").glob("*.json"))
    known = json.loads(passport.read_text())
    names = FeatureNames(known["subject"], known["dictionary"])
    learn(home, "the word cat", (3,), names=names)
    learn(home, "The word 'cat'", (5,), names=names)  # neurons that fire everywhere, together
    learn(home, "the word cat", (3,), FindingKind.REFUTED, names)
    learn(home, "a claim about another subject", (3,), names=NAMES)
    capsys.readouterr()
    assert run(["memory", "contradictions", *flags]) == 0
    (found,) = lines(capsys)
    assert found["words"].startswith("accepted, and refuted")
    assert run(["memory", "findings", *flags]) == 0
    assert len(lines(capsys)) == 3
    assert run(["memory", "rebuild", *flags]) == 0
    assert lines(capsys)[0]["learnt"] == 4
    assert run(["memory", "check", *flags]) == 0
    checked = lines(capsys)[0]
    assert (checked["findings"], checked["investigations"]) == (4, 4)
