"""Labels by a language model against the embedded analyst's, on random live features, on sealed text.

    python -m benchmarks.llm_labels --base-url http://127.0.0.1:8000/v1 --model NAME [--minutes 45] [--json]

Each feature is explained by the embedded analyst and by the model (one-shot, contrastive, refined), from
explore; the model chooses on validate. Then the model reads every label on the same sealed windows, one
window per prompt, all of them (no stopping early): detection and fuzzing, balanced accuracy and AUC.
Differences to the analyst are paired by feature; intervals are bootstrapped over features.

Features are drawn at random among those with at least 30 strong firings on explore, a full set of sealed
windows and a label by the embedded analyst; how many were passed over is said. Finished features are
kept in a file beside the ledger and answers in the ledger, so a run that was stopped goes on where it
was and pays for nothing twice. Settings (subject, dictionary, corpus, tokens) are those of
`glossator label`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

from benchmarks.label_trial_table import (
    MEASURES,
    LabelRow,
    TrialFeature,
    by_method,
    estimate,
    keys_of,
    label_lines,
    markdown,
    rejected,
    spent,
)
from benchmarks.report_form import Row, emit
from glossator.agents.explainers.explain_feature import explain_feature
from glossator.agents.explainers.explainer_settings import ExplainerSettings
from glossator.agents.explainers.material import Material, OpenViews
from glossator.agents.explainers.validated import ValidatedCandidate
from glossator.agents.feature_preparation import FeaturePreparation, PreparedFeature
from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import ChatEndpoint, Role
from glossator.agents.llm_calls.model_spec import ModelSpec
from glossator.agents.llm_calls.open_endpoint import open_endpoint
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.agents.scorers import (
    STRONG,
    FeatureNeighbours,
    ScoringRoom,
    ScoringSettings,
    open_scoring_room,
)
from glossator.agents.scorers.examples import Group
from glossator.agents.scorers.llm_bench import LlmBench
from glossator.agents.scorers.llm_scores import score_with_llm
from glossator.agents.scorers.llm_settings import LlmScoringSettings
from glossator.agents.window_reading.reader import LlmReader
from glossator.memory.call_store import CallStore
from glossator.probes.negatives import WindowPool
from glossator.records import ExplanationMethod, FeatureRef, Score, ScoreMethod, content_id
from glossator.session import Session
from glossator.settings import load_settings

SEED = 0
VERSION = 1
"""Raised whenever finished features would come out otherwise."""
STRONG_FIRINGS = 30
POOL, POOL_SEED = 256, 7


@dataclass(frozen=True)
class Plan:
    """Sizes of one trial: what is read of each label is the same."""

    detected: tuple[int, int, int] = (8, 4, 4)
    """Firing windows, random silent ones, hard negatives that detection reads."""
    fuzzed: tuple[int, int, int] = (6, 3, 3)
    """Firing windows, marked silent ones, wrongly marked ones that fuzzing reads."""
    shown: int = 12
    """Firing windows that the explainer sees."""
    negatives: int = 6
    """Hard negatives that the contrastive explainer sees."""
    rounds: int = 1
    """Corrections of the refining explainer."""
    validate: int = 8
    """Windows of validate that each candidate is read on."""
    judged: int = 8
    """Windows of explore on which refining looks for mistakes."""

    @property
    def drawn(self) -> tuple[int, int, int]:
        """Windows that are drawn of each group: fuzzing marks half of the firing ones wrongly."""
        return (max(self.detected[0], 2 * self.fuzzed[0]), *self.detected[1:])


QUICK = Plan((4, 2, 2), (2, 1, 1), shown=4, negatives=2, rounds=1, validate=4, judged=4)


class Trial(NamedTuple):
    """What all features of one trial share."""

    preparation: FeaturePreparation
    room: ScoringRoom
    """Of the trial's own sizes."""
    calls: CallRoom
    plan: Plan
    validate_pool: WindowPool | None


class Drawn(NamedTuple):
    """The features of a trial."""

    features: tuple[PreparedFeature, ...]
    passed_over: dict[str, int]
    """Why others that were drawn are not among them, and how many."""


def draw(trial: Trial, n: int) -> Drawn:
    """`n` live features in random order, of those that the analyst labels and that fire often enough."""
    chosen, passed_over = list[PreparedFeature](), Counter[str]()
    index = trial.preparation.index
    for number in np.random.default_rng(SEED).permutation(index.live_features()).tolist():
        ref = trial.preparation.ref(int(number))
        activation = index.explore.firings(ref.index).activation
        if np.count_nonzero(activation > STRONG * activation.max()) < STRONG_FIRINGS:
            passed_over[f"fewer than {STRONG_FIRINGS} strong firings on explore"] += 1
            continue
        feature = trial.preparation.prepare(ref)
        group = trial.room.examples(ref, feature.neighbours).group
        found = [int(np.count_nonzero(group == g)) for g in Group]
        if feature.embedded is None:
            passed_over["the embedded analyst abstains"] += 1
        elif any(n < wanted for n, wanted in zip(found, trial.plan.drawn, strict=True)):
            passed_over["too few sealed windows"] += 1
        else:
            chosen.append(feature)
        if len(chosen) == n:
            break
    return Drawn(tuple(chosen), dict(passed_over))


