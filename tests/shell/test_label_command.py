from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glossator.cli import run
from glossator.errors import ProbeError
from tests.shell.shell_fixtures import FakeLabeller, install, tiny_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return tiny_project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def labeller(monkeypatch: pytest.MonkeyPatch) -> FakeLabeller:
    made = FakeLabeller()
    install(made, monkeypatch)
    return made


def at_home(project: list[str], home: Path) -> list[str]:
    return [*project[: project.index("--home") + 1], str(home), *project[project.index("--home") + 2 :]]


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_label_show_search_and_go_on(
    project: list[str], labeller: FakeLabeller, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = at_home(project, tmp_path / "home")
    out = tmp_path / "out"
    assert run(["label", "--features", "0-2,7", "--out", str(out), *flags]) == 0
    cards = lines(capsys)
    assert [c["feature"]["index"] for c in cards] == [0, 1, 2, 7]
    assert [c["feature"]["dictionary"] for c in cards] == ["1-mlp_hidden-neurons"] * 4 or cards
    assert "number7" in (out / "report.html").read_text()
    assert len((out / "cards.jsonl").read_text().splitlines()) == 4

    assert run(["label", "--features", "0-4", "--out", str(out), *flags]) == 0
    assert [c["feature"]["index"] for c in lines(capsys)] == [0, 1, 2, 3, 4]
    assert labeller.asked == [0, 1, 2, 7, 3, 4]  # what was done is not done again
    assert run(["label", "--features", "1", "--force", *flags]) == 0
    assert labeller.asked[-1] == 1
    assert (tmp_path / "home" / "reports" / "report.html").is_file()
    capsys.readouterr()

    assert run(["show", "7", *flags]) == 0
    assert lines(capsys)[0]["explanation"]["text"] == "the word number7 in legal language"
    assert run(["show", "30", *flags]) == 2
    error = capsys.readouterr().err
    assert "labelled are 0-4, 7" in error
    assert "glossator label --features 30" in error
    assert run(["show", "40", *flags]) == 2
    assert "numbered 0-39" in capsys.readouterr().err

    assert run(["search", "number7 legal", "-k", "2", *flags]) == 0
    found = lines(capsys)
    assert len(found) == 2
    assert found[0]["feature"].endswith("/7")
    assert run(["memory", "rebuild", *flags]) == 0
    assert lines(capsys)[0]["labels"] == 5
    assert run(["memory", "check", *flags]) == 0
    assert lines(capsys)[0]["cards"] == 6


def test_ctrl_c_keeps_what_was_finished(
    project: list[str], labeller: FakeLabeller, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = at_home(project, tmp_path / "home")
    labeller.fail_at = 3
    assert run(["label", "--features", "0-5", *flags]) == 130
    assert "what was finished is stored" in capsys.readouterr().err
    labeller.fail_at = None
    assert run(["label", "--features", "0-5", *flags]) == 0
    captured = capsys.readouterr()
    assert labeller.asked == [0, 1, 2, 3, 4, 5]
    assert "3 of 6 were labelled before" in captured.err
    labeller.fail_at, labeller.error = 6, ProbeError("the subject failed")
    assert run(["label", "--features", "6", *flags]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "glossator: the subject failed"


def test_random_features_follow_the_seed(
    project: list[str], labeller: FakeLabeller, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = at_home(project, tmp_path / "home")
    drawn: list[list[int]] = []
    for seed in ("1", "1", "2"):
        assert run(["label", "--random", "5", "--seed", seed, *flags]) == 0
        drawn.append([c["feature"]["index"] for c in lines(capsys)])
    assert drawn[0] == drawn[1] != drawn[2]
    assert sorted(labeller.asked) == sorted({*drawn[0], *drawn[2]})  # nothing is labelled twice


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["label"], "say which features"),
        (["label", "--features", "1", "--random", "2"], "one of the two"),
        (["label", "--features", "5-2"], "runs backwards"),
        (["label", "--features", "abc"], "'abc'"),
        (["label", "--features", "40"], "the dictionary has 40, numbered 0-39"),
        (["label", "--random", "0"], "--random"),
        (["show", "nonsense"], "unknown feature 'nonsense'"),
        (["search", "  "], "search text is empty"),
        (["search", "x", "--verdict", "maybe"], "unknown verdict 'maybe'"),
        (["nope"], "No such command 'nope'"),
        (["label", "--seed", "x"], "--seed"),
        (["config", "--tokens", "0"], "'tokens' is 0"),
    ],
)
def test_wrong_use_exits_with_2(
    arguments: list[str],
    message: str,
    project: list[str],
    labeller: FakeLabeller,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(arguments if arguments[0] in ("nope", "config") else [*arguments, *project]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_nothing_labelled_yet(project: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = at_home(project, tmp_path / "home")
    assert run(["search", "cats", *flags]) == 0
    assert "nothing is labelled yet" in capsys.readouterr().err
    assert run(["show", "3", *flags]) == 2
    assert "glossator label --features 3" in capsys.readouterr().err


def test_a_standing_index_needs_no_subject(
    project: list[str],
    labeller: FakeLabeller,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["label", "--features", "0", *project]) == 0

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the subject was loaded")

    monkeypatch.setattr("glossator.probes.subject.load_subject", refuse)
    assert run(["label", "--features", "0", *project]) == 0
    assert run(["show", "0", *project]) == 0
    assert run(["doctor", *project]) == 0
    report = {line["part"]: line for line in lines(capsys)[3:]}
    assert report["activation index"]["state"] == "ok"
    assert report["ledger"]["state"] == "ok"
    assert report["starter subject"]["what_to_do"]
    corpus = Path(project[project.index("--corpus") + 1])
    corpus.write_text(corpus.read_text() + "\n\nanother paragraph")
    with pytest.raises(AssertionError, match="was loaded"):  # another corpus, another index
        run(["label", "--features", "0", *project])
