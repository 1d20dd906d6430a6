from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from glossator.agents.investigator.corpus_fit import CorpusFit
from glossator.agents.investigator.experiments import run_experiments
from glossator.agents.investigator.proposer import TestBatch, TextTest
from glossator.agents.investigator.tested_tokens import TestedTexts
from glossator.agents.tools.payload_differences import MOST, payload_differences
from glossator.agents.tools.rerun import Rerun, rerun
from glossator.agents.tools.rerun_measurements import prepared_by
from glossator.records import (
    AnyEvidence,
    DictionaryEvidence,
    Evidence,
    EvidenceKind,
    Expectation,
    ExperimentKind,
    Explanation,
)
from tests.agents.planted_index import PlantedIndex
from tests.agents.tools.tool_bench import DEAD, MONEY, NAMES, SEA, ToolBench, give_label, planted, tool_bench

CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("search_by_meaning", {"text": "ships"}),
    ("search_by_token", {"token": "ship"}),
    ("search_by_text", {"text": "they see a ship and the budget"}),
    ("list_features", {"by": "density"}),
    ("list_features", {"by": "verdict"}),
    ("feature_card", {"feature": SEA}),
    ("windows", {"feature": SEA, "low": 0.2, "page": 2}),
    ("windows", {"feature": SEA, "split": "validate"}),
    ("test_texts", {
        "feature": SEA, "texts": ["they see a ship", "they see a house"],
        "expectations": ["fires", "silent"], "why": "ships",
    }),
    ("logit_effects", {"feature": SEA}),
    ("neighbours", {"feature": SEA}),
    ("coactivation", {"feature": SEA}),
    ("compare_features", {"features": [SEA, MONEY, DEAD]}),
    ("recall", {"text": "ships"}),
    ("label_features", {"features": "1"}),
)  # fmt: skip


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> PlantedIndex:
    return planted(tmp_path_factory.mktemp("rerun"))


@pytest.fixture
def made(index: PlantedIndex, tmp_path: Path) -> Iterator[ToolBench]:
    with tool_bench(index, tmp_path) as bench:
        yield bench


def again(made: ToolBench, evidence: AnyEvidence) -> Rerun:
    return asyncio.run(rerun(made.bench, evidence, made.tools))


