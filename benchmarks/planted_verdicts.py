"""Whether what an investigation came to is right, held against the planted rule on text of no index."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from benchmarks.planted_investigation import Investigated, PlantedRoom
from glossator.probes.planted_features import exception_of, facets_of, truth_predicate
from glossator.probes.planted_rules import ExceptionRule, PlantedRule
from glossator.probes.planted_truth import planted_places
from glossator.probes.predicate_evaluation import evaluate
from glossator.records import FeatureInvestigation, Predicate, VerdictKind

LEAST_F1, LEAST_PART_F1, FALSE_F1 = 0.9, 0.8, 0.5


class Judged(NamedTuple):
    """One investigation, judged."""

    feature: int
    run: Investigated
    reason: str
    """What is wrong with it; empty if nothing is."""

    @property
    def right(self) -> bool:
        """Whether it came to what was planted."""
        return not self.reason


def judged(room: PlantedRoom, feature: int, run: Investigated) -> Judged:
    """Whether the verdict is right, both meanings and the exception were found."""
    return Judged(feature, run, _wrong(room, room.rules[feature], run.result))


def _wrong(room: PlantedRoom, rule: PlantedRule, result: FeatureInvestigation) -> str:
    accepted = result.verdict.kind is VerdictKind.ACCEPTED
    if truth_predicate(rule) is None:
        abstained = result.verdict.kind is VerdictKind.ABSTAINED
        return "" if abstained else f"{result.verdict.kind.value}, though there is nothing to find"
    if not accepted or result.explanation is None:
        return f"{result.verdict.kind.value}: {result.verdict.reason}"
    f1 = room.f1_against_truth(result.explanation.predicate, rule, room.unseen)
    if f1 < LEAST_F1:
        return f"F1 {f1:.2f} against the rule: {result.explanation.text}"
    return _missed_facet(room, rule, result) or _missed_exception(room, rule, result)


def _missed_facet(room: PlantedRoom, rule: PlantedRule, result: FeatureInvestigation) -> str:
    by_id = {h.id: h.predicate for h in result.hypotheses}
    found = [p for f in result.facets if (p := by_id.get(f.hypothesis)) is not None]
    for part in facets_of(rule):
        best = max((room.f1_against_truth(p, part, room.unseen) for p in found), default=0.0)
        if best < LEAST_PART_F1:
            return f"a meaning was not found ({len(found)} facets, the nearest with F1 {best:.2f})"
    return ""


def _missed_exception(room: PlantedRoom, rule: PlantedRule, result: FeatureInvestigation) -> str:
    barred = exception_of(rule)
    if barred is None or not isinstance(rule, ExceptionRule):
        return ""
    whole = planted_places(rule.rule, room.unseen) & room.unseen.eligible
    truth = whole & _held(room, barred)
    found = [whole & _held(room, region.predicate) for region in result.exceptions]
    best = max((_f1(truth, region) for region in found), default=0.0)
    return "" if best >= LEAST_PART_F1 else f"exception not found ({len(found)} regions, F1 {best:.2f})"


def _held(room: PlantedRoom, predicate: Predicate) -> Bool[np.ndarray, " tokens"]:
    return evaluate(predicate, room.unseen) & room.unseen.eligible


def _f1(truth: Bool[np.ndarray, " tokens"], held: Bool[np.ndarray, " tokens"]) -> float:
    return float(2 * (truth & held).sum() / max(1, truth.sum() + held.sum()))


def false_accept(room: PlantedRoom, feature: int, run: Investigated) -> str:
    """Why an accepted label is false; empty where it is true or was not accepted."""
    rule, result = room.rules[feature], run.result
    if result.verdict.kind is not VerdictKind.ACCEPTED or result.explanation is None:
        return ""
    f1 = room.f1_against_truth(result.explanation.predicate, rule, room.unseen)
    if f1 < FALSE_F1:
        return f"F1 {f1:.2f} against the rule: {result.explanation.text}"
    text = result.explanation.text.casefold()
    named = any(word.casefold() in text for word in rule.mentions)
    return "" if named else f"says something else: {result.explanation.text}"
