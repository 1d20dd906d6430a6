"""What a trial of labels found, feature by feature, and the tables made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

from glossator.records import ExplanationMethod, FeatureRef, LlmSpending, Record, Score

DRAWS = 10_000
ANALYST = ExplanationMethod.EMBEDDED.value
CHOSEN = "chosen"
"""The label that won on validate, whoever wrote it."""
MEASURES = ("detection", "fuzzing", "detection_auc", "fuzzing_auc")
"""Each against both kinds of negatives, which weigh alike."""


class LabelRow(Record):
    """One label of one feature and what it scored."""

    method: str
    """How it came about."""
    text: str
    """The label."""
    chosen: bool
    """It won on validate."""
    validate_value: float | None
    """What the choice was made by."""
    scores: tuple[Score, ...]
    """Sealed scores."""
    reading: LlmSpending
    """What reading it cost."""


class TrialFeature(Record):
    """One finished feature."""

    feature: FeatureRef
    """The feature."""
    labels: tuple[LabelRow, ...]
    """The best label of each method."""
    rejected: dict[str, int]
    """Reason to count: answers that were no fit label."""
    explaining: LlmSpending
    """What writing and choosing labels cost."""
    seconds: float
    """From nothing to all scores."""


class Estimate(NamedTuple):
    """A mean over features and its 95 % interval."""

    value: float
    low: float
    high: float
    n: int

    def shown(self, sign: str = "") -> str:
        """`0.712 [0.650, 0.774]`; with `sign="+"` positive numbers are signed too."""
        value, low, high = (format(x, f"{sign}.3f") for x in (self.value, self.low, self.high))
        return f"{value} [{low}, {high}]"

    def as_json(self) -> JsonValue:
        """Value, ends and number of features."""
        ends = (round(self.low, 4), round(self.high, 4))
        return {"value": round(self.value, 4), "low": ends[0], "high": ends[1], "n": self.n}


def value_of(row: LabelRow, measure: str) -> float | None:
    """The mean over both kinds of negatives; None where one of them could not be measured."""
    method, area = measure.removesuffix("_auc"), measure.endswith("_auc")
    metric = "auc" if area else "balanced_accuracy"
    found = [s.value for s in row.scores if s.method.value == method and s.metric.value == metric]
    known = [v for v in found if v is not None]
    return sum(known) / len(known) if known and len(known) == len(found) else None


def by_method(features: Sequence[TrialFeature], measure: str) -> dict[str, list[float | None]]:
    """For each method its value on each feature, None where it has none; `chosen` beside them."""
    names = [ANALYST, "one_shot", "contrastive", "refined", CHOSEN]
    table: dict[str, list[float | None]] = {name: [None] * len(features) for name in names}
    for i, feature in enumerate(features):
        for row in feature.labels:
            value = value_of(row, measure)
            table.setdefault(row.method, [None] * len(features))[i] = value
            if row.chosen:
                table[CHOSEN][i] = value
    return table


def estimate(values: Sequence[float | None]) -> Estimate | None:
    """Mean with a percentile bootstrap over features; None without any."""
    known = np.array([v for v in values if v is not None])
    if not len(known):
        return None
    means = np.random.default_rng(0).choice(known, (DRAWS, len(known))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(known.mean()), float(low), float(high), len(known))


def difference(mine: Sequence[float | None], theirs: Sequence[float | None]) -> Estimate | None:
    """Mean of the differences over features that have both."""
    return estimate(
        [a - b if a is not None and b is not None else None for a, b in zip(mine, theirs, strict=True)]
    )


def keys_of(features: Sequence[TrialFeature]) -> dict[str, JsonValue]:
    """Means and paired differences with their intervals."""
    keys: dict[str, JsonValue] = {}
    for measure in MEASURES:
        table = by_method(features, measure)
        for name, values in table.items():
            found = {"": estimate(values)}
            if name != ANALYST:
                found["_minus_analyst"] = difference(values, table[ANALYST])
            for suffix, one in found.items():
                keys[f"{name}_{measure}{suffix}"] = None if one is None else one.as_json()
    return keys


def spent(features: Sequence[TrialFeature]) -> LlmSpending:
    """Everything that was paid for finished features."""
    parts = [s for f in features for s in (f.explaining, *(row.reading for row in f.labels))]
    unscored: dict[str, int] = {}
    for part in parts:
        for reason, n in part.unscored.items():
            unscored[reason] = unscored.get(reason, 0) + n
    return LlmSpending(
        calls=sum(p.calls for p in parts),
        cached=sum(p.cached for p in parts),
        input_tokens=sum(p.input_tokens for p in parts),
        output_tokens=sum(p.output_tokens for p in parts),
        unscored=unscored,
    )


def rejected(features: Sequence[TrialFeature]) -> Counter[str]:
    """Reason to count: answers that were no fit label."""
    return sum((Counter(f.rejected) for f in features), Counter[str]())


def markdown(features: Sequence[TrialFeature]) -> str:
    """Two tables: means, and paired differences to the embedded analyst."""
    tables = {measure: by_method(features, measure) for measure in MEASURES}
    means = {name: [estimate(tables[m][name]) for m in MEASURES] for name in tables[MEASURES[0]]}
    paired = {
        name: [difference(tables[m][name], tables[m][ANALYST]) for m in MEASURES]
        for name in means
        if name != ANALYST
    }
    return "\n".join([*_table("label", means, ""), "", *_table("minus the embedded analyst", paired, "+")])


def _table(title: str, cells: Mapping[str, Sequence[Estimate | None]], sign: str) -> list[str]:
    head = " | ".join(m.replace("_auc", " AUC") for m in MEASURES)
    lines = [f"| {title} | features | {head} |", "|---|---|" + "---|" * len(MEASURES)]
    for name, row in cells.items():
        n = max((c.n for c in row if c is not None), default=0)
        shown = ["–" if c is None else c.shown(sign) for c in row]
        lines.append(f"| {name.replace('_', '-')} | {n} | " + " | ".join(shown) + " |")
    return lines


def label_lines(features: Sequence[TrialFeature]) -> str:
    """Every label with its detection and fuzzing, for people."""
    lines: list[str] = []
    for feature in features:
        lines.append(f"{feature.feature} ({feature.seconds:.0f} s)")
        for row in feature.labels:
            cells = [value_of(row, m) for m in MEASURES[:2]]
            shown = " ".join("  – " if c is None else f"{c:.2f}" for c in cells)
            lines.append(f"  {row.method:<12} {shown} {'*' if row.chosen else ' '} {row.text}")
    return "\n".join(lines)
