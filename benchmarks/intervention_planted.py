"""Grades of planted features over seeds: whether each kind gets what it must.

A seed is right if the clean feature grades A, the lexical confound fails the lexical test, and the
random direction scores zero within its interval at the level at which it was explained.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

from benchmarks.report_form import Row
from glossator.agents.causal.bench import CausalBench, CausalSettings
from glossator.agents.causal.effect_explanation import effect_explanation
from glossator.agents.causal.effects import MeasuredEffects, effects_with_null
from glossator.agents.causal.random_effects import explained_target, validate_prompts
from glossator.agents.scorers import open_scoring_room
from glossator.agents.scorers.interventions.intervention_scores import intervention_scores
from glossator.agents.scorers.interventions.meaning_checks import meaning_checks
from glossator.agents.scorers.interventions.stress_report import stress_report
from glossator.probes.interventions.runs import InterventionRuns
from glossator.probes.interventions.strength_search import calibrate
from glossator.probes.neighbours import nearest_by_direction
from glossator.probes.planted_causal import PlantedCausal, planted_causal
from glossator.probes.text_activations import TextActivations
from glossator.records import Explanation, InterventionScore, StrengthCalibration, StressCheck, StressReport

SIBLINGS = 8
LEXICAL = "lexical neighbours"


class PlantedSizes(NamedTuple):
    """How much is measured of each seed."""

    documents: int = 420
    per_family: int = 8
    random_directions: int = 8
    continuation: int = 8


class SeedOutcome(NamedTuple):
    """What became of the three kinds under one seed."""

    seed: int
    clean: StressReport
    lexical: StressCheck
    random: InterventionScore | None
    """At the level at which it was explained."""
    random_levels: tuple[InterventionScore, ...]
    """The same at every level."""
    seconds: float

    @property
    def clean_right(self) -> bool:
        """The clean feature grades A."""
        return self.clean.grade == "A"

    @property
    def lexical_right(self) -> bool:
        """The confound fails the lexical test."""
        return self.lexical.passed is False

    @property
    def random_right(self) -> bool:
        """The random direction's excess has zero in its interval."""
        return self.random is not None and holds_zero(self.random)

    @property
    def right(self) -> bool:
        """All three."""
        return self.clean_right and self.lexical_right and self.random_right


class Measured(NamedTuple):
    """What is measured of one feature before it is graded."""

    up: StrengthCalibration
    down: StrengthCalibration
    effects: MeasuredEffects
    explanation: Explanation | None
    scores: tuple[InterventionScore, ...]

    def score_at(self, level: float) -> InterventionScore | None:
        """The score at the level at which the feature was explained."""
        target = explained_target(self.up, level).target
        return next((s for s in self.scores if s.target_kl == target), None)


def holds_zero(score: InterventionScore) -> bool:
    """Whether the excess over random directions has zero in its interval."""
    interval = score.excess_interval
    return interval is not None and interval.low <= 0 <= interval.high


@dataclass(frozen=True)
class PlantedBench:
    """One seed's subject, ready to be measured."""

    planted: PlantedCausal
    bench: CausalBench

    @classmethod
    def over(cls, seed: int, folder: Path, sizes: PlantedSizes) -> PlantedBench:
        """Plant `seed` and build its index in `folder`."""
        planted = planted_causal(seed, documents=sizes.documents)
        room = open_scoring_room(planted.index(folder))
        settings = CausalSettings(
            per_family=sizes.per_family,
            random_directions=sizes.random_directions,
            continuation=sizes.continuation,
            seed=seed,
        )
        runs = InterventionRuns(planted.subject)
        return cls(planted, CausalBench(runs, planted.dictionary, room, planted.names, settings))

    def measure(self, name: str) -> Measured:
        """Strengths, effects, and the scores of the explanation that the concept gives."""
        bench, feature = self.bench, self.planted.features[name]
        steered = bench.steered(feature)
        prompts = [prompt.ids for prompt in validate_prompts(bench, feature)]
        up, down = (
            calibrate(bench.runs, prompts, steered, targets=bench.settings.targets, sign=sign)
            for sign in (1, -1)
        )
        effects = effects_with_null(bench, feature, up, down)
        explanation = effect_explanation(bench, effects.findings)
        if explanation is None:
            return Measured(up, down, effects, None, ())
        others = [e for n, e in self.planted.explanations().items() if n != name]
        scored = intervention_scores(bench, explanation, up, others, null=effects.null)
        return Measured(up, down, effects, explanation, scored.scores)

    def checks(self, name: str) -> tuple[StressCheck, ...]:
        """What the label that a user would give says of meaning."""
        siblings = nearest_by_direction(
            self.planted.dictionary.directions(), self.planted.features[name], SIBLINGS
        )
        activate = TextActivations(self.planted.subject, self.planted.dictionary, context=64)
        label = self.planted.explanations()[name]
        return meaning_checks(self.bench.room, label, siblings.indices.tolist(), activate=activate).checks

    def report(self, name: str) -> StressReport:
        """The stress report of one feature."""
        measured = self.measure(name)
        settings = self.bench.settings
        return stress_report(
            self.bench,
            self.planted.features[name],
            claim=self.planted.explanations()[name].text,
            concept=measured.effects.concept,
            up=measured.up,
            down=measured.down,
            checks=self.checks(name),
            score=measured.score_at(settings.explained_at),
            seed=settings.seed,
        )