async def try_feature(trial: Trial, feature: PreparedFeature) -> TrialFeature:
    """Explain one feature in every way and read all its labels on the same sealed windows."""
    began, plan, reader = time.perf_counter(), trial.plan, LlmReader(trial.calls, 1)
    shown, preparation, neighbours = feature.shown, trial.preparation, feature.neighbours
    material = Material(
        feature=feature.ref, max_activation=shown.max_activation, windows=shown.windows,
        silent=shown.silent_windows, effects=shown.effects, embedded=feature.embedded, evidence=feature.cited,
    )  # fmt: skip
    index = preparation.index
    views = OpenViews(
        index.explore, index.validate, neighbours,
        preparation.explore_pool, trial.validate_pool, preparation.room.embedder,
    )  # fmt: skip
    settings = ExplainerSettings(
        methods=(ExplanationMethod.ONE_SHOT, ExplanationMethod.CONTRASTIVE, ExplanationMethod.REFINED),
        n_windows=plan.shown,
        n_negatives=plan.negatives,
        rounds=plan.rounds,
        n_validate=plan.validate,
        n_judged=plan.judged,
        ask_predicate=False,
    )
    with trial.calls.meter() as meter:
        explained = await explain_feature(trial.calls, reader, views, material, settings)
    rows = [
        await read_label(trial, reader, explained.candidates[i], neighbours, chosen=i == explained.chosen)
        for i in explained.best_of_each_method()
    ]
    return TrialFeature(
        feature=feature.ref,
        labels=tuple(rows),
        rejected=explained.rejected,
        explaining=meter.spending,
        seconds=round(time.perf_counter() - began, 1),
    )


async def read_label(
    trial: Trial,
    reader: LlmReader,
    candidate: ValidatedCandidate,
    neighbours: FeatureNeighbours,
    *,
    chosen: bool,
) -> LabelRow:
    """Detection and fuzzing of one label, on the windows that all labels of the feature are read on."""
    explanation, plan = candidate.explanation, trial.plan
    scores: list[Score] = []
    with trial.calls.meter() as meter:
        for method, sizes in ((ScoreMethod.DETECTION, plan.detected), (ScoreMethod.FUZZING, plan.fuzzed)):
            bench = LlmBench(trial.room, trial.calls, reader, everything_at_once(method, sizes))
            scores += (await score_with_llm(bench, explanation, neighbours=neighbours)).scores
    return LabelRow(
        method=explanation.method.value,
        text=explanation.text,
        chosen=chosen,
        validate_value=candidate.value,
        scores=tuple(scores),
        reading=meter.spending,
    )


def everything_at_once(method: ScoreMethod, sizes: tuple[int, int, int]) -> LlmScoringSettings:
    """All windows in one stage and no baselines: every label is read on the same ones."""
    firing, random, hard = sizes
    return LlmScoringSettings(
        methods=(method,), half_width=0.0, first=max(sizes), n_baseline=0,
        max_firing=firing, max_random=random, max_hard=hard,
    )  # fmt: skip


class Finished:
    """Features that are done, one JSON line each, kept across runs of the same trial."""

    def __init__(self, file: Path) -> None:
        self._file = file
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        found = [TrialFeature.model_validate_json(line) for line in lines if line.endswith("}")]
        self._by_feature = {str(one.feature): one for one in found}

    def get(self, ref: FeatureRef) -> TrialFeature | None:
        """The feature, if an earlier run finished it."""
        return self._by_feature.get(str(ref))

    def add(self, one: TrialFeature) -> None:
        """Keep a finished feature."""
        with self._file.open("a", encoding="utf-8") as out:
            out.write(one.model_dump_json() + "\n")


async def run(
    trial: Trial, features: Sequence[PreparedFeature], kept: Finished, minutes: float
) -> list[TrialFeature]:
    """The features one after another; none is begun when the time is used up."""
    began, done = time.monotonic(), list[TrialFeature]()
    try:
        for feature in features:
            one = kept.get(feature.ref)
            if one is None:
                if minutes and time.monotonic() - began > 60 * minutes:
                    print(f"time is up: {len(done)} of {len(features)} features", file=sys.stderr, flush=True)
                    break
                one = await try_feature(trial, feature)
                kept.add(one)
            done.append(one)
            print(label_lines([one]), file=sys.stderr, flush=True)
    finally:
        await trial.calls.close()
    return done


