"""Chooses among rules by how they do on validate, which none of them was fitted to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics
from glossator.agents.embedded_analyst.firing_target import FiringTarget
from glossator.agents.firing_facts import STRONG
from glossator.probes.predicate_evaluation import evaluate
from glossator.probes.split_view import OpenView
from glossator.probes.windows import WindowBatch, firing_windows, silent_windows
from glossator.records import (
    AllOf,
    AnyOf,
    Followed,
    Not,
    Preceded,
    Predicate,
    TokenIn,
    WeightedWords,
    WindowContains,
    WordIn,
)

COST_PER_PART, COST_PER_ITEM = 0.02, 0.0008
_MOST_WINDOWS = 200


class ValidateScore(NamedTuple):
    """How a rule does on validate."""

    f1: float
    """Against strong firings; weak ones do not count."""
    precision: float
    recall: float
    hit_rate: float
    """Share of windows around strong firings in which it holds somewhere."""
    false_rate: float
    """Share of silent windows in which it holds somewhere."""
    held: int
    """Eligible tokens on which it holds."""

    @property
    def balanced_accuracy(self) -> float:
        """Of telling firing from silent windows."""
        return (self.hit_rate + 1 - self.false_rate) / 2

    @property
    def worth(self) -> float:
        """What rules are ranked by: token F1 and window detection, in equal parts, both 0 at chance."""
        return 0.5 * self.f1 + 0.5 * max(0.0, 2 * self.balanced_accuracy - 1)


class Tried(NamedTuple):
    """A rule and how it did."""

    predicate: Predicate
    score: ValidateScore
    rank: float
    """`worth` less the cost of its length."""


class WindowSample(NamedTuple):
    """Windows to tell apart."""

    firing: WindowBatch
    silent: WindowBatch


def window_sample(view: OpenView, feature: int, maximum: float, seed: int = 0) -> WindowSample:
    """Windows around strong firings, from as many documents as possible, and silent ones."""
    firing = firing_windows(
        view, feature, threshold=STRONG * maximum, n=_MOST_WINDOWS, seed=seed, sampling="random"
    )
    silent = silent_windows(view, feature, _MOST_WINDOWS, seed)
    return WindowSample(firing, silent)


def score_rule(
    predicate: Predicate, stats: CorpusStatistics, target: FiringTarget, sample: WindowSample
) -> ValidateScore:
    """Measure one rule."""
    held = evaluate(predicate, stats.text, stats.words) & stats.text.eligible
    hits, false = np.count_nonzero(held[target.strong]), np.count_nonzero(held[target.silent])
    return ValidateScore(
        f1=2 * hits / max(1, hits + false + len(target.strong)),
        precision=hits / max(1, hits + false),
        recall=hits / max(1, len(target.strong)),
        hit_rate=_share_held(held, sample.firing),
        false_rate=_share_held(held, sample.silent),
        held=int(np.count_nonzero(held)),
    )


def _share_held(held: Bool[np.ndarray, " tokens"], windows: WindowBatch) -> float:
    """In what share of the windows the rule holds somewhere."""
    total = np.concatenate([[0], np.cumsum(held)])
    return float((total[windows.stop] > total[windows.start]).mean()) if len(windows) else 0.0


def cost(predicate: Predicate) -> float:
    """What the length of a rule costs."""
    parts, items = _size(predicate)
    return COST_PER_PART * (parts - 1) + COST_PER_ITEM * items


def _size(predicate: Predicate) -> tuple[int, int]:
    """Conditions, and values listed in them."""
    if isinstance(predicate, AllOf | AnyOf):
        sizes = [_size(part) for part in predicate.parts]
        return sum(p for p, _ in sizes), sum(i for _, i in sizes)
    if isinstance(predicate, Preceded | Followed):
        return _size(predicate.by)
    if isinstance(predicate, Not):
        parts, items = _size(predicate.part)
        return parts + 1, items
    if isinstance(predicate, TokenIn):
        return 1, len(predicate.tokens)
    if isinstance(predicate, WordIn | WindowContains):
        return 1, len(predicate.words)
    return 1, len(predicate.weights) if isinstance(predicate, WeightedWords) else 1


def ranked_on_validate(
    predicates: list[Predicate], stats: CorpusStatistics, target: FiringTarget, sample: WindowSample
) -> list[Tried]:
    """Every rule with its score, best first."""
    tried: list[Tried] = []
    for predicate in predicates:
        score = score_rule(predicate, stats, target, sample)
        tried.append(Tried(predicate, score, score.worth - cost(predicate)))
    return sorted(tried, key=lambda one: -one.rank)
