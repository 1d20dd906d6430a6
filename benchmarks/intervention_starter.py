"""Strength, speed and the stress grade on a real subject: the one that the settings name."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from pydantic import JsonValue

from benchmarks.intervention_planted import SIBLINGS
from benchmarks.report_form import Row
from glossator.agents.causal.bench import CausalBench
from glossator.agents.causal.effect_explanation import effect_explanation
from glossator.agents.causal.effects import effects_with_null
from glossator.agents.causal.random_effects import explained_target, validate_prompts
from glossator.agents.scorers.interventions.intervention_scores import intervention_scores
from glossator.agents.scorers.interventions.meaning_checks import meaning_checks
from glossator.agents.scorers.interventions.stress_report import stress_report
from glossator.errors import GlossatorError
from glossator.probes.interventions.intervention import AddVectors
from glossator.probes.interventions.runs import InterventionRuns, Prompt
from glossator.probes.interventions.strength_search import calibrate, kl_at
from glossator.probes.neighbours import nearest_by_direction
from glossator.probes.text_activations import TextActivations
from glossator.records import Explanation, KlTarget, StrengthCalibration, StressCheck, StressReport

TOLERANCE = 0.1


class LevelOutcome(NamedTuple):
    """One KL target of one feature."""

    feature: int
    target: KlTarget
    measured: float
    """The KL at its strength, measured again on the same prompts."""

    @property
    def within(self) -> bool:
        """Within 10 % of the target, whatever the search says of itself."""
        return abs(self.measured - self.target.target) <= TOLERANCE * self.target.target

    @property
    def reported(self) -> bool:
        """Said to be unreachable, with a reason and the KL that is reached instead."""
        target = self.target
        told = abs(self.measured - target.kl) <= 0.02 * max(target.kl, 1e-3)
        return not target.reached and bool(target.reason) and told


class KlOutcomes(NamedTuple):
    """KL targets of many features."""

    levels: tuple[LevelOutcome, ...]
    failed: tuple[str, ...]
    """Features for which nothing could be measured, with the reason."""
    seconds: float
    """Of one calibration, median."""


def kl_levels(
    bench: CausalBench, features: Sequence[int], stop_at: float, told: Callable[[str], None]
) -> KlOutcomes:
    """Seek every target for every feature, until `stop_at` (of `time.monotonic`)."""
    levels: list[LevelOutcome] = []
    failed: list[str] = []
    seconds: list[float] = []
    for number, feature in enumerate(features):
        if time.monotonic() > stop_at and seconds:
            break
        began = time.perf_counter()
        try:
            levels += _levels_of(bench, feature)
        except GlossatorError as error:
            failed.append(f"{feature}: {error}")
        seconds.append(time.perf_counter() - began)
        told(f"strengths of {number + 1} of {len(features)} features")
    return KlOutcomes(tuple(levels), tuple(failed), statistics.median(seconds))


def _levels_of(bench: CausalBench, feature: int) -> list[LevelOutcome]:
    steered = bench.steered(feature)
    prompts = [prompt.ids for prompt in validate_prompts(bench, feature)]
    found = calibrate(bench.runs, prompts, steered, targets=bench.settings.targets, tolerance=TOLERANCE)
    again = kl_at(bench.runs, prompts, steered, [t.multiple for t in found.targets]).mean(axis=1)
    return [LevelOutcome(feature, t, float(kl)) for t, kl in zip(found.targets, again, strict=True)]


def kl_rows(outcomes: KlOutcomes) -> list[Row]:
    """Shares over features and targets, by target, and everything that is neither."""
    rows = [
        _share_row("KL within 10 %", outcomes.levels),
        Row("  calibration of one feature, median", f"{outcomes.seconds:.1f} s"),
    ]
    for target in sorted({level.target.target for level in outcomes.levels}):
        rows.append(
            _share_row(f"  target {target:g}", [o for o in outcomes.levels if o.target.target == target])
        )
    for level in outcomes.levels:
        if not level.within:
            said = level.target.reason or "NOT SAID"
            rows.append(
                Row(f"  feature {level.feature} at {level.target.target:g}", f"{level.measured:.3g}", said)
            )
    return [*rows, *(Row("  not measured", "", reason) for reason in outcomes.failed)]


def _share_row(name: str, levels: Sequence[LevelOutcome]) -> Row:
    within, reported = sum(o.within for o in levels), sum(not o.within and o.reported for o in levels)
    return Row(
        name, f"{within} of {len(levels)}", f"and {reported} reported unreachable with the value reached"
    )


def kl_keys(outcomes: KlOutcomes) -> dict[str, JsonValue]:
    """The promised key; beside it the share that was either reached or honestly reported."""
    n = max(1, len(outcomes.levels))
    within = sum(o.within for o in outcomes.levels)
    reported = sum(not o.within and o.reported for o in outcomes.levels)
    return {
        "kl_within_10pct_share": round(within / n, 4),
        "kl_within_or_reported_share": round((within + reported) / n, 4),
        "kl_features": len({o.feature for o in outcomes.levels}),
        "kl_features_failed": len(outcomes.failed),
        "kl_seconds_per_feature": round(outcomes.seconds, 2),
    }


class Overhead(NamedTuple):
    """Seconds of the same generation three ways, in turn."""

    clean: tuple[float, ...]
    steered: tuple[float, ...]
    generate: tuple[float, ...]
    """By transformers' own `generate`, without intervention."""

    def ratio(self, below: Sequence[float]) -> float:
        """Median over repeats of steered seconds over those of the same repeat."""
        return statistics.median(a / b for a, b in zip(self.steered, below, strict=True))


