"""`glossator import` with a reading model behind a loopback server: scored by it, no label asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glossator.agents.llm_calls.scripted_chat import verdicts
from glossator.cli import run
from glossator.records import FeatureCard
from tests.imports.foreign_files import explanation, write_batch
from tests.llm_wire.scripted_server import serving
from tests.shell.shell_fixtures import tiny_project


@pytest.mark.slow
def test_a_model_reads_imported_labels_and_writes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny_project(tmp_path)
    rows = [explanation(i, f"words about the law and courts {i}") for i in (1, 4)]
    write_batch(tmp_path / "files" / "6-res" / "explanations", 0, rows)
    asked = ["import", "neuronpedia", str(tmp_path / "files"), *project, "--scorer", "reader"]
    monkeypatch.setenv("MY_KEY", "sk-none")
    with serving(verdicts(lambda claim, text: "law" in text)) as server:
        asked += ["--base-url", server.base_url, "--api-key-variable", "MY_KEY", "--windows-per-prompt", "5"]
        assert run([*asked, "--estimate", "--price", "1/1"]) == 0
        assert json.loads(capsys.readouterr().out)["total"]["calls"] > 0
        assert not server.asked
        assert run(asked) == 0
        cards = [FeatureCard.model_validate_json(line) for line in capsys.readouterr().out.splitlines()]
        paid = len(server.asked)
        assert paid > 0
        assert run([*asked, "--force"]) == 0
        assert len(server.asked) == paid  # the ledger holds the answers
    assert [card.feature.index for card in cards] == [1, 4]
    read = [card for card in cards if card.explanation is not None]
    assert read
    for card in read:
        assert card.explanation is not None
        assert card.explanation.text == f"words about the law and courts {card.feature.index}"
        assert "reader" in {s.reader for s in card.scores}
        assert [c.explanation.method.value for c in card.candidates] == ["imported"]


def test_labels_may_be_stored_for_a_later_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from glossator.memory.imported_store import imported_labels
    from glossator.memory.ledger import Ledger
    from glossator.records import FeatureNames

    project = tiny_project(tmp_path)
    write_batch(tmp_path / "files" / "6-res" / "explanations", 0, [explanation(3, "the sea")])
    assert run(["import", "neuronpedia", str(tmp_path / "files"), "--store-only", *project]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["stored"], said["authors"]) == (1, ["neuronpedia:gpt-4o-mini"])
    with Ledger.open(tmp_path / "home" / "ledger.sqlite") as ledger:
        (names,) = ledger.dictionaries()
        found = imported_labels(ledger, FeatureNames(*names), "neuronpedia:gpt-4o-mini")
        assert found[3].text == "the sea"
        assert next(ledger.cards(), None) is None
