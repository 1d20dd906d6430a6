"""Intervention scores of random live features against their nulls, by KL level, and against detection.

Each finished feature is one JSON line in a work folder, so that a run that was stopped goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

from benchmarks.report_form import Row
from glossator.agents.causal.causal_findings import Causes
from glossator.agents.scorers import ScoringRoom, score_explanation
from glossator.errors import GlossatorError
from glossator.records import (
    BaselineName,
    CausalFindings,
    Explanation,
    InterventionScore,
    Negatives,
    Record,
    ScoreMethod,
)

DRAWS = 4000
MEASURES = (
    "value", "random_direction", "random_explained", "shuffled", "excess",
    "perplexity_clean", "perplexity_steered", "perplexity_random",
)  # fmt: skip


class LevelScore(Record):
    """One intervention score, flat."""

    target: float
    kl: float
    value: float | None
    random_direction: float | None
    random_explained: float | None
    shuffled: float | None
    excess: float | None
    excess_low: float | None
    excess_high: float | None
    perplexity_clean: float | None
    perplexity_steered: float | None
    perplexity_random: float | None


class ScoredFeature(Record):
    """One line of the work file."""

    feature: int
    settings: str
    """What decides the numbers apart from the feature; other lines are not taken over."""
    label: str | None = None
    """The embedded analyst's input-side label."""
    detection: float | None = None
    """Of that label: sealed, random negatives, read by the predicate."""
    explanation: str | None = None
    """Of the effect."""
    role: str | None = None
    unreached: int = 0
    """KL targets that were not reached."""
    levels: tuple[LevelScore, ...] = ()
    failed: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class TableWork:
    """What the table is made from."""

    causes: Causes
    room: ScoringRoom
    label_of: Callable[[int], Explanation | None]
    """The embedded analyst's label; None where it abstains."""
    settings: str
    file: Path

    def run(
        self, features: Sequence[int], stop_at: float, told: Callable[[str], None]
    ) -> list[ScoredFeature]:
        """Measure the features that the file does not hold, until `stop_at` (of `time.monotonic`)."""
        wanted = set(features)
        done = {line.feature: line for line in self._lines() if line.feature in wanted}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        for feature in features:
            if feature in done:
                continue
            if time.monotonic() > stop_at:
                break
            done[feature] = self._measured(feature)
            with self.file.open("a", encoding="utf-8") as out:
                out.write(done[feature].model_dump_json() + "\n")
            told(f"scores of {len(done)} of {len(features)} features")
        return [done[f] for f in features if f in done]

    def _lines(self) -> list[ScoredFeature]:
        if not self.file.exists():
            return []
        lines = self.file.read_text(encoding="utf-8").splitlines()
        found = [ScoredFeature.model_validate(json.loads(line)) for line in lines if line.endswith("}")]
        return [line for line in found if line.settings == self.settings]

    def _measured(self, feature: int) -> ScoredFeature:
        began = time.perf_counter()
        label = self.label_of(feature)
        scores = () if label is None else score_explanation(self.room, label).scores
        detection = next(
            (
                s.value
                for s in scores
                if s.method is ScoreMethod.DETECTION
                and s.reader == "predicate"
                and s.negatives is Negatives.RANDOM
            ),
            None,
        )
        known = ScoredFeature(
            feature=feature,
            settings=self.settings,
            label=None if label is None else label.text,
            detection=detection,
        )
        try:
            measured = self.causes.measure(feature)
            found = self.causes.finish(measured, self.causes.explain(measured), label_scores=scores).findings
        except GlossatorError as error:
            return known.model_copy(update={"failed": str(error), "seconds": time.perf_counter() - began})
        return known.model_copy(update=_of(found) | {"seconds": round(time.perf_counter() - began, 1)})


def _of(found: CausalFindings) -> dict[str, object]:
    return {
        "explanation": None if found.explanation is None else found.explanation.text,
        "role": None if found.role is None else found.role.role.value,
        "unreached": sum(not target.reached for target in found.up.targets),
        "levels": tuple(_level(score) for score in found.scores),
    }


def _level(score: InterventionScore) -> LevelScore:
    baselines = {b.name: b.value for b in score.score.baselines}
    interval = score.excess_interval
    return LevelScore(
        target=score.target_kl,
        kl=score.kl,
        value=score.score.value,
        random_direction=baselines.get(BaselineName.RANDOM_DIRECTION),
        random_explained=baselines.get(BaselineName.RANDOM_EXPLAINED),
        shuffled=baselines.get(BaselineName.SHUFFLED),
        excess=score.excess,
        excess_low=None if interval is None else interval.low,
        excess_high=None if interval is None else interval.high,
        perplexity_clean=score.perplexity_clean,
        perplexity_steered=score.perplexity_steered,
        perplexity_random=score.perplexity_random,
    )


