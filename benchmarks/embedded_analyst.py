"""Labels of random live starter features: how many get one, and how well they detect on sealed text.

    python -m benchmarks.embedded_analyst [--quick] [--json]

Features that fire at all on explore are drawn at random; each is explained by the embedded analyst from
explore and validate, and its predicate is scored on the sealed split: balanced accuracy of telling
windows where the feature fires above 30 % of its explore maximum from silent ones, random and hard,
and the same with the labels of other features (shuffled). Intervals are over features (bootstrap), the
share's is Wilson's. Settings (subject, dictionary, corpus, tokens) are those of `glossator label`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

from benchmarks.report_form import Row, emit
from glossator.agents.embedded_analyst.analyst import AnalystReport, EmbeddedAnalyst
from glossator.agents.scorers import FeatureNeighbours, ScoringRoom, open_scoring_room, score_explanation
from glossator.agents.verdict import unfit_to_explain
from glossator.feature_selection import draw_features
from glossator.probes.neighbours import nearest_by_direction
from glossator.records import BaselineName, Explanation, FeatureRef, Metric, Negatives, Score, ScoreMethod
from glossator.session import Session
from glossator.settings import load_settings

SEED = 0
N_NEIGHBOURS = 8
DRAWS = 4000


class Labelled(NamedTuple):
    """One label and what its predicate detects on sealed text."""

    explanation: Explanation
    random: float | None
    hard: float | None
    shuffled: float | None
    f1: float | None


class Mean(NamedTuple):
    """A mean and its 95 % interval."""

    value: float
    low: float
    high: float


def explained(
    session: Session, room: ScoringRoom, features: Sequence[int]
) -> tuple[list[AnalystReport], Counter[str], float]:
    """A report for each feature that one can be made for, why the others have none, and seconds each."""
    index, names = session.index(), session.names()
    analyst = EmbeddedAnalyst(index.explore, index.validate, session.embedder)
    reports: list[AnalystReport] = []
    unfit: Counter[str] = Counter()
    began = time.perf_counter()
    for feature in features:
        ref = FeatureRef(subject=names.subject, dictionary=names.dictionary, index=feature)
        reason = unfit_to_explain(room.facts(ref))
        if reason is not None:
            unfit[reason.split(":")[0]] += 1
            continue
        reports.append(analyst.explain(ref))
        print(f"  {len(reports)} explained", end="\r", file=sys.stderr, flush=True)
    return reports, unfit, (time.perf_counter() - began) / max(1, len(reports))


def scored(session: Session, room: ScoringRoom, explanations: list[Explanation]) -> list[Labelled]:
    """Every label with its sealed detection."""
    index, directions = session.index(), session.dictionary.directions()
    out: list[Labelled] = []
    for explanation in explanations:
        number = explanation.feature.index
        neighbours = FeatureNeighbours(
            by_direction=tuple(nearest_by_direction(directions, number, N_NEIGHBOURS).indices.tolist()),
            by_coactivation=tuple(index.coactivation(number, N_NEIGHBOURS).indices.tolist()),
        )
        scores = score_explanation(room, explanation, explanations, neighbours=neighbours).scores
        random, hard = (_detection(scores, n) for n in (Negatives.RANDOM, Negatives.HARD))
        f1 = next((s.value for s in scores if s.metric is Metric.F1 and s.threshold > 0), None)
        out.append(Labelled(explanation, random and random.value, hard and hard.value, _shuffled(random), f1))
    return out


def _detection(scores: Sequence[Score], negatives: Negatives) -> Score | None:
    return next(
        (
            s
            for s in scores
            if s.method is ScoreMethod.DETECTION and s.reader == "predicate" and s.negatives is negatives
        ),
        None,
    )


def _shuffled(score: Score | None) -> float | None:
    baselines = () if score is None else score.baselines
    return next((b.value for b in baselines if b.name is BaselineName.SHUFFLED), None)


def mean_of(values: Sequence[float | None]) -> Mean | None:
    """The mean over features that have a value, with a bootstrap interval over features."""
    known = np.array([v for v in values if v is not None])
    if not len(known):
        return None
    draws = np.random.default_rng(SEED).choice(known, (DRAWS, len(known))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Mean(float(known.mean()), float(low), float(high))


def share_of(part: int, whole: int) -> Mean:
    """A share with Wilson's interval."""
    from glossator.probes.intervals import wilson

    interval = wilson(part, whole)
    return Mean(part / max(1, whole), interval.low, interval.high)


def keys_of(measured: dict[str, Mean | None]) -> dict[str, JsonValue]:
    """Each number, and its interval under `_low` and `_high`."""
    keys: dict[str, JsonValue] = {}
    for name, mean in measured.items():
        keys[name] = None if mean is None else round(mean.value, 4)
        keys[f"{name}_low"] = None if mean is None else round(mean.low, 4)
        keys[f"{name}_high"] = None if mean is None else round(mean.high, 4)
    return keys


def rows_of(measured: dict[str, Mean | None], labels: list[Labelled]) -> list[Row]:
    """The numbers, then every label with its own."""
    rows = [
        Row(
            name,
            "unscored" if m is None else f"{m.value:.3f}",
            "" if m is None else f"{m.low:.3f} to {m.high:.3f}",
        )
        for name, m in measured.items()
    ]
    for one in labels:
        shown = [f"{v:.2f}" if v is not None else "-" for v in (one.random, one.hard, one.f1)]
        rows.append(Row(f"  {one.explanation.feature.index}", " ".join(shown), one.explanation.text))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="25 features instead of 100")
    parser.add_argument("--json", action="store_true", help="one last line of JSON")
    chosen = parser.parse_args()
    n = 25 if chosen.quick else 100
    with Session(load_settings().settings) as session:
        index = session.index()
        features = draw_features(index.live_features(), n, SEED)
        room = open_scoring_room(index, session.embedder)
        reports, unfit, seconds = explained(session, room, features)
        labels = scored(session, room, [r.explanation for r in reports if r.explanation is not None])
        tokens = len(index.explore.text)
    measured = {
        "labelled_share": share_of(len(labels), len(features)),
        "detection_random": mean_of([one.random for one in labels]),
        "detection_hard": mean_of([one.hard for one in labels]),
        "detection_shuffled": mean_of([one.shuffled for one in labels]),
        "predicate_f1": mean_of([one.f1 for one in labels]),
    }
    rows = [*rows_of(measured, labels), *(Row(f"not tried: {k}", str(v)) for k, v in unfit.items())]
    keys = {
        **keys_of(measured), "features": len(features), "explore_tokens": tokens, "seed": SEED,
        "firing_threshold": 0.3, "seconds_per_feature": round(seconds, 3),
    }  # fmt: skip
    title = (
        f"Embedded analyst: {n} random live features, {tokens} explore tokens, seed {SEED}; "
        "per label detection against random and hard windows, and F1"
    )
    emit(title, rows, keys, chosen.json)


if __name__ == "__main__":
    main()
