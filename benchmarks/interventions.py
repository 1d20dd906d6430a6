"""Causal evidence: planted truth, strengths that mean something, speed, and scores against their nulls.

    python -m benchmarks.interventions [--quick] [--json] [--parts planted,kl,overhead,stress,scores]
                                       [--seeds 20] [--features 40] [--scores 30] [--seconds S] [--work DIR]

- planted: over seeds of a planted subject (`glossator.probes.planted_causal`), does a clean direction grade
  A, a lexical confound fail the lexical test, and a random direction score zero within its interval?
- kl: random live features × KL targets; each strength's KL is measured again, so the share does not rest
  on what the search says of itself.
- overhead: steering 32 prompts × 8 tokens over the same generation without, interleaved, median of ratios;
  and over transformers' own `generate`.
- stress: seconds of one feature's stress grid, with its parts.
- scores: intervention scores by KL level with their nulls, means over features with bootstrap intervals,
  and their rank correlation with detection (sealed, random negatives, predicate). Finished features are
  kept in the work folder, so that a run goes on where `--seconds` ended it.

All parts but the first use the subject, dictionary and corpus that the settings name (the starter ones).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch
from pydantic import JsonValue

from benchmarks.intervention_planted import PlantedSizes, grade_seeds, planted_keys, planted_rows
from benchmarks.intervention_starter import (
    kl_keys,
    kl_levels,
    kl_rows,
    overhead,
    overhead_keys,
    overhead_rows,
    stress,
    stress_keys,
    stress_rows,
)
from benchmarks.intervention_table import TableWork, table_keys, table_rows
from benchmarks.report_form import Row, emit
from glossator.agents.causal.bench import CausalBench, CausalSettings
from glossator.agents.causal.causal_findings import Causes
from glossator.agents.embedded_analyst.analyst import EmbeddedAnalyst
from glossator.agents.scorers import open_scoring_room
from glossator.agents.verdict import unfit_to_explain
from glossator.feature_selection import draw_features
from glossator.probes.interventions.runs import InterventionRuns
from glossator.records import Explanation, content_id
from glossator.session import Session
from glossator.settings import load_settings

SEED = 0
PARTS = ("planted", "kl", "overhead", "stress", "scores")


class Found(NamedTuple):
    """What one part found."""

    rows: list[Row]
    keys: dict[str, JsonValue]


class Asked(NamedTuple):
    """What was asked for."""

    parts: tuple[str, ...]
    seeds: int
    features: int
    scores: int
    repeats: int
    stop_at: float
    """Of `time.monotonic`."""
    work: Path


def tell(text: str) -> None:
    """Progress, on standard error."""
    print(f"  {text}", file=sys.stderr, flush=True)


def planted_part(seeds: int, sizes: PlantedSizes, told: Callable[[str], None] = tell) -> Found:
    """Grades of the planted kinds over `seeds` seeds, on one thread: the subject is tiny."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            outcomes = grade_seeds(
                range(seeds), Path(folder), sizes, lambda o: told(f"seed {o.seed}: right {o.right}")
            )
    finally:
        torch.set_num_threads(threads)
    return Found(planted_rows(outcomes), planted_keys(outcomes))


