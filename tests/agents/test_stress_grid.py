"""The stress grid on planted features: a clean direction holds everywhere, a random one nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from glossator.agents.causal.bench import CausalBench, CausalSettings
from glossator.agents.causal.concept import NO_CONCEPT, Concept, concept_of
from glossator.agents.causal.next_token_changes import next_token_changes
from glossator.agents.causal.null_directions import null_directions
from glossator.agents.causal.random_effects import explained_target, steering_vector, validate_prompts
from glossator.agents.scorers.interventions.comparison_directions import (
    MEANS,
    PROMPTING,
    Rivalry,
    instructed,
    mean_difference,
    multiple_at,
    prompting_check,
)
from glossator.agents.scorers.interventions.grid_rows import clean_families, grid_places, joined, moved
from glossator.agents.scorers.interventions.stress_grid import (
    NOT_A_NUMBER,
    NOT_REACHED,
    WITHIN_NULL,
    WRONG_SIGN,
    Level,
    grid_levels,
    stress_grid,
    why_not,
)
from glossator.agents.scorers.interventions.stress_report import stress_report
from glossator.agents.scorers.open_room import open_scoring_room
from glossator.probes.intervals import Ends
from glossator.probes.interventions.runs import InterventionRuns
from glossator.probes.interventions.strength_search import calibrate
from glossator.probes.planted_causal import PlantedCausal, planted_causal
from glossator.records import ContextFamily, KlPoint, StrengthCalibration, StressReport

TARGETS = (0.33, 1.0)


class Stressed(NamedTuple):
    """One planted subject, small."""

    planted: PlantedCausal
    bench: CausalBench


class Claimed(NamedTuple):
    """What is known of a feature before it is put to the test."""

    concept: Concept
    up: StrengthCalibration
    down: StrengthCalibration


def stressed(seed: int, folder: Path) -> Stressed:
    planted = planted_causal(seed, documents=120, sentences=8)
    bench = CausalBench(
        InterventionRuns(planted.subject),
        planted.dictionary,
        open_scoring_room(planted.index(folder / f"index-{seed}")),
        planted.names,
        CausalSettings(targets=TARGETS, per_family=4, continuation=4, random_directions=6, seed=seed),
    )
    return Stressed(planted, bench)


@cache
def claimed(bench: CausalBench, feature: int) -> Claimed:
    prompts = [p.ids for p in validate_prompts(bench, feature)]
    up, down = (
        calibrate(bench.runs, prompts, bench.steered(feature), targets=TARGETS, sign=sign) for sign in (1, -1)
    )
    at = steering_vector(bench, feature, explained_target(up, 1.0).multiple)
    changes = next_token_changes(bench.runs, prompts, bench.dictionary.output_site, at[None])
    return Claimed(concept_of(changes, 0), up, down)


def report(here: Stressed, kind: str, seed: int = 0) -> StressReport:
    feature = here.planted.features[kind]
    concept, up, down = claimed(here.bench, feature)
    return stress_report(here.bench, feature, claim="a test", concept=concept, up=up, down=down, seed=seed)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices this small take longer on several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Stressed:
    torch.set_num_threads(1)
    return stressed(0, tmp_path_factory.mktemp("stress"))


@pytest.fixture(scope="module")
def clean(here: Stressed) -> StressReport:
    return report(here, "clean")


def test_a_clean_direction_grades_a_with_every_part(clean: StressReport) -> None:
    assert clean.grade == "A", clean.reasons
    assert clean.band is not None
    assert clean.band.high > clean.band.low
    assert {cell.layer for cell in clean.cells} == {1, 3}, "there is no block before the first"
    assert {cell.family for cell in clean.cells} == set(ContextFamily)
    assert {0.33, 1.0} <= {cell.level for cell in clean.cells}
    assert min(c.level for c in clean.cells) < 0
    assert [check.name for check in clean.checks][-2:] == [PROMPTING, MEANS]
    for cell in clean.cells:
        assert cell.change is not None
        assert np.sign(cell.change) == np.sign(cell.level)
        assert (cell.fluency is None) == (cell.layer != 1), "continuations only where the band is read off"
    carried = [cell.carried for cell in clean.cells if cell.level == 1.0 and cell.carried is not None]
    assert np.mean(carried) > 0.3


def test_the_same_seed_gives_the_same_grid(here: Stressed, clean: StressReport) -> None:
    feature = here.planted.features["clean"]
    concept, up, down = claimed(here.bench, feature)
    assert stress_grid(here.bench, feature, concept, up, down, seed=0) == clean.cells


def test_a_random_direction_grades_f(here: Stressed) -> None:
    found = report(here, "random")
    assert found.grade == "F"
    assert found.failing
    assert {cell.reason for cell in found.failing} <= {
        WITHIN_NULL,
        WRONG_SIGN,
        f"{NOT_REACHED} at any safe strength",
    }
    assert any("within what random directions do" in reason for reason in found.reasons)


@pytest.mark.slow
def test_a_direction_that_nothing_reads_grades_f(here: Stressed) -> None:
    assert report(here, "input").grade == "F"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_grades_hold_over_subjects(seed: int, tmp_path: Path) -> None:
    other = stressed(seed, tmp_path)
    assert [report(other, kind, seed).grade for kind in ("clean", "random")] == ["A", "F"]


def test_no_concept_makes_no_cells(here: Stressed) -> None:
    feature = here.planted.features["clean"]
    _, up, down = claimed(here.bench, feature)
    assert stress_grid(here.bench, feature, NO_CONCEPT, up, down, seed=0) == ()
    found = stress_report(here.bench, feature, claim="none", concept=NO_CONCEPT, up=up, down=None, seed=0)
    assert (found.grade, found.cells, found.band) == ("F", (), None)


def test_the_claim_turned_round_fails_for_its_sign(here: Stressed) -> None:
    """What should turn the feature up turns it down: every cell moves the wrong way."""
    feature = here.planted.features["clean"]
    concept, up, _ = claimed(here.bench, feature)
    backwards = up.model_copy(update={"max_activation": -up.max_activation})
    cells = stress_grid(here.bench, feature, concept, backwards, None, seed=0)
    assert cells
    assert {cell.reason for cell in cells} == {WRONG_SIGN}


def test_rows_stacked_across_vectors_are_the_rows_alone(here: Stressed) -> None:
    feature = here.planted.features["clean"]
    family = clean_families(here.bench, feature, 0)[0]
    random = null_directions(here.bench.direction(feature), 2, seed=0)
    place = grid_places(here.bench, feature, random)
    vectors = torch.cat([place[0].unit[None] * 0, place[0].unit[None], place[0].null])
    ids = [(5, 6)] * len(vectors)
    together = moved(here.bench.runs, family, place[0].site, vectors, ids)
    for i in range(len(vectors)):
        alone = moved(here.bench.runs, family, place[0].site, vectors[i : i + 1], ids[:1])
        np.testing.assert_allclose(together.change[i], alone.change[0], atol=1e-4)
        np.testing.assert_allclose(together.kl[i], alone.kl[0], atol=1e-4)
    assert np.abs(together.change[0]).max() < 1e-4, "no vector, no change"


def test_why_a_cell_fails() -> None:
    up, down = Level(1.0, 2.0, too_weak=False), Level(-1.0, -2.0, too_weak=False)
    band = Ends(-0.5, 0.8)

    def why(change: float, level: Level, band: Ends | None = band, broken: int = 0) -> str:
        return why_not(change, band, level, broken=broken, n=8)

    assert why(0.9, up) == ""
    assert why(-0.6, down) == ""
    assert why(0.7, up) == WITHIN_NULL
    assert why(-0.4, down) == WITHIN_NULL
    assert why(-0.9, up) == WRONG_SIGN
    assert why(0.9, down) == WRONG_SIGN
    assert why(0.9, up._replace(too_weak=True)).startswith(NOT_REACHED)
    assert why(0.9, up, broken=2) == f"{NOT_A_NUMBER} at 2 of 8 prompts"
    assert why(0.9, up, band=None).startswith(NOT_A_NUMBER)


def test_unreachable_levels_fail_upwards_and_are_left_out_downwards(here: Stressed) -> None:
    _, up, down = claimed(here.bench, here.planted.features["clean"])

    def unreached(calibration: StrengthCalibration) -> StrengthCalibration:
        last = calibration.targets[-1].model_copy(update={"kl": 0.5, "reached": False})
        return calibration.model_copy(update={"targets": (*calibration.targets[:-1], last)})

    levels = grid_levels(unreached(up), unreached(down))
    assert [(level.kl, level.too_weak) for level in levels] == [(0.33, False), (1.0, True), (-0.33, False)]
    assert all(np.sign(level.multiple) == np.sign(level.kl) for level in levels)


def test_the_mean_difference_points_along_what_firing_tokens_hold(here: Stressed) -> None:
    """Where `clean` fires its detector is high: the encoder's row reads the difference as positive."""
    feature = here.planted.features["clean"]
    site, explore = here.planted.dictionary.output_site, here.bench.room.explore
    difference = mean_difference(here.planted.subject, site, explore, feature, 0)
    assert difference is not None
    reads = here.planted.dictionary.weights.W_enc.float()
    towards = torch.cosine_similarity(difference[:, None], reads, dim=0)
    assert int(towards.argmax()) == feature
    assert float(towards[feature]) > 0.3