class Mean(NamedTuple):
    """A mean over features with a 95 % bootstrap interval."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def mean_of(values: Sequence[float | None], seed: int = 0) -> Mean | None:
    """Over those that are known."""
    known = np.array([v for v in values if v is not None])
    if not len(known):
        return None
    draws = np.random.default_rng(seed).choice(known, (DRAWS, len(known))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Mean(float(known.mean()), float(low), float(high), len(known))


def spearman(pairs: Sequence[tuple[float, float]], seed: int = 0) -> Mean | None:
    """Rank correlation with a bootstrap interval over pairs; None below four pairs or without variance."""
    table = np.array(pairs)
    if len(table) < 4 or (table == table[0]).all(axis=0).any():
        return None
    rng = np.random.default_rng(seed)
    draws = [_rank_correlation(table[rng.integers(0, len(table), len(table))]) for _ in range(DRAWS // 4)]
    finite = np.array([d for d in draws if d is not None])
    low, high = np.quantile(finite, [0.025, 0.975])
    value = _rank_correlation(table)
    return None if value is None else Mean(value, float(low), float(high), len(table))


def _rank_correlation(table: np.ndarray) -> float | None:
    ranks = np.stack([_ranks(column) for column in table.T])
    if (ranks.std(axis=1) == 0).any():
        return None
    return float(np.corrcoef(ranks)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks, ties sharing their mean."""
    _, number, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[number]


def _pairs(lines: Sequence[ScoredFeature], target: float, measure: str) -> list[tuple[float, float]]:
    out: list[tuple[float, float]] = []
    for line in lines:
        for level in line.levels:
            value = getattr(level, measure)
            if level.target == target and value is not None and line.detection is not None:
                out.append((line.detection, value))
    return out


def table_rows(lines: Sequence[ScoredFeature]) -> list[Row]:
    """By level, then what became of each feature."""
    explained = [line for line in lines if line.explanation is not None]
    rows = [
        Row("features", str(len(lines)), f"{sum(bool(line.failed) for line in lines)} failed"),
        Row("  with a coherent effect", str(len(explained))),
        Row("  with an input-side label", str(sum(line.label is not None for line in lines))),
        Row("  KL targets not reached", str(sum(line.unreached for line in lines))),
    ]
    for target in targets_of(lines):
        levels = [level for line in lines for level in line.levels if level.target == target]
        beyond = sum(level.excess_low is not None and level.excess_low > 0 for level in levels)
        rows.append(Row(f"KL {target:g}", f"{len(levels)} scored", f"{beyond} beyond the null"))
        for measure in MEASURES:
            mean = mean_of([getattr(level, measure) for level in levels])
            rows.append(Row(f"  {measure.replace('_', ' ')}", "–" if mean is None else str(mean)))
        for measure in ("value", "excess"):
            rho = spearman(_pairs(lines, target, measure))
            said = "–" if rho is None else f"{rho}, n {rho.n}"
            rows.append(Row(f"  Spearman of {measure} with detection", said))
    for line in lines:
        said = line.failed or f"{line.role}; fires: {line.label or '–'}; causes: {line.explanation or '–'}"
        excess = " ".join("–" if v.excess is None else f"{v.excess:+.2f}" for v in line.levels)
        rows.append(Row(f"  feature {line.feature}", excess or "–", said))
    return rows


def targets_of(lines: Sequence[ScoredFeature]) -> list[float]:
    """KL levels that were scored."""
    return sorted({level.target for line in lines for level in line.levels})


def table_keys(lines: Sequence[ScoredFeature]) -> dict[str, JsonValue]:
    """The table as one object."""
    by_level: dict[str, JsonValue] = {}
    for target in targets_of(lines):
        levels = [level for line in lines for level in line.levels if level.target == target]
        measures: dict[str, JsonValue] = {}
        for measure in MEASURES:
            measures[measure] = _listed(mean_of([getattr(level, measure) for level in levels]))
        for measure in ("value", "excess"):
            measures[f"spearman_{measure}_detection"] = _listed(spearman(_pairs(lines, target, measure)))
        by_level[f"{target:g}"] = measures
    return {
        "scores_features": len(lines),
        "scores_explained": sum(line.explanation is not None for line in lines),
        "scores_failed": sum(bool(line.failed) for line in lines),
        "scores_by_kl": by_level,
    }


def _listed(mean: Mean | None) -> JsonValue:
    """Value, interval and n."""
    return None if mean is None else [*(round(v, 4) for v in mean[:3]), mean.n]