def grade_seed(seed: int, folder: Path, sizes: PlantedSizes) -> SeedOutcome:
    """The three kinds under one seed."""
    began = time.perf_counter()
    bench = PlantedBench.over(seed, folder, sizes)
    clean = bench.report("clean")
    lexical = next(check for check in bench.checks("lexical") if check.name == LEXICAL)
    random = bench.measure("random")
    return SeedOutcome(
        seed,
        clean,
        lexical,
        random.score_at(bench.bench.settings.explained_at),
        random.scores,
        time.perf_counter() - began,
    )


def grade_seeds(
    seeds: Sequence[int], folder: Path, sizes: PlantedSizes, told: Callable[[SeedOutcome], None]
) -> list[SeedOutcome]:
    """All seeds in turn; `told` hears of each."""
    outcomes: list[SeedOutcome] = []
    for seed in seeds:
        outcomes.append(grade_seed(seed, folder / f"planted-{seed}", sizes))
        told(outcomes[-1])
    return outcomes


def planted_rows(outcomes: Sequence[SeedOutcome]) -> list[Row]:
    """The counts, then every seed."""
    n = len(outcomes)
    levels = [score for o in outcomes for score in o.random_levels if score.excess is not None]
    rows = [
        Row("planted grades right", f"{sum(o.right for o in outcomes)} of {n}", "bar: 19 of 20"),
        Row("  clean grades A", f"{sum(o.clean_right for o in outcomes)} of {n}"),
        Row("  lexical fails its test", f"{sum(o.lexical_right for o in outcomes)} of {n}"),
        Row("  random scores zero", f"{sum(o.random_right for o in outcomes)} of {n}"),
        Row("  random scores zero, all levels", f"{sum(map(holds_zero, levels))} of {len(levels)}"),
    ]
    return [*rows, *map(_row, outcomes)]


def _row(outcome: SeedOutcome) -> Row:
    cells = outcome.clean.cells
    passed = f"{sum(c.passed for c in cells)}/{len(cells)} cells"
    score = outcome.random
    interval = score and score.excess_interval
    random = "no score"
    if score is not None and score.excess is not None and interval is not None:
        random = f"{score.excess:+.2f} ({interval.low:+.2f} to {interval.high:+.2f}) at KL {score.kl:.2f}"
    checks = ", ".join(
        f"{c.name} {'passed' if c.passed else 'failed' if c.passed is False else 'not made'}"
        for c in outcome.clean.checks
    )
    value = outcome.lexical.value
    return Row(
        f"  seed {outcome.seed}: {'right' if outcome.right else 'WRONG'}",
        f"clean {outcome.clean.grade}, {passed}",
        f"lexical {'–' if value is None else f'{value:.2f}'} ({outcome.lexical.passed}); random {random}; "
        f"{outcome.seconds:.0f} s; clean: {checks}",
    )


def planted_keys(outcomes: Sequence[SeedOutcome]) -> dict[str, JsonValue]:
    """The promised key and its parts."""
    return {
        "planted_grades_right": sum(o.right for o in outcomes),
        "planted_seeds": len(outcomes),
        "planted_clean_a": sum(o.clean_right for o in outcomes),
        "planted_lexical_fails": sum(o.lexical_right for o in outcomes),
        "planted_random_zero": sum(o.random_right for o in outcomes),
        "planted_seconds_median": round(float(np.median([o.seconds for o in outcomes])), 2),
    }
