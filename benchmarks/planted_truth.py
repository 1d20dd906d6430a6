"""Asks whether the embedded analyst recovers planted rules, and abstains where there is none.

    python -m benchmarks.planted_truth [--quick] [--json] [--rules FILE]

Features of a planted subject follow the rules of FILE (form: `glossator.probes.planted_rules`). The
analyst sees explore and validate; its label's predicate is then held against the rule itself, noise
left out, on text that nothing was fitted to. An abstention counts as F1 0.
"""

from __future__ import annotations

import argparse
import json
import lzma
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

from benchmarks.report_form import Row, emit
from glossator.agents.embedded_analyst.analyst import AnalystReport, EmbeddedAnalyst
from glossator.probes.planted_rules import KINDS, PlantedRule, load_rules
from glossator.probes.planted_truth import PlantedSubject, planted_firings, planted_places, planted_text
from glossator.probes.predicate_evaluation import evaluate
from glossator.probes.split_view import ExploreView, ValidateView
from glossator.probes.token_text import TokenText
from glossator.records import FeatureRef

SEED = 0
BARS = {
    "token_set": 0.9,
    "regex": 0.9,
    "previous_token": 0.9,
    "either_or": 0.9,
    "exception": 0.75,
    "noisy": 0.75,
}
MUST_ABSTAIN = ("dead", "random")
NO_RULE = (*MUST_ABSTAIN, "always_on")


class Outcome(NamedTuple):
    """What became of one planted feature."""

    rule: PlantedRule
    report: AnalystReport
    f1: float
    names_rule: bool
    seconds: float


def starter_texts(characters: int) -> list[str]:
    """Documents of the starter corpus, shuffled, up to so many characters."""
    packed = files("glossator").joinpath("assets", "starter_corpus.jsonl.xz").read_bytes()
    texts = [json.loads(line)["text"] for line in lzma.decompress(packed).splitlines()]
    chosen: list[str] = []
    for i in np.random.default_rng(SEED).permutation(len(texts)):
        chosen.append(str(texts[i])[:6_000])
        characters -= len(chosen[-1])
        if characters <= 0:
            break
    return chosen


def f1_against_truth(report: AnalystReport, rule: PlantedRule, unseen: TokenText) -> float:
    """F1 of the label's predicate against the rule, on eligible tokens; 0 after abstention."""
    if report.explanation is None or report.explanation.predicate is None:
        return 0.0
    held = evaluate(report.explanation.predicate, unseen) & unseen.eligible
    truth = planted_places(rule, unseen) & unseen.eligible
    return float(2 * (held & truth).sum() / max(1, held.sum() + truth.sum()))


def measure(rules: tuple[PlantedRule, ...], texts: Sequence[str]) -> list[Outcome]:
    """Label every planted feature from three fifths of the texts, choose on a fifth, measure on the rest."""
    subject = PlantedSubject.over(texts, rules)
    first, second = int(0.6 * len(texts)), int(0.8 * len(texts))
    explore, validate, unseen = (
        planted_text(subject, part) for part in (texts[:first], texts[first:second], texts[second:])
    )
    analyst = EmbeddedAnalyst(
        ExploreView(planted_firings(subject, explore)), ValidateView(planted_firings(subject, validate))
    )
    outcomes: list[Outcome] = []
    for k, rule in enumerate(rules):
        began = time.perf_counter()
        report = analyst.explain(FeatureRef(subject="planted", dictionary="planted", index=k))
        seconds = time.perf_counter() - began
        label = "" if report.explanation is None else report.explanation.text.casefold()
        named = any(word.casefold() in label for word in rule.mentions)
        outcomes.append(Outcome(rule, report, f1_against_truth(report, rule, unseen), named, seconds))
    return outcomes


def by_kind(outcomes: list[Outcome]) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    """Mean F1 and share of abstentions for each kind that was planted.

    Abstaining on a rule that is there counts as F1 0; where there is no rule to find and no label was
    given, there is no F1.
    """
    f1: dict[str, JsonValue] = {}
    abstained: dict[str, JsonValue] = {}
    for kind in KINDS:
        these = [o for o in outcomes if o.rule.kind == kind]
        if these:
            silent = sum(o.report.explanation is None for o in these)
            nothing_to_find = kind in NO_RULE and silent == len(these)
            f1[kind] = None if nothing_to_find else round(sum(o.f1 for o in these) / len(these), 4)
            abstained[kind] = round(silent / len(these), 4)
    return f1, abstained


def table(outcomes: list[Outcome], f1: dict[str, JsonValue], abstained: dict[str, JsonValue]) -> list[Row]:
    """Kinds first, then each feature with its label."""
    rows: list[Row] = []
    for kind in f1:
        bar = "bar: abstain" if kind in MUST_ABSTAIN else f"bar {BARS[kind]}" if kind in BARS else ""
        found = "–" if f1[kind] is None else f1[kind]
        rows.append(Row(kind, f"F1 {found}, abstained {abstained[kind]}", bar))
    for o in outcomes:
        said = f"abstained: {o.report.reason}" if o.report.explanation is None else o.report.explanation.text
        told = "names the rule" if o.names_rule else "does not name the rule" if o.rule.mentions else ""
        rows.append(
            Row(
                f"  {o.rule.name}", f"F1 {o.f1:.3f}, {o.seconds:.2f} s", f"{said}  [{told}]" if told else said
            )
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="less text")
    parser.add_argument("--json", action="store_true", help="one last line of JSON")
    parser.add_argument("--rules", type=Path, help="a JSON file of rules")
    chosen = parser.parse_args()
    texts = starter_texts(1_000_000 if chosen.quick else 4_000_000)
    outcomes = measure(load_rules(chosen.rules), texts)
    f1, abstained = by_kind(outcomes)
    named = [o.names_rule for o in outcomes if o.rule.mentions]
    keys: dict[str, JsonValue] = {
        "f1": f1,
        "abstained": abstained,
        "labels_name_rule": round(sum(named) / max(1, len(named)), 4),
        "seed": SEED,
        "characters": sum(map(len, texts)),
    }
    title = f"Planted truth: {len(outcomes)} features, {sum(map(len, texts))} characters, seed {SEED}"
    emit(title, table(outcomes, f1, abstained), keys, chosen.json, ("glossator", "numpy", "google-re2"))


if __name__ == "__main__":
    main()