def test_asking_stands_before_the_prompt_and_after_the_row_prefix(here: Stressed) -> None:
    subject = here.planted.subject
    prompts = here.bench.runs.prompts(["we saw the"])
    asked = instructed(subject, prompts, "drinks.")[0]
    prefix = subject.row_prefix
    assert asked[: len(prefix)] == prefix
    assert asked[-3:] == prompts[0][-3:]
    assert len(asked) > len(prompts[0])


def test_asking_that_does_not_fit_the_context_is_not_made(here: Stressed) -> None:
    feature = here.planted.features["clean"]
    concept, up, _ = claimed(here.bench, feature)
    prompts = joined(clean_families(here.bench, feature, 0))
    rivalry = Rivalry(here.bench, feature, concept, up, prompts, 0)
    check = prompting_check(rivalry, "coffee " * 3000)
    assert check.passed is None
    assert check.value is None
    assert "beyond the subject's context" in check.words


def test_the_strength_at_a_kl_is_where_the_curve_first_has_it() -> None:
    curve = [KlPoint(multiple=m, kl=kl) for m, kl in ((1.0, 0.2), (2.0, 1.2), (3.0, 0.4), (4.0, None))]
    assert multiple_at(curve, 0.7) == pytest.approx(1.5)
    assert multiple_at(curve, 0.1) == pytest.approx(0.5)
    assert multiple_at(curve, 9.0) == 2.0, "beyond the curve: the strongest that was measured"
    assert multiple_at([], 1.0) is None
