"""Concepts over planted features: found first, never out of nothing, and no sealed text in any result."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glossator.agents.concepts.concept_texts import TextSource, given_texts
from glossator.agents.concepts.discovery import Discovery, FoundFeature, ShuffledBest, discover
from glossator.agents.concepts.feature_groups import FeatureGroup, group_features
from glossator.agents.concepts.written_concept import ConceptAnswer
from glossator.agents.llm_calls.answer_parsing import schema_of
from glossator.agents.llm_calls.budget import Budget
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Finish, Role
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.scripted_chat import Asked, Script, Scripted, ScriptedChat, always
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.agents.scorers.concept_scores import SealedAuc
from glossator.agents.tools.concept_tools import concept_tools
from glossator.agents.tools.tool import ToolResult
from glossator.agents.tools.workbench import Workbench
from glossator.errors import ToolError
from glossator.probes.planted_rules import TokenSetRule
from glossator.probes.planted_truth import PlantedDictionary, PlantedSubject
from glossator.probes.site_means import Reading, TextReader
from glossator.probes.split_assignment import split_of
from glossator.probes.text_activations import TextActivations
from glossator.records import DictionaryEvidence, EvidenceKind, FindingKind, Interval, Split
from tests.agents.concept_fixtures import HASHING, MONEY, SEA, planted_workbench, sea_texts, texts_of
from tests.agents.planted_index import FILLER, RULES, WORDS, PlantedIndex, planted_index

FORM = schema_of(ConceptAnswer).name


def subject_of(planted: PlantedIndex) -> PlantedSubject:
    """The subject of the planted index, over the same words."""
    sets = tuple(
        TokenSetRule(kind="token_set", name=n, tokens=tuple(f" {w}" for w in words))
        for n, words in WORDS.items()
    )
    dead = TokenSetRule(kind="token_set", name="dead", tokens=("never said",))
    every = [w for words in WORDS.values() for w in words]
    return PlantedSubject.over(["mark " + " ".join([*FILLER.split(), *every])], (*sets, dead))


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> PlantedIndex:
    return planted_index(tmp_path_factory.mktemp("concepts") / "index")


@pytest.fixture
def bench(planted: PlantedIndex, tmp_path: Path) -> Workbench:
    return planted_workbench(planted, tmp_path, subject_of(planted), HASHING)


def asked(bench: Workbench, tool: str, calls: CallRoom | None = None, **arguments: Any) -> ToolResult:
    """One tool, called."""
    found = {t.name: t for t in concept_tools(bench, calls)}[tool]

    async def run() -> ToolResult:
        return await found.run(found.arguments(**arguments))

    return asyncio.run(run())


def evidence_of(result: ToolResult) -> DictionaryEvidence:
    (evidence,) = result.evidence
    assert isinstance(evidence, DictionaryEvidence)
    assert {fact.evidence for fact in result.facts} == {evidence.id}
    return evidence


def payload_of(result: ToolResult) -> Any:
    return evidence_of(result).payload


def room_with(script: Script) -> CallRoom:
    return CallRoom(
        {Role.INVESTIGATOR: ScriptedChat(script)}, budget=Budget(), store=None, slots=4,
        counter=TokenCounter(), prices=Prices("1/1"),
    )  # fmt: skip


def test_the_planted_feature_is_found_first(bench: Workbench) -> None:
    texts = sea_texts()
    result = asked(bench, "discover_features", concept="the sea", with_texts=texts[0], without_texts=texts[1])
    payload = payload_of(result)
    assert payload["source"] == "given"
    assert payload["groups"] == [[SEA]]
    (found,) = payload["features"]
    assert found["feature"] == SEA
    assert found["sealed_auc"]["value"] == 1
    assert found["sealed_auc"]["low"] < 1
    assert found["fires_with"] == 1
    assert found["fires_without"] == 0
    assert "1 of 2 features" in result.facts[0].text  # money fires on some texts, modals on none
    assert result.facts[2].features == (SEA,)
    assert result.findings[0].kind is FindingKind.CONCEPT
    assert result.findings[0].features == (SEA,)
    assert evidence_of(result).kind is EvidenceKind.CONCEPT
    shuffled = payload["shuffled_best"]
    assert 0.3 < shuffled["mean"] < 0.7 < shuffled["high"] + 0.2


@pytest.mark.parametrize("tool", ["discover_features", "train_probe"])
def test_recorded_arguments_give_the_same_evidence(bench: Workbench, tool: str) -> None:
    texts = sea_texts(30)
    arguments: dict[str, Any]
    for arguments in ({"with_texts": texts[0], "without_texts": texts[1]}, {}):
        first = asked(bench, tool, concept="ship harbour sail", **arguments)
        recipe = evidence_of(first).recipe
        assert recipe["tool"] == tool
        given: Any = recipe["arguments"]
        again = asked(bench, tool, **given)
        assert again.evidence == first.evidence
        assert again.facts == first.facts


def test_chance_is_no_concept() -> None:
    """40 concepts without a difference, 30 features of which many fire: at most two are taken for one."""
    words = FILLER.split()
    rules = tuple(
        TokenSetRule(kind="token_set", name=f"w{i}", tokens=(f" {a}", f" {b}"))
        for i, (a, b) in enumerate(zip(words, words[3:] + words[:3], strict=True))
    )
    subject, dictionary = PlantedSubject.over([FILLER], rules), PlantedDictionary(len(rules))
    reader = TextReader(TextActivations(subject, dictionary, context=64))
    found = 0
    for seed in range(40):
        texts = texts_of((), 50, 100 + seed)
        parted = given_texts(
            "nothing", texts[:25], texts[25:], reader, source=TextSource.GIVEN, how="", seed=seed
        )  # fmt: skip
        came = discover(parted, reader, dictionary.directions(), seed)
        assert came.n_tested >= 10
        found += came.n_found > 0
    assert found <= 2


def test_alike_features_are_one_group_named_by_the_best() -> None:
    rng = np.random.default_rng(0)
    has = np.arange(80) < 40
    base = rng.random(80) + 3 * has
    table = np.stack([base, rng.random(80) + 3 * has, base + 0.05 * rng.random(80), rng.random(80)], axis=1)
    directions = torch.eye(4)
    features = np.array([9, 4, 7, 2])
    groups = group_features(features, table.astype(np.float32), has, directions)
    assert [g.members for g in groups] == [(9, 7), (4,), (2,)]  # 4 rises with the concept too, and is another
    directions[3] = torch.tensor([0.0, 0.8, 0, 0.6])
    near = group_features(features, table.astype(np.float32), has, directions)
    assert [g.members for g in near] == [(9, 7), (4, 2)]


def rows_of(result: ToolResult) -> dict[str, Any]:
    return {row["name"]: row for row in payload_of(result)["rows"]}


def test_a_probe_beats_chance_and_says_that_words_do_as_well(bench: Workbench) -> None:
    texts = sea_texts(60)
    result = asked(bench, "train_probe", concept="the sea", with_texts=texts[0], without_texts=texts[1])
    rows = rows_of(result)
    assert list(rows) == [
        "linear probe", "shuffled labels", "difference of means", "bag of words", "best single feature",
        "text length",
    ]  # fmt: skip
    assert rows["linear probe"]["sealed_auc"]["value"] == 1
    assert 0.1 < rows["shuffled labels"]["sealed_auc"]["value"] < 0.9
    assert rows["bag of words"]["sealed_auc"]["value"] > 0.9
    assert rows["best single feature"]["how"] == f"feature {SEA}"
    assert rows["text length"]["sealed_auc"]["value"] < 0.9
    assert "the probe is not shown to be better" in result.facts[0].text
    assert "untrained subject" in result.left_out
    assert evidence_of(result).kind is EvidenceKind.LINEAR_PROBE
    assert result.findings[0].features == (SEA,)


@pytest.mark.parametrize("embedded", [True, False])
def test_the_corpus_serves_where_nobody_gives_texts(
    planted: PlantedIndex, tmp_path: Path, embedded: bool
) -> None:
    bench = planted_workbench(planted, tmp_path, subject_of(planted), HASHING if embedded else None)
    result = asked(bench, "discover_features", concept="ship harbour sail")
    payload = payload_of(result)
    assert payload["source"] == "corpus"
    assert payload["features"][0]["feature"] == SEA
    assert payload["features"][0]["sealed_auc"]["value"] > 0.8
    assert MONEY not in [f["feature"] for f in payload["features"]]
    assert ("stand-in" in result.facts[1].text) == embedded
    assert len(payload["texts"]["held_back"]["ids"]) >= 10


@pytest.mark.parametrize("tool", ["discover_features", "train_probe"])
def test_no_text_of_the_corpus_is_in_a_result(bench: Workbench, tool: str) -> None:
    """Every sealed document holds the word `marksealed`, every other `markexplore` or `markvalidate`."""
    said = repr(asked(bench, tool, concept="ship harbour sail"))
    for mark in ("marksealed", "markexplore", "harbour to", "the man", "see a"):
        assert mark not in said


@pytest.mark.parametrize(
    ("n_with", "n_without", "problem"),
    [
        (3, 40, "3 texts with the concept are too few"),
        (40, 11, "1 more"),
        (40, 0, "texts are needed on both sides"),
        (301, 40, "too many"),
    ],
)
def test_too_few_texts_are_refused(bench: Workbench, n_with: int, n_without: int, problem: str) -> None:
    pair = texts_of(WORDS["sea"], n_with, 1), texts_of((), n_without, 2)
    with pytest.raises(ToolError, match=problem):
        asked(bench, "discover_features", concept="the sea", with_texts=pair[0], without_texts=pair[1])


def test_a_split_without_texts_says_how_many_are_missing(bench: Workbench) -> None:
    texts = texts_of(WORDS["sea"], 200, 1), texts_of((), 20, 2)
    open_ones = [t for t in texts[0] if split_of(t) is not Split.SEALED][:20]
    with pytest.raises(ToolError, match="1 of them got no text with the concept: give about 5 more"):
        asked(bench, "discover_features", concept="sea", with_texts=open_ones, without_texts=texts[1])


def test_bad_texts_and_pages_are_refused(bench: Workbench) -> None:
    texts = sea_texts(30)
    both: dict[str, Any] = {
        "concept": "sea",
        "with_texts": texts[0],
        "without_texts": (*texts[1], texts[0][0].upper()),
    }
    with pytest.raises(ToolError, match="1 texts are given with and without"):
        asked(bench, "discover_features", **both)
    with pytest.raises(ToolError, match="too long"):
        asked(bench, "train_probe", concept="sea", with_texts=("a" * 5000,), without_texts=texts[1])
    with pytest.raises(ToolError, match="there is no page 2"):
        asked(
            bench, "discover_features", concept="sea", with_texts=texts[0], without_texts=texts[1], page=2
        )  # fmt: skip
    with pytest.raises(ToolError, match="no model is set"):
        asked(bench, "train_probe", concept="sea", source="written")


def writes_the_sea(query: Asked) -> Scripted:
    assert query.form == FORM
    assert query.claim == "the sea"
    sample = query.request.sample
    answer = {
        "with_concept": [*texts_of(WORDS["sea"], 10, sample), "The Sea", "too short"],
        "without_concept": [*texts_of((), 10, 50 + sample), texts_of((), 1, 50 + sample)[0]],
    }
    return Scripted(json.dumps(answer))


def test_a_model_writes_texts_and_they_go_into_the_recipe(bench: Workbench) -> None:
    result = asked(bench, "discover_features", room_with(writes_the_sea), concept="the sea")
    payload = payload_of(result)
    assert payload["source"] == "written"
    assert [f["feature"] for f in payload["features"]] == [SEA]
    given: Any = evidence_of(result).recipe["arguments"]
    assert given["with_texts"] == [t for s in range(3) for t in texts_of(WORDS["sea"], 10, s)]
    assert len(given["without_texts"]) == 30
    assert asked(bench, "discover_features", **given).evidence == result.evidence  # without the model


def test_refusals_are_counted_and_the_corpus_serves(bench: Workbench) -> None:
    calls = room_with(always("I can't help with that.", Finish.REFUSAL))
    result = asked(bench, "discover_features", calls, concept="ship harbour sail")
    assert payload_of(result)["source"] == "corpus"
    assert "the model wrote too few texts (0 + 0; refusal x3)" in result.facts[1].text
    with pytest.raises(ToolError, match="0 texts with the concept are too few"):
        asked(bench, "discover_features", calls, concept="ship harbour sail", source="written")


def test_readings_of_texts(planted: PlantedIndex) -> None:
    reader = TextReader(TextActivations(subject_of(planted), planted.dictionary, context=64))
    texts = ["a ship go to the harbour", "a man", "a"]
    pooled = reader.site(texts)
    assert pooled.mean.shape == pooled.largest.shape == (3, len(RULES))
    activation = reader.activations(SEA, texts)
    np.testing.assert_allclose(pooled.largest[:, SEA], activation)
    assert 0 < pooled.mean[0, SEA] < pooled.largest[0, SEA]
    assert not pooled.mean[1:, SEA].any()
    assert reader.vectors(Reading.LENGTH, texts)[:, 0].tolist() == [6, 2, 1]
    (first,) = reader.token_ids(["a ship ship"])
    counts = reader.token_counts(["a ship ship", ""], np.unique(first))
    assert sorted(counts[0].tolist()) == pytest.approx([np.log(2), np.log(3)])
    assert not counts[1].any()


def test_what_sealed_texts_do_not_show_is_said_and_not_remembered() -> None:
    def found(feature: int, low: float) -> FoundFeature:
        auc = SealedAuc(0.7, Interval(low=low, high=0.9, method="made"))
        return FoundFeature(feature, 0.9, 0.9, 1e-5, auc, 1.0, 0.0)

    both = Discovery(
        (found(3, 0.4), found(5, 0.6), found(7, 0.6)),
        (FeatureGroup((3,)), FeatureGroup((5, 7))),
        3,
        9,
        ShuffledBest(0.5, 0.6),
    )
    assert [f.feature for f in both.remembered()] == [5]
