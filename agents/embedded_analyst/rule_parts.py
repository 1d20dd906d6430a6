"""The conditions that rules are made of, and rules under construction.

A draft keeps the positions on explore where it holds, not a mask: narrowing it by one more condition
then costs as much as it holds on, not as much as there is text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics, Key
from glossator.agents.embedded_analyst.firing_target import FiringTarget
from glossator.agents.embedded_analyst.set_growth import Tally, ValueSet, grow_set, shrink_set, tally
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
    predicate_json,
)

SHIFTS = (0, -1, 1)
_MOST_UNWANTED = 12_000
_ROUNDING = 1e-3
"""More than sums in float32 are off by."""


@dataclass(frozen=True, eq=False)
class Condition:
    """One condition: a predicate, and a table to look it up in."""

    predicate: Predicate
    member: Bool[np.ndarray, " entries"]
    """Whether it holds, by entry."""
    entry: Int[np.ndarray, " tokens"] | None
    """The entry of each token; None if `member` is by token."""
    negated: bool = False
    """Whether it holds where `member` is False."""

    @cached_property
    def key(self) -> str:
        """The same for the same predicate."""
        return predicate_json(self.predicate)

    def holds(self, at: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Whether it holds at each of the positions."""
        held = self.member[at] if self.entry is None else self.member[self.entry[at]]
        return ~held if self.negated else held

    def everywhere(self) -> Int[np.ndarray, " held"]:
        """All positions where it holds."""
        held = self.member if self.entry is None else self.member[self.entry]
        return np.flatnonzero(~held if self.negated else held)


class Draft(NamedTuple):
    """A rule under construction."""

    conditions: tuple[Condition, ...]
    """What must hold at once."""
    at: Int[np.ndarray, " held"]
    """Where it holds on explore, ascending."""
    f1: float
    """Against the target on explore."""

    @property
    def predicate(self) -> Predicate:
        """The rule as one predicate."""
        parts = tuple(c.predicate for c in self.conditions)
        return parts[0] if len(parts) == 1 else AllOf(parts=parts)

    @property
    def key(self) -> tuple[str, ...]:
        """The same for the same predicate, without making it."""
        return tuple(c.key for c in self.conditions)


class Inside(NamedTuple):
    """Where a draft holds, split by the target."""

    wanted: Int[np.ndarray, " wanted"]
    unwanted: Int[np.ndarray, " unwanted"]


def f1_of(at: Int[np.ndarray, " held"], target: FiringTarget) -> float:
    """F1 of holding at these positions against strong firings; where nothing matters, nothing counts."""
    wanted = target.wanted[at]
    hits, false = np.count_nonzero(wanted == 1), np.count_nonzero(wanted == 0)
    return 2 * hits / max(1, hits + false + len(target.strong))


def joined(within: Draft | None, condition: Condition, target: FiringTarget) -> Draft:
    """`within` and a further condition."""
    if within is None:
        at = condition.everywhere()
        return Draft((condition,), at, f1_of(at, target))
    at = within.at[condition.holds(within.at)]
    return Draft((*within.conditions, condition), at, f1_of(at, target))


def inside(target: FiringTarget, within: Draft | None) -> Inside:
    """Strong and silent tokens among those where `within` holds."""
    if within is None:
        return Inside(target.strong, target.silent)
    wanted = target.wanted[within.at]
    return Inside(within.at[wanted == 1], within.at[wanted == 0])


def at_shift(predicate: Predicate, shift: int) -> Predicate:
    """The condition asked of the token before (-1), here (0) or after (1)."""
    if shift == 0:
        return predicate
    return Preceded(by=predicate) if shift < 0 else Followed(by=predicate)


def set_condition(
    stats: CorpusStatistics, key: Key, values: Int[np.ndarray, " values"], negated: bool = False
) -> Condition:
    """`key` is one of `values`, or none of them."""
    names = tuple(dict.fromkeys(stats.name(key, int(v)) for v in values))
    predicate = at_shift(WordIn(words=names) if key.of_words else TokenIn(tokens=names), key.shift)
    member = np.zeros(stats.size(key), dtype=bool)
    member[values] = True
    return Condition(Not(part=predicate) if negated else predicate, member, stats.keys[key], negated)