def overhead(
    bench: CausalBench, feature: int, *, repeats: int, prompts: int = 32, tokens: int = 8
) -> Overhead:
    """Steer `prompts` prompts of 16 tokens for `tokens` tokens, interleaved with the same without."""
    rows = row_prompts(bench, prompts)
    steered = bench.steered(feature)
    vectors = (steered.direction * steered.max_activation)[None]
    change = AddVectors(steered.site, vectors.to(bench.runs.subject.device))
    ways: dict[str, Callable[[], object]] = {
        "clean": lambda: bench.runs.continuations(rows, tokens=tokens),
        "steered": lambda: bench.runs.continuations(rows, change, tokens=tokens),
        "generate": lambda: _generate(bench.runs, rows, tokens),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name in sorted(ways, key=lambda name, repeat=repeat: turn(name, repeat)):
            began = time.perf_counter()
            ways[name]()
            if repeat:  # the first of each warms up
                found[name].append(time.perf_counter() - began)
    return Overhead(*(tuple(found[name]) for name in Overhead._fields))


def turn(name: str, repeat: int) -> int:
    """A way's place in a repeat: the order turns, so that none always comes after the same."""
    return (Overhead._fields.index(name) + repeat) % len(Overhead._fields)


def row_prompts(bench: CausalBench, n: int, tokens: int = 16) -> list[Prompt]:
    """The first `n` stretches of so many tokens of `validate`, each after the row prefix."""
    text, prefix = bench.room.validate.text, bench.runs.subject.row_prefix
    stretches = [
        (*prefix, *text.ids[at : at + tokens].tolist())
        for start, end in pairwise(text.row_start.tolist())
        for at in range(start + len(prefix), end - tokens + 1, tokens)
    ]
    return stretches[:n]


@runtime_checkable
class Generating(Protocol):
    """What transformers' models with a `generate` share, without its many types."""

    def generate(self, ids: torch.Tensor, **settings: object) -> object:
        """The prompts with what follows them."""
        ...


def _generate(runs: InterventionRuns, rows: Sequence[Prompt], tokens: int) -> object:
    subject, model = runs.subject, runs.subject.model
    assert isinstance(model, Generating)
    ids = torch.tensor(rows, device=subject.device)
    with subject.lock, torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        return model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=True, top_k=0,
            max_new_tokens=tokens, min_new_tokens=tokens, pad_token_id=0,
        )  # fmt: skip