def corrupted(value: JsonValue) -> JsonValue:
    """The same with every number a tenth larger, and every text another."""
    if isinstance(value, dict):
        return {key: corrupted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [corrupted(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    return value + "!" if isinstance(value, str) else value * 1.1 + 1


def with_payload(evidence: AnyEvidence, payload: JsonValue) -> AnyEvidence:
    return evidence.model_copy(update={"payload": payload})


@pytest.mark.parametrize(("tool", "arguments"), CALLS, ids=[f"{i}-{c[0]}" for i, c in enumerate(CALLS)])
def test_what_a_tool_measured_is_reproduced_and_corruption_is_seen(
    made: ToolBench, tool: str, arguments: dict[str, Any]
) -> None:
    give_label(made, SEA, "words about ships")
    evidence = made.evidence(tool, **arguments)
    stored = made.bench.investigations.evidence(evidence.id)
    assert stored == evidence
    assert again(made, evidence) == Rerun(True, evidence)
    if tool != "test_texts":
        wrong = again(made, with_payload(evidence, corrupted(evidence.payload)))
        assert not wrong.reproduced
        assert wrong.differences
        assert not wrong.reason


def test_an_experiment_that_was_judged_otherwise_differs(made: ToolBench) -> None:
    evidence = made.evidence(
        "test_texts", feature=SEA, texts=["they see a ship"], expectations=["fires"], why="ships"
    )
    payload: Any = evidence.payload
    changed = payload | {"tested": [payload["tested"][0] | {"outcome": "silent", "activation": 0.0}]}
    found = again(made, with_payload(evidence, changed))
    assert not found.reproduced
    assert any(line.startswith("tested 1 outcome: 'silent', now 'fires'") for line in found.differences)


def test_an_investigation_s_own_experiment_is_run_again(made: ToolBench) -> None:
    view = made.bench.index.explore
    batch = TestBatch(
        "h-1", ExperimentKind.BOUNDARY, (TextTest("the tax and a ship", Expectation.FIRES, "sea"),)
    )
    tested = TestedTexts(made.bench.activations(), SEA, view.text)
    (ran,) = run_experiments(
        [batch], made.bench.ref(SEA), tested, CorpusFit(view, SEA), made.bench.index.identity
    )
    assert "arguments" not in ran.evidence.recipe
    assert again(made, ran.evidence).reproduced


def test_a_card_s_evidence_is_measured_again(made: ToolBench) -> None:
    (card,) = made.bench.label([SEA]) if made.bench.label else []
    kinds = {e.kind for e in card.evidence}
    assert {EvidenceKind.WINDOWS, EvidenceKind.SILENT_WINDOWS, EvidenceKind.SCORE} <= kinds
    for evidence in card.evidence:
        found = again(made, evidence)
        assert found.reproduced, (evidence.kind, found)
        if evidence.payload not in ({}, []):
            assert not again(made, with_payload(evidence, corrupted(evidence.payload))).reproduced


def test_what_a_model_read_is_not_asked_again(made: ToolBench) -> None:
    recipe = {"index": made.bench.index.identity, "score": "detection", "reader": "some-model"}
    evidence = Evidence.of(made.bench.ref(SEA), EvidenceKind.SCORE, recipe, {"answers": [True]})
    found = again(made, evidence)
    assert not found.reproduced
    assert "'some-model'" in found.reason
    assert "kept in the ledger" in found.reason
    claim = Explanation.of(made.bench.ref(SEA), "test", "never stored", None)
    recipe |= {"reader": "predicate", "explanation": claim.id}
    lost = again(made, Evidence.of(made.bench.ref(SEA), EvidenceKind.SCORE, recipe, {}))
    assert f"{claim.id!r} that was scored is not in this ledger" in lost.reason


def test_other_indexes_embedders_and_dictionaries_are_not_compared(made: ToolBench) -> None:
    evidence = made.evidence("search_by_token", token="ship")
    elsewhere = evidence.model_copy(update={"recipe": evidence.recipe | {"index": "f" * 64}})
    found = again(made, elsewhere)
    assert (found.fresh, found.differences) == (None, ())
    assert "measured on the index ffffffffffff" in found.reason
    other = evidence.model_copy(update={"recipe": evidence.recipe | {"embedder": "another"}})
    assert "embedder 'another'" in again(made, other).reason
    theirs = evidence.model_copy(update={"subject": "other"})
    assert "it is of other/planted, and planted/planted is set" in again(made, theirs).reason


def test_what_only_a_command_repeats_is_said_with_its_line(made: ToolBench) -> None:
    recipe = {"index": made.bench.index.identity, "command": "effects"}
    slow = Evidence.of(made.bench.ref(SEA), EvidenceKind.CAUSES, recipe, {})
    assert again(made, slow).reason == "it takes minutes to measure: glossator effects 1 --force"
    recipe |= {"command": "ablate", "text": "a ship"}
    ablated = Evidence.of(made.bench.ref(SEA), EvidenceKind.ABLATION, recipe, {})
    assert "glossator ablate 1 --text 'a ship'" in again(made, ablated).reason
    recipe = {"tool": "a_tool_of_another_version", "arguments": {}}
    probe = DictionaryEvidence.of(NAMES, (), EvidenceKind.LINEAR_PROBE, recipe, {})
    reason = again(made, probe).reason
    assert "the tool 'a_tool_of_another_version' that measured it is not offered here" in reason


def test_differences_are_told_in_words_and_counted() -> None:
    assert payload_differences({"a": 1.0, "b": [1, 2]}, {"a": 1.0009, "b": [1, 2]}) == ()
    assert payload_differences({"a": 1.0}, {"a": 1.01}) == ("a: 1, now 1.01",)
    assert payload_differences({"rows": [{"n": 1}]}, {"rows": [{"n": 2}]}) == ("rows 1 n: 1, now 2",)
    assert payload_differences([1, 2], [1]) == ("the result: 2 entries, now 1",)
    assert payload_differences({"a": 1}, {"b": 1}) == (
        "a: was 1, is missing now",
        "b: was not there, is 1 now",
    )
    assert payload_differences({"a": True}, {"a": 1}) != ()
    many = payload_differences(list(range(30)), list(range(1, 31)))
    assert (len(many), many[-1]) == (MOST + 1, "and 18 more")


def test_preparing_again_opens_no_other_index(made: ToolBench) -> None:
    assert prepared_by(made.bench).index is made.bench.index