def open_trial(session: Session, endpoint: ChatEndpoint, plan: Plan) -> Trial:
    """Everything that is shared: index, room, analyst, calls; the index is built where there is none."""
    index, (firing, random, hard) = session.index(), plan.drawn
    preparation = FeaturePreparation(
        index, session.dictionary, session.token_effects(), embedder=session.embedder, names=session.names()
    )
    sizes = ScoringSettings(n_firing=firing, n_random=random, n_hard=hard, n_donors=0)
    calls = CallRoom(
        {Role.EXPLAINER: endpoint, Role.SCORER: endpoint},
        budget=Budget(Limits()), store=CallStore(session.ledger()), slots=session.settings.llm_slots,
        counter=TokenCounter(), prices=Prices(), run="llm_labels",
    )  # fmt: skip
    embedder = preparation.room.embedder
    pool = embedder and WindowPool.draw(index.validate, embedder, size=POOL, seed=POOL_SEED)
    return Trial(preparation, open_scoring_room(index, session.embedder, sizes), calls, plan, pool)


def rows_of(features: Sequence[TrialFeature], passed_over: dict[str, int]) -> list[Row]:
    """Means, what it cost, and whom the draw left out."""
    rows: list[Row] = []
    for measure in MEASURES:
        for name, values in by_method(features, measure).items():
            found = estimate(values)
            rows.append(Row(f"{name}: {measure}", "unscored" if found is None else found.shown()))
    cost, n = spent(features), max(1, len(features))
    unscored = ", ".join(f"{k}: {v}" for k, v in cost.unscored.items())
    return [
        *rows,
        Row("calls", str(cost.calls), f"and {cost.cached} answered from the ledger"),
        Row("tokens", f"{cost.input_tokens} in, {cost.output_tokens} out"),
        Row("seconds per feature", f"{sum(f.seconds for f in features) / n:.0f}"),
        Row("unscored answers", str(sum(cost.unscored.values())), unscored),
        *(Row(f"not a fit label: {k}", str(v)) for k, v in rejected(features).items()),
        *(Row(f"passed over: {k}", str(v)) for k, v in passed_over.items()),
    ]


class Outcome(NamedTuple):
    """The finished features, and whom the draw left out."""

    features: list[TrialFeature]
    passed_over: dict[str, int]


def outcome_of(arguments: argparse.Namespace, session: Session) -> Outcome:
    """Run the trial that the command line asks for."""
    plan = QUICK if arguments.quick else Plan()
    spec = ModelSpec.parse(arguments.model, base_url=arguments.base_url)
    trial = open_trial(session, open_endpoint(spec, timeout=session.settings.llm_timeout), plan)
    drawn = draw(trial, arguments.features)
    identity = [VERSION, trial.preparation.index.identity, arguments.model, asdict(plan)]
    kept = Finished(session.settings.home / f"{content_id('llm-labels', identity)}.jsonl")
    return Outcome(asyncio.run(run(trial, drawn.features, kept, arguments.minutes)), drawn.passed_over)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base-url", required=True, help="an OpenAI-compatible endpoint")
    parser.add_argument("--model", required=True, help="name of the model there")
    parser.add_argument("--features", type=int, default=12, help="how many features")
    parser.add_argument("--minutes", type=float, default=0.0, help="begin no feature after so long")
    parser.add_argument("--quick", action="store_true", help="tiny sets of windows")
    parser.add_argument("--json", action="store_true", help="one last line of JSON")
    chosen = parser.parse_args()
    with Session(load_settings({"llm_slots": 2, "llm_timeout": 600.0}).settings) as session:
        features, passed_over = outcome_of(chosen, session)
        tokens = len(session.index().explore.text)
    keys: dict[str, JsonValue] = {
        **keys_of(features), "features": len(features), "model": chosen.model, "seed": SEED,
        "passed_over": dict(passed_over), "rejected": dict(rejected(features)), "explore_tokens": tokens,
        "plan": asdict(QUICK if chosen.quick else Plan()),
        "spending": spent(features).model_dump(mode="json"),
        "seconds_per_feature": round(sum(f.seconds for f in features) / max(1, len(features)), 1),
    }  # fmt: skip
    print(markdown(features))
    title = (
        f"Labels by {chosen.model}: {len(features)} random live features, {tokens} explore tokens, "
        f"seed {SEED}; means over features, both kinds of negatives weighing alike"
    )
    emit(title, rows_of(features, passed_over), keys, chosen.json)


if __name__ == "__main__":
    main()
