"""The benchmark of interventions, every part of it on a tiny planted subject."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.intervention_planted import PlantedBench, PlantedSizes
from benchmarks.intervention_starter import (
    KlOutcomes,
    LevelOutcome,
    kl_keys,
    kl_levels,
    overhead,
    overhead_keys,
    row_prompts,
)
from benchmarks.intervention_table import ScoredFeature, TableWork, spearman, table_keys, table_rows
from benchmarks.interventions import planted_part
from glossator.agents.causal.causal_findings import Causes
from glossator.probes.token_effects import TokenEffects, top_token_effects
from glossator.records import KlTarget

TINY = PlantedSizes(documents=420, per_family=6, random_directions=8, continuation=6)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices this small take longer on several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> PlantedBench:
    torch.set_num_threads(1)
    return PlantedBench.over(0, tmp_path_factory.mktemp("interventions") / "index", TINY)


@pytest.mark.slow
def test_the_planted_part_grades_one_seed():
    found = planted_part(1, TINY, lambda _: None)
    assert found.keys["planted_seeds"] == 1
    assert found.keys["planted_clean_a"] == 1
    assert found.keys["planted_lexical_fails"] == 1
    assert found.keys["planted_random_zero"] == 1
    assert found.keys["planted_grades_right"] == 1
    assert any("clean A" in row.value for row in found.rows)


def test_strengths_are_measured_again_and_unreachable_ones_are_told_apart(planted: PlantedBench):
    features = planted.planted.features
    found = kl_levels(
        planted.bench, [features["clean"], features["input"]], time.monotonic() + 600, lambda _: None
    )
    clean, silent = found.levels[:4], found.levels[4:]
    assert all(level.within for level in clean)
    assert not any(level.within for level in silent[3:])  # nothing reads what it writes
    assert all(level.reported for level in silent if not level.within)
    keys = kl_keys(found)
    assert keys["kl_within_or_reported_share"] == 1.0
    assert keys["kl_within_10pct_share"] == sum(level.within for level in found.levels) / 8


def test_a_strength_that_claims_what_it_does_not_reach_counts_as_neither():
    claimed = KlTarget(target=1.0, multiple=2.0, kl=1.0, reached=True)
    keys = kl_keys(KlOutcomes((LevelOutcome(0, claimed, measured=0.5),), (), 1.0))
    assert keys["kl_within_10pct_share"] == 0.0
    assert keys["kl_within_or_reported_share"] == 0.0


def test_prompts_of_the_timing_are_of_one_length_and_as_many_as_asked(planted: PlantedBench):
    prompts = row_prompts(planted.bench, 32)
    assert len(set(prompts)) == 32
    assert {len(prompt) for prompt in prompts} == {17}


def test_speed_is_a_ratio_of_the_same_repeat(planted: PlantedBench):
    found = overhead(planted.bench, planted.planted.features["clean"], repeats=2, prompts=4, tokens=2)
    assert len(found.clean) == len(found.steered) == len(found.generate) == 2
    assert found.ratio(found.steered) == 1.0
    ratio = overhead_keys(found)["overhead_ratio"]
    assert isinstance(ratio, float)
    assert ratio > 0


def test_the_table_goes_on_where_it_was(planted: PlantedBench, tmp_path: Path):
    def promoted(feature: int) -> TokenEffects:
        return top_token_effects(planted.planted.subject, planted.planted.dictionary.directions()[feature])

    features = planted.planted.features
    labels = {e.feature.index: e for e in planted.planted.explanations().values()}
    causes = Causes(planted.bench, promoted, list(features.values()))
    work = TableWork(causes, planted.bench.room, labels.get, "these settings", tmp_path / "lines.jsonl")
    first = work.run([features["clean"]], time.monotonic() + 600, lambda _: None)
    told: list[str] = []
    both = work.run([features["clean"], features["random"]], time.monotonic() + 600, told.append)
    assert len(told) == 1
    assert both[0] == first[0]
    assert both[0].detection is not None
    assert both[0].detection > 0.9
    assert [level.target for level in both[0].levels] == [0.1, 0.33, 1.0, 3.0]
    strongest = both[0].levels[2].excess
    assert strongest is not None
    assert strongest > 0.2
    assert work.run([features["clean"], features["output"]], time.monotonic() - 1, told.append) == first
    keys = table_keys(both)
    assert keys["scores_features"] == 2
    assert table_rows(both)[0].value == "2"


def test_lines_of_other_settings_are_measured_again(tmp_path: Path, planted: PlantedBench):
    file = tmp_path / "lines.jsonl"
    file.write_text(
        ScoredFeature(feature=0, settings="others").model_dump_json() + "\n{torn", encoding="utf-8"
    )
    causes = Causes(planted.bench, lambda _: TokenEffects((), ()))
    work = TableWork(causes, planted.bench.room, lambda _: None, "these", file)
    assert work.run([0], time.monotonic() - 1, lambda _: None) == []


def test_rank_correlation():
    rising = [(float(i), float(i) ** 3) for i in range(12)]
    found = spearman(rising)
    assert found is not None
    assert found.value == pytest.approx(1.0)
    falling = spearman([(x, -y) for x, y in rising])
    assert falling is not None
    assert falling.value == pytest.approx(-1.0)
    assert spearman([(1.0, 2.0)] * 6) is None
    assert spearman(rising[:3]) is None
