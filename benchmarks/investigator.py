"""Asks whether an investigation finds planted features, cannot be misled, and gains on the one-shot label.

    python -m benchmarks.investigator [--quick] [--json] [--features N] [--seed S]

Planted features (`glossator.probes.planted_features`) over starter text, in one activation index. Three
parts. Embedded: an investigation with the embedded proposer beside the embedded analyst's one-shot label,
F1 on the sealed split, paired over features with a rule; a label that is withheld counts as F1 0. Oracle:
a proposer that knows the rule, one meaning and no exception at first; right is an accepted label with F1 of
at least 0.9 against the rule on text that no index holds, with both meanings and the exception found, and
an abstention where there is no rule. Adversary: misleading proposers; a false label is one that was
accepted though its predicate has F1 under 0.5 against the rule, or its words name none of the rule's.
Overhead is the wall time of a step less the subject's and the proposer's in it, over all steps but the two
that measure (evidence on `explore`, scores on `sealed`), whose time is given apart.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

from benchmarks.planted_investigation import Investigated, PlantedRoom, planted_room
from benchmarks.planted_proposers import MANNERS, OracleProposer, misleading
from benchmarks.planted_verdicts import Judged, false_accept, judged
from benchmarks.report_form import Row, emit
from glossator.agents.investigator.embedded_proposer import EmbeddedProposer
from glossator.probes.intervals import wilson
from glossator.probes.planted_features import truth_predicate
from glossator.probes.sentence_embedder import HashingEmbedder, SentenceEmbedder
from glossator.probes.text_embedder import TextEmbedder
from glossator.records import VerdictKind

SEED = 0
DRAWS = 4000
MEASURING = ("observe", "score")
"""Steps that measure the feature over whole splits, as labelling does: their time is given apart."""


class Gain(NamedTuple):
    """The investigation's F1 less the one-shot label's, over features."""

    mean: float
    low: float
    high: float
    n: int


class Mean(NamedTuple):
    """A mean and of how many."""

    value: float
    n: int


class Sizes(NamedTuple):
    """How much is measured."""

    features: int
    characters: int
    trials: int
    seed: int


def embedded_runs(room: PlantedRoom) -> list[Investigated]:
    """Every feature with a rule, by the embedded proposer."""
    proposer = EmbeddedProposer(room.preparation.analyst)
    ruled = [i for i, rule in enumerate(room.rules) if truth_predicate(rule) is not None]
    return [_said(room.investigate(i, proposer), "embedded") for i in ruled]


def gain_of(runs: Sequence[Investigated]) -> Gain:
    """Mean difference of sealed F1 with a bootstrap interval over features."""
    each = np.array([shown_f1(r) - (r.result.baseline_f1 or 0.0) for r in runs])
    if not len(each):
        return Gain(0.0, 0.0, 0.0, 0)
    draws = np.random.default_rng(SEED).choice(each, (DRAWS, len(each))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Gain(float(each.mean()), float(low), float(high), len(each))


def shown_f1(run: Investigated) -> float:
    """Sealed F1 of the label; 0 where it was withheld."""
    return 0.0 if run.result.verdict.kind is VerdictKind.ABSTAINED else run.result.f1 or 0.0


def oracle_runs(room: PlantedRoom) -> list[Judged]:
    """Every feature, by a proposer that knows its rule."""
    rules = room.rules
    return [
        judged(room, i, _said(room.investigate(i, OracleProposer(rule)), "oracle"))
        for i, rule in enumerate(rules)
    ]


def adversarial_runs(room: PlantedRoom, trials: int, seed: int) -> list[str]:
    """What was falsely accepted in so many trials: one entry for each."""
    rules = room.rules
    rng = np.random.default_rng([seed, 1])
    false: list[str] = []
    for trial in range(trials):
        feature = trial % len(rules)
        other = int(rng.choice([i for i in range(len(rules)) if truth_predicate(rules[i]) and i != feature]))
        manner = MANNERS[trial % len(MANNERS)]
        run = _said(room.investigate(feature, misleading(rules[feature], rules[other], manner)), manner)
        reason = false_accept(room, feature, run)
        false += [f"{rules[feature].name}, {manner}: {reason}"] if reason else []
    return false


def overhead_ms(runs: Sequence[Investigated]) -> Mean:
    """Mean time that a step takes beside subject and proposer, measuring left out, in ms."""
    own = [1000 * step.own for r in runs for step in r.steps if step.name not in MEASURING]
    return Mean(sum(own) / max(1, len(own)), len(own))


def _said(run: Investigated, part: str) -> Investigated:
    result = run.result
    label = result.explanation.text if result.explanation else "-"
    print(f"  {part} {result.feature.index}: {result.verdict.kind.value}, {label[:70]}", flush=True)
    return run


def step_rows(runs: Sequence[Investigated]) -> list[Row]:
    """Mean time of each step beside subject and proposer, and with them."""
    rows: list[Row] = []
    for name in dict.fromkeys(step.name for r in runs for step in r.steps):
        each = [step for r in runs for step in r.steps if step.name == name]
        own, whole = (
            1000 * sum(times) / len(each) for times in zip(*[(s.own, s.seconds) for s in each], strict=True)
        )
        note = f"{whole:.0f} ms with subject and proposer, n {len(each)}"
        rows.append(Row(f"  step {name}", f"{own:.0f} ms", f"{note}{'; measures' * (name in MEASURING)}"))
    return rows


def measure(room: PlantedRoom, sizes: Sizes) -> tuple[list[Row], dict[str, JsonValue]]:
    """The table and the keys."""
    began = time.perf_counter()
    runs = embedded_runs(room)
    gain = gain_of(runs)
    oracle = oracle_runs(room)
    right = sum(j.right for j in oracle)
    share = wilson(right, len(oracle))
    false = adversarial_runs(room, sizes.trials, sizes.seed)
    everything = [*runs, *(j.run for j in oracle)]
    overhead = overhead_ms(everything)
    seconds = time.perf_counter() - began
    rows = [
        Row("embedded gain in sealed F1", f"{gain.mean:+.3f}",
            f"{gain.low:+.3f} to {gain.high:+.3f}, n {gain.n}; bar: above 0"),
        Row("  one-shot, investigated", _means(runs), "mean sealed F1; withheld counts as 0"),
        Row("oracle right", f"{right / max(1, len(oracle)):.3f}",
            f"{share.low:.3f} to {share.high:.3f}, n {len(oracle)}; bar 0.95"),
        *(Row(f"  {kind}", f"{good} of {n}") for kind, (good, n) in _by_kind(room, oracle).items()),
        *(Row(f"  wrong: {room.rules[j.feature].name}", "", j.reason) for j in oracle if not j.right),
        Row("false accepts", f"{len(false)} of {sizes.trials}", "bar 0"),
        *(Row("  false", "", reason) for reason in false),
        Row("overhead of a step", f"{overhead.value:.1f} ms", f"n {overhead.n}; bar 50 ms"),
        *step_rows(everything),
        Row("seconds", f"{seconds:.0f}"),
    ]  # fmt: skip
    keys: dict[str, JsonValue] = {
        "planted_right_share": round(right / max(1, len(oracle)), 4),
        "planted_right_share_low": round(share.low, 4), "planted_right_share_n": len(oracle),
        "false_accepts_of_100": round(100 * len(false) / max(1, sizes.trials), 2),
        "adversarial_trials": sizes.trials,
        "embedded_gain_f1": round(gain.mean, 4), "embedded_gain_f1_low": round(gain.low, 4),
        "embedded_gain_f1_high": round(gain.high, 4), "embedded_gain_n": gain.n,
        "step_overhead_ms": round(overhead.value, 2), "steps": overhead.n, "seconds": round(seconds, 1),
        "explore_tokens": len(room.index.explore.text), "seed": sizes.seed,
    }  # fmt: skip
    return rows, keys


def _means(runs: Sequence[Investigated]) -> str:
    one_shot = [r.result.baseline_f1 or 0.0 for r in runs]
    own = [shown_f1(r) for r in runs]
    return f"{np.mean(one_shot):.3f}, {np.mean(own):.3f}" if runs else "-"


def _by_kind(room: PlantedRoom, oracle: Sequence[Judged]) -> dict[str, tuple[int, int]]:
    kinds = dict.fromkeys(room.rules[j.feature].kind for j in oracle)
    these = {k: [j.right for j in oracle if room.rules[j.feature].kind == k] for k in kinds}
    return {kind: (sum(each), len(each)) for kind, each in these.items()}


def _embedder(hashing: bool) -> TextEmbedder:
    if hashing:
        return HashingEmbedder()
    from glossator.settings import load_settings
    from glossator.starter_assets import starter_embedder_path

    return SentenceEmbedder(starter_embedder_path(load_settings().settings.cache))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="30 features and 20 trials, hashed words")
    parser.add_argument("--json", action="store_true", help="one last line of JSON")
    parser.add_argument("--features", type=int, default=116, help="planted features")
    parser.add_argument("--trials", type=int, default=100, help="adversarial trials")
    parser.add_argument("--seed", type=int, default=SEED, help="of rules and text")
    chosen = parser.parse_args()
    sizes = Sizes(chosen.features, 800_000, chosen.trials, chosen.seed)
    if chosen.quick:
        sizes = Sizes(30, 600_000, 20, chosen.seed)
    with tempfile.TemporaryDirectory() as folder:
        room = planted_room(
            Path(folder), sizes.features, sizes.seed, sizes.characters, _embedder(chosen.quick)
        )
        rows, keys = measure(room, sizes)
        room.ledger.close()
    title = (
        f"Investigator on planted features: {sizes.features} features, {sizes.characters} characters, "
        f"{sizes.trials} adversarial trials, seed {sizes.seed}"
    )
    emit(title, rows, keys, chosen.json)


if __name__ == "__main__":
    main()
