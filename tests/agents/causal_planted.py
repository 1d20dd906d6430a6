"""A bench over planted effects, small enough for every test."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch

from glossator.agents.causal.bench import CausalBench, CausalSettings
from glossator.agents.causal.effects import MeasuredEffects, effects_with_null
from glossator.agents.causal.random_effects import validate_prompts
from glossator.agents.scorers import open_scoring_room
from glossator.probes.coder_weights import CoderWeights
from glossator.probes.interventions.runs import InterventionRuns
from glossator.probes.interventions.strength_search import calibrate
from glossator.probes.planted_causal import SITE, PlantedCausal, planted_causal
from glossator.probes.sparse_coder import SparseCoder
from glossator.records import StrengthCalibration

SETTINGS = CausalSettings(targets=(0.33, 1.0), per_family=6, prompt_tokens=8, random_directions=10)


class PlantedBench(NamedTuple):
    """What is true, and the bench."""

    truth: PlantedCausal
    bench: CausalBench
    folder: tempfile.TemporaryDirectory[str]
    """Of the index; removed when the process ends."""


@cache
def planted_bench() -> PlantedBench:
    """The same for all tests of a process."""
    truth = planted_causal(0, documents=120)
    folder = tempfile.TemporaryDirectory()
    room = open_scoring_room(truth.index(Path(folder.name) / "index"))
    bench = CausalBench(InterventionRuns(truth.subject), truth.dictionary, room, truth.names, SETTINGS)
    return PlantedBench(truth, bench, folder)


def with_direction(planted: PlantedBench, feature: int, direction: torch.Tensor) -> CausalBench:
    """The bench with another direction in a feature's place; where it fires stays as it is."""
    old = planted.truth.dictionary
    decoder = old.directions().clone()
    decoder[feature] = direction / direction.norm()
    weights = CoderWeights(
        W_enc=old.weights.W_enc, W_dec=decoder, b_dec=old.weights.b_dec, b_enc=old.weights.b_enc
    )
    dictionary = SparseCoder(weights, old.options, name=old.name, site=SITE)
    bench = planted.bench
    return CausalBench(bench.runs, dictionary, bench.room, bench.names, bench.settings)


def calibrated(bench: CausalBench, feature: int, sign: int = 1) -> StrengthCalibration:
    """Strengths of the bench's targets, tuned on validate."""
    prompts = [prompt.ids for prompt in validate_prompts(bench, feature)]
    return calibrate(bench.runs, prompts, bench.steered(feature), targets=bench.settings.targets, sign=sign)


class Measured(NamedTuple):
    """Strengths and effects of one feature."""

    up: StrengthCalibration
    effects: MeasuredEffects


@cache
def measured(name: str) -> Measured:
    """Of one planted feature, on the planted bench."""
    planted = planted_bench()
    feature = planted.truth.features[name]
    up = calibrated(planted.bench, feature)
    return Measured(up, effects_with_null(planted.bench, feature, up))
