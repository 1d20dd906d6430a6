"""The parts that rules are made of, each with where it holds on explore, and the predicate it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics, Key
from glossator.agents.embedded_analyst.firing_target import FiringTarget
from glossator.agents.embedded_analyst.set_growth import grow_set, shrink_set, tally
from glossator.agents.embedded_analyst.token_classes import TOKEN_CLASSES, WORD_CLASSES
from glossator.records import (
    AllOf,
    Followed,
    Not,
    Preceded,
    Predicate,
    TokenIn,
    TokenMatches,
    WordIn,
    WordMatches,
)

SHIFTS = (0, -1, 1)


class Draft(NamedTuple):
    """A rule under construction."""

    parts: tuple[Predicate, ...]
    """Conditions that all must hold."""
    held: Bool[np.ndarray, " tokens"]
    """Where it holds on explore."""
    f1: float
    """Against the target on explore."""

    @property
    def predicate(self) -> Predicate:
        """The rule as one predicate."""
        return self.parts[0] if len(self.parts) == 1 else AllOf(parts=self.parts)


def f1_of(held: Bool[np.ndarray, " tokens"], target: FiringTarget) -> float:
    """F1 of holding against strong firings; where nothing matters, nothing counts."""
    hits = int(held[target.strong].sum())
    false = int(np.count_nonzero(held & target.silent))
    return 2 * hits / max(1, hits + false + len(target.strong))


def at_shift(predicate: Predicate, shift: int) -> Predicate:
    """The condition asked of the token before (-1), here (0) or after (1)."""
    if shift == 0:
        return predicate
    return Preceded(by=predicate) if shift < 0 else Followed(by=predicate)


def set_predicate(stats: CorpusStatistics, key: Key, values: Int[np.ndarray, " values"]) -> Predicate:
    """`key` is one of `values`, as a predicate."""
    names = tuple(dict.fromkeys(stats.name(key, int(v)) for v in values))
    return at_shift(WordIn(words=names) if key.of_words else TokenIn(tokens=names), key.shift)


def set_held(stats: CorpusStatistics, key: Key, values: Int[np.ndarray, " values"]) -> Bool[np.ndarray, " tokens"]:
    """Where `key` is one of `values`."""
    member = np.zeros(stats.size(key), dtype=bool)
    member[values] = True
    return member[stats.keys[key]]


def set_part(
    stats: CorpusStatistics, key: Key, target: FiringTarget, within: Draft | None = None, beta: float = 1.0
) -> Draft | None:
    """The best set for `key`, among the tokens where `within` holds; None if there is none."""
    wanted, unwanted = inside(target, within)
    values = stats.keys[key]
    none, size = stats.size(key) - 1, stats.size(key)
    base = len(target.strong) / max(1, stats.n_eligible) if within is None else len(wanted) / max(1, len(wanted) + len(unwanted))
    grown = grow_set(tally(values[wanted], values[unwanted], none, size), len(target.strong), base, beta)
    if not len(grown.values):
        return None
    return joined(within, set_predicate(stats, key, grown.values), set_held(stats, key, grown.values), target)


def except_part(stats: CorpusStatistics, key: Key, target: FiringTarget, within: Draft) -> Draft | None:
    """`within`, but not where `key` is one of a set; None if leaving something out does not help."""
    wanted, unwanted = inside(target, within)
    values = stats.keys[key]
    size = stats.size(key)
    out = shrink_set(values[wanted], values[unwanted], size - 1, size, len(target.strong))
    if not len(out.values) or out.f1 <= within.f1:
        return None
    barred = Not(part=set_predicate(stats, key, out.values))
    return joined(within, barred, ~set_held(stats, key, out.values), target)


def inside(
    target: FiringTarget, within: Draft | None
) -> tuple[Int[np.ndarray, " wanted"], Int[np.ndarray, " unwanted"]]:
    """Strong and silent tokens among those where `within` holds."""
    if within is None:
        return target.strong, np.flatnonzero(target.silent)
    return target.strong[within.held[target.strong]], np.flatnonzero(within.held & target.silent)


def joined(within: Draft | None, part: Predicate, held: Bool[np.ndarray, " tokens"], target: FiringTarget) -> Draft:
    """`within` and a further condition."""
    if within is None:
        return Draft((part,), held, f1_of(held, target))
    both = within.held & held
    return Draft((*within.parts, part), both, f1_of(both, target))


class _FormScore(NamedTuple):
    f1: float
    shift: int
    of_words: bool
    number: int


def form_parts(
    stats: CorpusStatistics, target: FiringTarget, within: Draft | None, best: int, beta: float = 1.0
) -> list[Draft]:
    """The `best` classes of form, here, before and after, among the tokens where `within` holds."""
    wanted, unwanted = inside(target, within)
    if len(unwanted) > 40_000:
        step = len(unwanted) / 40_000
        unwanted, scale = unwanted[(np.arange(40_000) * step).astype(np.int64)], step
    else:
        scale = 1.0
    scored: list[_FormScore] = []
    for shift in SHIFTS:
        for of_words in (False, True):
            hits = _form_counts(stats, wanted, shift, of_words)
            held = hits + scale * _form_counts(stats, unwanted, shift, of_words)
            f = (1 + beta**2) * hits / np.maximum(1, held + beta**2 * len(target.strong))
            scored += [_FormScore(float(f[k]), shift, of_words, k) for k in np.argsort(-f)[:best].tolist()]
    scored.sort(reverse=True)
    return [
        joined(within, form_predicate(s), form_held(stats, s), target) for s in scored[:best] if s.f1 > 0
    ]


def _form_counts(
    stats: CorpusStatistics, at: Int[np.ndarray, " n"], shift: int, of_words: bool
) -> Float[np.ndarray, " classes"]:
    members = stats.word_members if of_words else stats.token_members
    entry = stats.shifted_entry(of_words, shift)[at]
    found = np.bincount(entry, minlength=members.shape[1]).astype(np.float32)
    present = np.flatnonzero(found)
    return (members[:, present].astype(np.float32) @ found[present]).astype(np.float64)


def form_predicate(score: _FormScore) -> Predicate:
    """The class as a predicate."""
    if score.of_words:
        return at_shift(WordMatches(pattern=WORD_CLASSES[score.number].pattern), score.shift)
    return at_shift(TokenMatches(pattern=TOKEN_CLASSES[score.number].pattern), score.shift)


def form_held(stats: CorpusStatistics, score: _FormScore) -> Bool[np.ndarray, " tokens"]:
    """Where the class holds."""
    members = stats.word_members if score.of_words else stats.token_members
    return members[score.number][stats.shifted_entry(score.of_words, score.shift)]