def overhead_rows(found: Overhead) -> list[Row]:
    """The ratios, then the times."""
    medians = {name: statistics.median(getattr(found, name)) for name in Overhead._fields}
    return [
        Row("steering over the same without", f"{found.ratio(found.clean):.3f}", "bar: at most 1.3"),
        Row("steering over transformers' generate", f"{found.ratio(found.generate):.3f}"),
        *(Row(f"  {name}, median of {len(found.clean)}", f"{s:.3f} s") for name, s in medians.items()),
    ]


def overhead_keys(found: Overhead) -> dict[str, JsonValue]:
    """The promised key and its companion."""
    return {
        "overhead_ratio": round(found.ratio(found.clean), 4),
        "overhead_ratio_to_generate": round(found.ratio(found.generate), 4),
        "overhead_repeats": len(found.clean),
    }


class Stressed(NamedTuple):
    """One stress report, and what its parts took."""

    report: StressReport
    seconds: dict[str, float]


def stress(bench: CausalBench, label: Explanation | None, feature: int) -> Stressed:
    """Everything that `glossator stress` does for a feature once index and subject are loaded.

    Args:
        bench: the run.
        label: the feature's input-side label; without one the tests of meaning are left out.
        feature: its number.
    """
    watch = _Watch()
    up, down = _strengths(bench, feature)
    watch.mark("strengths")
    effects = effects_with_null(bench, feature, up, down)
    explanation = effect_explanation(bench, effects.findings)
    watch.mark("effects")
    scores = ()
    if explanation is not None:
        scores = intervention_scores(bench, explanation, up, null=effects.null).scores
    watch.mark("scores")
    checks = () if label is None else _checks(bench, label)
    watch.mark("meaning")
    level = explained_target(up, bench.settings.explained_at).target
    report = stress_report(
        bench, feature, claim="" if label is None else label.text, concept=effects.concept, up=up, down=down,
        checks=checks, score=next((s for s in scores if s.target_kl == level), None),
        explanation=None if explanation is None else explanation.text, seed=bench.settings.seed,
    )  # fmt: skip
    watch.mark("grid")
    return Stressed(report, watch.seconds)


class _Watch:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, name: str) -> None:
        """What passed since the last mark is `name`'s."""
        now = time.perf_counter()
        self.seconds[name], self._last = now - self._last, now


def _strengths(bench: CausalBench, feature: int) -> tuple[StrengthCalibration, StrengthCalibration]:
    prompts = [prompt.ids for prompt in validate_prompts(bench, feature)]
    steered, targets = bench.steered(feature), bench.settings.targets
    up = calibrate(bench.runs, prompts, steered, targets=targets)
    return up, calibrate(bench.runs, prompts, steered, targets=targets, sign=-1)


def _checks(bench: CausalBench, label: Explanation) -> tuple[StressCheck, ...]:
    near = nearest_by_direction(bench.dictionary.directions(), label.feature.index, SIBLINGS)
    activate = TextActivations(bench.runs.subject, bench.dictionary)
    return meaning_checks(bench.room, label, near.indices.tolist(), activate=activate).checks


def stress_rows(found: Stressed) -> list[Row]:
    """Times by part, and the grade."""
    report = found.report
    passed = sum(cell.passed for cell in report.cells)
    return [
        Row("stress grid of one feature", f"{found.seconds['grid']:.1f} s", "bar: 180 s on 2 cores"),
        *(Row(f"  {name}", f"{s:.1f} s") for name, s in found.seconds.items() if name != "grid"),
        Row("  all of it", f"{sum(found.seconds.values()):.1f} s"),
        Row(
            f"  grade of {report.feature.index}",
            report.grade,
            f"{passed} of {len(report.cells)} cells; {', '.join(report.concept[:6])}",
        ),
    ]


def stress_keys(found: Stressed) -> dict[str, JsonValue]:
    """The promised key, with the whole beside it."""
    return {
        "stress_seconds": round(found.seconds["grid"], 1),
        "stress_seconds_all": round(sum(found.seconds.values()), 1),
        "stress_grade": found.report.grade,
    }