class Starter:
    """The subject of the settings, ready for every other part."""

    def __init__(self, session: Session) -> None:
        self._session, self._index = session, session.index()
        self._index.require(session.subject, session.dictionary)
        room = open_scoring_room(self._index, session.embedder)
        settings = CausalSettings(seed=SEED)
        self.bench = CausalBench(
            InterventionRuns(session.subject), session.dictionary, room, session.names(), settings
        )
        self._analyst = EmbeddedAnalyst(self._index.explore, self._index.validate, session.embedder)

    def drawn(self, count: int) -> list[int]:
        """Random live features; the same for the same count."""
        live = self._index.live_features()
        return draw_features(live, count, SEED)

    def label_of(self, feature: int) -> Explanation | None:
        """The embedded analyst's label."""
        ref = self.bench.ref(feature)
        if unfit_to_explain(self.bench.room.facts(ref)) is not None:
            return None
        return self._analyst.explain(ref).explanation

    def labelled(self, count: int = 20) -> int:
        """The first drawn feature that has a label: the one that is stressed."""
        drawn = self.drawn(count)
        return next((f for f in drawn if self.label_of(f) is not None), drawn[0])

    def kl(self, asked: Asked) -> Found:
        """Strengths."""
        found = kl_levels(self.bench, self.drawn(asked.features), asked.stop_at, tell)
        return Found(kl_rows(found), kl_keys(found))

    def overhead(self, asked: Asked) -> Found:
        """Speed of steering."""
        found = overhead(self.bench, self.drawn(1)[0], repeats=asked.repeats)
        return Found(overhead_rows(found), overhead_keys(found))

    def stress(self, _asked: Asked) -> Found:
        """Seconds of one stress grid."""
        feature = self.labelled()
        found = stress(self.bench, self.label_of(feature), feature)
        return Found(stress_rows(found), stress_keys(found))

    def scores(self, asked: Asked) -> Found:
        """The table of intervention scores."""
        live = [int(i) for i in self._index.live_features()]
        causes = Causes(self.bench, self._session.token_effects(), live)
        facts: dict[str, object] = {
            **asdict(self.bench.settings),
            "targets": list(self.bench.settings.targets),
        }
        identity = content_id("s", {"index": self._index.identity, **facts})
        work = TableWork(causes, self.bench.room, self.label_of, identity, asked.work / "scores.jsonl")
        lines = work.run(self.drawn(asked.scores), asked.stop_at, tell)
        return Found(table_rows(lines), table_keys(lines))


def measured(asked: Asked) -> Found:
    """Every part that was asked for, in order."""
    rows: list[Row] = []
    keys: dict[str, JsonValue] = {"seed": SEED, "parts": list(asked.parts)}
    found: list[Found] = []
    if "planted" in asked.parts:
        found.append(planted_part(asked.seeds, PlantedSizes()))
    others = [part for part in PARTS if part in asked.parts and part != "planted"]
    if others:
        with Session(load_settings().settings) as session:
            starter = Starter(session)
            ways = {
                "kl": starter.kl,
                "overhead": starter.overhead,
                "stress": starter.stress,
                "scores": starter.scores,
            }
            found += [ways[part](asked) for part in others]
    for part in found:
        rows += part.rows
        keys |= part.keys
    return Found(rows, keys)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="2 seeds, 5 features, 3 scored")
    parser.add_argument("--json", action="store_true", help="one last line of JSON")
    parser.add_argument("--parts", default=",".join(PARTS), help="which of " + ", ".join(PARTS))
    parser.add_argument("--seeds", type=int, default=20, help="planted seeds")
    parser.add_argument("--features", type=int, default=40, help="features whose strengths are sought")
    parser.add_argument("--scores", type=int, default=30, help="features in the table of scores")
    parser.add_argument("--repeats", type=int, default=9, help="of the timing of steering")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no feature after")
    parser.add_argument("--work", type=Path, default=Path("build/interventions"), help="finished features")
    chosen = parser.parse_args()
    parts = tuple(str(chosen.parts).split(","))
    if not set(parts) <= set(PARTS):
        parser.error(f"unknown part in {chosen.parts!r}: choose among {', '.join(PARTS)}")
    asked = Asked(
        parts=parts,
        seeds=2 if chosen.quick else chosen.seeds,
        features=5 if chosen.quick else chosen.features,
        scores=3 if chosen.quick else chosen.scores,
        repeats=3 if chosen.quick else chosen.repeats,
        stop_at=time.monotonic() + chosen.seconds,
        work=chosen.work,
    )
    found = measured(asked)
    title = f"Interventions: {', '.join(parts)}; seed {SEED}, {torch.get_num_threads()} threads"
    emit(title, found.rows, found.keys, chosen.json)


if __name__ == "__main__":
    main()