def set_part(
    stats: CorpusStatistics,
    key: Key,
    target: FiringTarget,
    within: Draft | None = None,
    beta: float = 1.0,
    split: Inside | None = None,
) -> Draft | None:
    """The best set for `key`, among the tokens where `within` holds; None if there is none.

    With `split`, which is `inside(target, within)`, sets that are no better than `within` are None too.
    """
    wanted, unwanted = split or inside(target, within)
    values = stats.keys[key]
    base = len(wanted) / max(1, len(wanted) + len(unwanted))
    counted = tally(values[wanted], values[unwanted], stats.size(key) - 1, stats.size(key))
    grown = grow_set(counted, len(target.strong), base, beta)
    if not len(grown.values):
        return None
    if split is not None and within is not None and _f1_of_set(counted, grown, target) <= within.f1:
        return None  # known from the counts, before a predicate is made and looked up
    return joined(within, set_condition(stats, key, grown.values), target)


def _f1_of_set(counted: Tally, grown: ValueSet, target: FiringTarget) -> float:
    """`f1_of` of holding where the value is in the set."""
    at = np.searchsorted(counted.value, grown.values)  # values are counted in ascending order
    hits, held = int(counted.wanted[at].sum()), int(counted.total[at].sum())
    return 2 * hits / max(1, held + len(target.strong))


def except_part(
    stats: CorpusStatistics, key: Key, target: FiringTarget, within: Draft, split: Inside | None = None
) -> Draft | None:
    """`within`, but not where `key` is one of a set; None if leaving something out does not help.

    `split` is `inside(target, within)`, where that is known.
    """
    wanted, unwanted = split or inside(target, within)
    values, size = stats.keys[key], stats.size(key)
    out = shrink_set(values[wanted], values[unwanted], size - 1, size, len(target.strong))
    if not len(out.values) or out.f1 <= within.f1:
        return None
    return joined(within, set_condition(stats, key, out.values, negated=True), target)


class _Form(NamedTuple):
    score: float
    shift: int
    of_words: bool
    number: int


def form_parts(
    stats: CorpusStatistics,
    target: FiringTarget,
    within: Draft | None,
    best: int,
    beta: float = 1.0,
    split: Inside | None = None,
) -> list[Draft]:
    """The `best` classes of form, here, before and after, among the tokens where `within` holds.

    With `split`, which is `inside(target, within)`, those that cannot be better than `within` are left out.
    """
    wanted, unwanted = split or inside(target, within)
    scale = max(1.0, len(unwanted) / _MOST_UNWANTED)
    if scale > 1:
        unwanted = unwanted[(np.arange(_MOST_UNWANTED) * scale).astype(np.int64)]
    found: list[_Form] = []
    for shift in SHIFTS:
        for of_words in (False, True):
            hits = _form_counts(stats, wanted, shift, of_words)
            held = hits + scale * _form_counts(stats, unwanted, shift, of_words)
            score = (1 + beta**2) * hits / np.maximum(1, held + beta**2 * len(target.strong))
            top = np.argsort(-score, kind="stable")[:best].tolist()
            found += [_Form(float(score[k]), shift, of_words, k) for k in top]
    found.sort(reverse=True)
    # The score is F1 where nothing was thinned out, but for rounding.
    exact = split is not None and within is not None and scale == 1 and beta == 1
    least = within.f1 - _ROUNDING if exact and within is not None else 0.0
    return [
        joined(within, form_condition(stats, f), target) for f in found[:best] if f.score > max(0.0, least)
    ]


def _form_counts(
    stats: CorpusStatistics, at: Int[np.ndarray, " n"], shift: int, of_words: bool
) -> Float[np.ndarray, " classes"]:
    """How many of the tokens are in each class."""
    members = stats.word_columns if of_words else stats.token_columns
    entry = stats.shifted_entry(of_words, shift)[at]
    found = np.bincount(entry, minlength=members.shape[0])
    present = np.flatnonzero(found)
    return found[present].astype(np.float32) @ members[present]


def form_condition(stats: CorpusStatistics, form: _Form) -> Condition:
    """The class as a condition."""
    if form.of_words:
        predicate: Predicate = WordMatches(pattern=WORD_CLASSES[form.number].pattern)
        members = stats.word_members
    else:
        predicate, members = TokenMatches(pattern=TOKEN_CLASSES[form.number].pattern), stats.token_members
    entry = stats.shifted_entry(form.of_words, form.shift)
    return Condition(at_shift(predicate, form.shift), members[:, form.number], entry)
