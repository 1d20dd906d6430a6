"""Chooses among rules by how they do on validate, which none of them was fitted to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics
from glossator.agents.embedded_analyst.firing_target import FiringTarget
from glossator.probes.predicate_evaluation import evaluate, held_within
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

HALF_WINDOW = 16
COST_PER_PART, COST_PER_ITEM = 0.015, 0.0006
_MOST_WINDOWS = 400


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
    """Centres of windows to tell apart."""

    firing: Int[np.ndarray, " firing"]
    silent: Int[np.ndarray, " silent"]


def window_sample(stats: CorpusStatistics, target: FiringTarget, seed: int = 0) -> WindowSample:
    """Strong firings, and as many eligible tokens with no firing around them."""
    rng = np.random.default_rng(seed)
    fires = np.zeros(len(stats.text), dtype=bool)
    fires[target.strong] = fires[target.weak] = True
    drawn = rng.choice(np.flatnonzero(stats.text.eligible), 6 * _MOST_WINDOWS)
    near = held_within(fires, stats.text, HALF_WINDOW, HALF_WINDOW)
    firing = target.strong
    if len(firing) > _MOST_WINDOWS:
        firing = np.sort(rng.choice(firing, _MOST_WINDOWS, replace=False))
    return WindowSample(firing, drawn[~near[drawn]][:_MOST_WINDOWS])


def score_rule(
    predicate: Predicate, stats: CorpusStatistics, target: FiringTarget, sample: WindowSample
) -> ValidateScore:
    """Measure one rule."""
    held = evaluate(predicate, stats.text, stats.words) & stats.text.eligible
    hits = int(held[target.strong].sum())
    false = int(held[target.silent].sum())
    near = _any_near(held, sample, stats)
    n = len(sample.firing)
    return ValidateScore(
        f1=2 * hits / max(1, hits + false + len(target.strong)),
        precision=hits / max(1, hits + false),
        recall=hits / max(1, len(target.strong)),
        hit_rate=float(near[:n].mean()) if n else 0.0,
        false_rate=float(near[n:].mean()) if len(near) > n else 0.0,
        held=int(held.sum()),
    )


def _any_near(
    held: Bool[np.ndarray, " tokens"], sample: WindowSample, stats: CorpusStatistics
) -> Bool[np.ndarray, " windows"]:
    """In which windows the rule holds somewhere."""
    total = np.concatenate([[0], np.cumsum(held)])
    centre = np.concatenate([sample.firing, sample.silent])
    row = stats.text.row_of[centre]
    low = np.maximum(centre - HALF_WINDOW, stats.text.row_start[row])
    high = np.minimum(centre + HALF_WINDOW, stats.text.row_start[row + 1])
    return total[high] > total[low]


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
    predicates: list[Predicate], stats: CorpusStatistics, target: FiringTarget, seed: int = 0
) -> list[Tried]:
    """Every rule with its score, best first."""
    sample = window_sample(stats, target, seed)
    tried: list[Tried] = []
    for predicate in predicates:
        score = score_rule(predicate, stats, target, sample)
        tried.append(Tried(predicate, score, score.worth - cost(predicate)))
    return sorted(tried, key=lambda one: -one.rank)
