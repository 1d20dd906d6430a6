from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from glossator.agents.tools.catalogue import catalogue
from glossator.agents.tools.rerun import rerun
from glossator.agents.tools.tool import ToolResult
from glossator.agents.tools.workbench import Workbench
from glossator.cli import run
from glossator.session import Session
from glossator.settings import load_settings
from glossator.workbench import open_workbench
from tests.shell.shell_fixtures import FakeLabeller, tiny_project


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    flags = tiny_project(tmp_path_factory.mktemp("project"))
    assert run(["index", "build", *flags]) == 0
    given = dict(zip((f[2:] for f in flags[::2]), flags[1::2], strict=True))
    with Session(load_settings(given).settings) as session:
        yield open_workbench(session)


def call(bench: Workbench, tool: str, **arguments: Any) -> ToolResult:
    chosen = catalogue(bench)[tool]

    async def answer() -> ToolResult:
        return await chosen.run(chosen.arguments.model_validate(arguments))

    result = asyncio.run(answer())
    bench.investigations.save_evidence(bench.ledger.start_run("ask", {}), result.evidence)
    return result


def live(bench: Workbench) -> int:
    return int(bench.index.statistics.count.argmax())


def test_every_tool_works_on_a_real_subject_and_is_reproduced(bench: Workbench) -> None:
    feature = live(bench)
    results = [
        call(bench, "label_features", features=str(feature)),
        call(bench, "search_by_token", token="law"),
        call(bench, "search_by_text", text="the law and the court"),
        call(bench, "windows", feature=feature),
        call(bench, "logit_effects", feature=feature),
        call(bench, "neighbours", feature=feature),
        call(bench, "coactivation", feature=feature),
        call(bench, "compare_features", features=[feature, feature - 1 if feature else 1]),
        call(bench, "steer", feature=feature, prompts=["law court cat"], strength="1x"),
        call(bench, "ablate", feature=feature, text="law court cat dog river"),
    ]
    for result in results:
        assert result.facts
        for evidence in result.evidence:
            found = asyncio.run(rerun(bench, evidence, catalogue(bench)))
            assert found.reproduced, (evidence.kind, found.differences, found.reason)


def test_parts_are_made_once(bench: Workbench) -> None:
    assert bench.activations() is bench.activations()
    assert bench.causal is not None
    assert bench.causal() is bench.causal()


def test_meaning_is_searched_among_labels_that_are_new(bench: Workbench) -> None:
    for feature in (20, 21):
        card = FakeLabeller().one(bench.index.identity, bench.ref(feature))
        bench.ledger.save_card(bench.ledger.start_run("label", {}), card.card, card.evidence)
        found = call(bench, "search_by_meaning", text="legal language")
        assert any(fact.features == (feature,) for fact in found.facts)
