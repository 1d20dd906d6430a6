from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from glossator.cli import run
from glossator.memory.ledger import Ledger
from glossator.memory.ledger_tables import EvidenceRow
from glossator.records import Evidence, EvidenceKind, FeatureRef
from tests.shell.shell_fixtures import tiny_project


class Labelled(NamedTuple):
    """A project with a card, and what stands behind it."""

    flags: list[str]
    home: Path
    feature: FeatureRef
    evidence: dict[EvidenceKind, str]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    flags = tiny_project(tmp_path_factory.mktemp("project"))
    assert run(["label", "--features", "0-3", *flags]) == 0
    home = Path(flags[flags.index("--home") + 1])
    with Ledger.open(home / "ledger.sqlite") as ledger:
        cards = [stored.card for stored in ledger.cards()]
        card = max(cards, key=lambda c: (len(c.windows), len(c.evidence)))
        kinds: dict[EvidenceKind, str] = {}
        for identity in card.evidence:
            found = ledger.evidence(identity)
            assert found is not None
            kinds.setdefault(found.kind, identity)
    return Labelled(flags, home, card.feature, kinds)


def opened(project: Labelled, *arguments: str) -> int:
    return run(["evidence", *arguments, *project.flags])


def test_every_kind_of_a_card_opens(
    project: Labelled, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glossator.commands.evidence.wants_json", lambda asked: asked)
    for kind, identity in project.evidence.items():
        assert opened(project, identity) == 0
        shown = capsys.readouterr().out
        assert identity in shown
        assert f"feature {project.feature.index}" in shown
        assert "Cited by" in shown
        assert "card c-" in shown
        if kind is EvidenceKind.WINDOWS:
            assert "law" in shown, "the index at hand gives the windows their texts"


def test_json_holds_the_record_and_its_citations(
    project: Labelled, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = project.evidence[EvidenceKind.STATISTICS]
    assert opened(project, identity[:9]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert Evidence.model_validate(shown["evidence"]).id == identity
    assert shown["cited"]["cards"]
    assert "rerun" not in shown


def test_a_rerun_reproduces_a_card_s_evidence(project: Labelled, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in (EvidenceKind.WINDOWS, EvidenceKind.STATISTICS, EvidenceKind.NEIGHBOURS):
        assert opened(project, project.evidence[kind], "--rerun") == 0
        shown: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert shown["rerun"]["reproduced"] is True
        assert shown["rerun"]["fresh"] == shown["evidence"]


def test_a_rerun_that_differs_exits_with_1(
    project: Labelled, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ledger.open(project.home / "ledger.sqlite") as ledger:
        stored = ledger.evidence(project.evidence[EvidenceKind.STATISTICS])
        assert stored is not None
        assert isinstance(stored.payload, dict)
        wrong = Evidence.of(stored.feature, stored.kind, stored.recipe, stored.payload | {"n_firings": 10**6})
        row = {"id": wrong.id, "feature": str(wrong.feature), "kind": wrong.kind.value}
        ledger.add_rows(EvidenceRow, [row | {"record": wrong.model_dump_json()}])
    monkeypatch.setattr("glossator.commands.evidence.wants_json", lambda asked: asked)
    assert opened(project, wrong.id, "--rerun") == 1
    shown = capsys.readouterr().out
    assert "not reproduced" in shown
    assert "n_firings: 1000000, now" in shown
    assert "nothing" in shown, "no card cites it"


def test_an_unknown_id_names_the_nearest(project: Labelled, capsys: pytest.CaptureFixture[str]) -> None:
    known = project.evidence[EvidenceKind.WINDOWS]
    assert opened(project, f"{known[:10]}zzzz") == 2
    assert known in capsys.readouterr().err
    assert opened(project, "e-") == 2
    assert "give all of it" in capsys.readouterr().err
