"""`glossator export` and `glossator import` from the command line, over a tiny subject."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glossator.cli import run
from glossator.records import FeatureCard
from tests.exports.labelled_cards import contents
from tests.imports.foreign_files import delphi_run, delphi_scores, explanation, write_batch
from tests.shell.shell_fixtures import FakeLabeller, install, tiny_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A tiny project in which ten features have a label, every fifth none."""
    flags = tiny_project(tmp_path_factory.mktemp("project"))
    with pytest.MonkeyPatch.context() as patch:
        install(FakeLabeller(), patch)
        assert run(["label", "--features", "0-9", *flags]) == 0
    return flags


def elsewhere(project: list[str], folder: Path) -> list[str]:
    """The same project with a ledger of its own; the index stands."""
    return [*project, "--ledger-url", f"sqlite:///{folder / 'other.sqlite'}"]


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("kind", ["neuronpedia", "delphi", "jsonl", "csv"])
def test_an_export_says_what_it_wrote_and_repeats_itself(
    kind: str, project: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", kind, "--out", str(tmp_path / "out"), *project]) == 0
    (report,) = printed(capsys)
    assert (report["kind"], report["features"], report["labels"]) == (kind, 10, 8)
    first = contents(tmp_path / "out")
    assert json.loads(first["glossator_export.json"]) == report
    assert run(["export", kind, "--out", str(tmp_path / "out"), *project]) == 0
    assert contents(tmp_path / "out") == first
    assert str(tmp_path.parent) not in "".join(c.decode("utf-8", "ignore") for c in first.values())


def test_some_features_of_the_settings_dictionary(
    project: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["export", "jsonl", "--out", str(out), "--features", "2,3,30", *project]) == 0
    cards = [FeatureCard.model_validate_json(x) for x in (out / "cards.jsonl").read_text().splitlines()]
    assert [c.feature.index for c in cards] == [2, 3]
    neuronpedia = [
        "export",
        "neuronpedia",
        "--out",
        str(out),
        "--source-set",
        "mine",
        "--model-id",
        "Tiny Llama",
    ]
    assert run([*neuronpedia, *project]) == 0
    assert (out / "v1" / "tiny-llama" / "1-mine" / "model.jsonl").is_file()
    assert json.loads((out / "v1/tiny-llama/1-mine/model.jsonl").read_text())["layers"] == 3
    assert run(["export", "delphi", "--out", str(out), "--hookpoint", "h.1", *project]) == 0
    assert (out / "explanations" / "h.1_latent0.txt").is_file()


@pytest.mark.parametrize("kind", ["neuronpedia", "delphi"])
def test_what_was_exported_is_imported_scored_and_stored(
    kind: str, project: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = elsewhere(project, tmp_path)
    assert run(["export", kind, "--out", str(tmp_path / "files"), *project]) == 0
    capsys.readouterr()
    asked = [
        "import",
        kind,
        str(tmp_path / "files"),
        "--features",
        "0-6",
        "--out",
        str(tmp_path / "out"),
        *flags,
    ]
    assert run(asked) == 0
    captured = capsys.readouterr()
    assert "warning" not in captured.err  # an export of ours names the same model and layer
    cards = [FeatureCard.model_validate_json(line) for line in captured.out.splitlines()]
    assert [c.feature.index for c in cards] == [0, 1, 2, 3, 5, 6]
    assert "6 of 6 labels are fit to be scored" in captured.err
    labelled = [c for c in cards if c.explanation is not None]
    assert labelled
    for card in labelled:
        assert card.explanation is not None
        assert card.explanation.text == f"the word number{card.feature.index} in legal language"
        assert card.explanation.method.value == "imported"
        assert {s.reader for s in card.scores} >= {"embedder"}
    assert (tmp_path / "out" / "report.html").is_file()

    assert run(asked) == 0
    assert "6 of 6 were labelled before" in capsys.readouterr().err
    assert run(["show", str(labelled[0].feature.index), *flags]) == 0
    assert printed(capsys)[0]["explanation"]["author"].startswith(kind)
    cited = next(i for i in labelled[0].explanation.evidence if i) if labelled[0].explanation else ""
    assert run(["evidence", cited, *flags]) == 0


def test_what_is_no_label_is_counted_and_said(
    project: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        explanation(7, "legal language"),
        explanation(7, "another label of it"),
        explanation(8, "I'm sorry, but I can't help with that"),
        explanation(9, "MAX_ACTIVATING_TOKENS are nouns", explanationModelName="gemini"),
    ]
    write_batch(tmp_path / "6-res" / "explanations", 0, rows)
    flags = elsewhere(project, tmp_path)
    assert run(["import", "neuronpedia", str(tmp_path), *flags]) == 0
    captured = capsys.readouterr()
    assert [json.loads(x)["feature"]["index"] for x in captured.out.splitlines()] == [7]
    for said in ("warning: their files say that these are labels of 'gpt2-small/6-res-jb'",
                 "'tiny-llama/1-neurons'",
                 "1 of 4 labels are fit to be scored, by neuronpedia:gpt-4o-mini",
                 "1 are no labels: refusal", "1 are no labels: prompt echo",
                 "1 more are of features that have one already"):  # fmt: skip
        assert said in captured.err
    assert run(["import", "neuronpedia", str(tmp_path), "--author", "neuronpedia:gemini", *flags]) == 2
    assert "none of the 1 labels" in capsys.readouterr().err
    assert run(["import", "neuronpedia", str(tmp_path), "--features", "3", *flags]) == 2
    assert "is of the features 3" in capsys.readouterr().err
    assert run(["import", "neuronpedia", str(tmp_path), "--author", "nobody", *flags]) == 2
    assert "neuronpedia:gpt-4o-mini" in capsys.readouterr().err


def test_claims_of_others_stay_claims(
    project: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = delphi_run(tmp_path / "run", {7: "legal language"}, "layers.1")
    delphi_scores(folder, "detection", 7, [(True, True), (False, False)], "layers.1")
    flags = elsewhere(project, tmp_path)
    assert run(["import", "delphi", str(folder), *flags]) == 0
    (card,) = printed(capsys)
    found: list[dict[str, Any]] = []
    for identity in card["evidence"]:
        assert run(["evidence", identity, *flags]) == 0
        found += [line["evidence"] for line in printed(capsys)]
    (claim,) = [e for e in found if e["kind"] == "imported"]
    assert claim["payload"]["claimed"][0]["value"] == 1.0
    assert claim["id"] in card["explanation"]["evidence"]


def test_a_label_of_our_own_stays_where_the_imported_one_stands_no_better(
    project: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = elsewhere(project, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        install(FakeLabeller(), patch)
        assert run(["label", "--features", "7", *flags]) == 0
    (own,) = printed(capsys)
    assert own["verdict"]["kind"] == "tentative"
    folder = delphi_run(tmp_path / "run", {7: "recipes for fish soup"}, "layers.1")
    assert run(["import", "delphi", str(folder), *flags]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["verdict"]["kind"] == "abstained"
    assert "1 features keep their own label" in captured.err
    assert run(["show", "7", *flags]) == 0
    assert printed(capsys)[0]["explanation"] == own["explanation"]
    assert run(["compare", "7", *flags]) == 0
    assert "recipes for fish soup" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "xml", "--out", "x"], "known are 'csv', 'delphi', 'jsonl', 'neuronpedia'"),
        (["export", "csv"], "--out"),
        (["export", "csv", "--out", "x", "--features", "40"], "numbered 0-39"),
        (["export", "csv", "--out", "glossator.toml/x"], "glossator.toml' is a file: give a folder"),
        (["export", "csv", "--out", "."], "is where you are"),
        (["import", "xml", "."], "unknown format 'xml'"),
        (["import", "delphi", ".", "--out", "glossator.toml"], "glossator.toml' is a file: give a folder"),
        (["import", "delphi", "nowhere"], "results/NAME"),
        (["import", "neuronpedia", "nowhere"], "there is no folder"),
        (["import", "neuronpedia", ".", "--score-by", "detection"], "--score-by needs a model"),
        (["import", "neuronpedia", ".", "--estimate"], "--estimate needs a model"),
    ],
)
def test_wrong_use_exits_with_2(
    arguments: list[str],
    message: str,
    project: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "glossator.toml").touch()
    assert run([*arguments, *project]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert [p.name for p in tmp_path.iterdir()] == ["glossator.toml"]


def test_nothing_labelled_and_foreign_folders(
    project: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", "csv", "--out", str(tmp_path / "out"), *elsewhere(project, tmp_path)]) == 2
    assert "nothing of tiny-llama/" in capsys.readouterr().err
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("precious")
    assert run(["export", "csv", "--out", str(tmp_path / "thesis"), *project]) == 2
    assert "no export of Glossator" in capsys.readouterr().err


def test_where_nothing_may_be_written_is_said_before_anything_is_done(
    project: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path)
    for command in (["export", "csv"], ["import", "delphi", "."], ["label", "--features", "0"]):
        assert run([*command, "--out", str(tmp_path / "a" / "b"), *project]) == 3
        assert "may not be written to" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_imports_nothing(
    project: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [explanation(7, "legal language"), "{cut"]
    write_batch(tmp_path / "6-res" / "explanations", 0, rows)
    flags = elsewhere(project, tmp_path)
    assert run(["import", "neuronpedia", str(tmp_path), *flags]) == 2
    captured = capsys.readouterr()
    assert "line 2" in captured.err
    assert captured.out == ""
    assert run(["show", "7", *flags]) == 2
