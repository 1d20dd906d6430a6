"""Searches the predicate language for rules that hold where a feature fires strongly, on explore.

A beam: single conditions first; then loose ones (grown for recall) narrowed by a second and a third
condition, the first grown again under the second; then either-or, by searching again in what the best
rule leaves over. What comes out is ranked by F1 on explore and is chosen among elsewhere, on validate.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics, Key
from glossator.agents.embedded_analyst.firing_target import FiringTarget, remaining
from glossator.agents.embedded_analyst.rule_parts import (
    Condition,
    Draft,
    except_part,
    f1_of,
    form_parts,
    inside,
    joined,
    set_part,
)
from glossator.agents.embedded_analyst.window_words import topic_drafts, window_part
from glossator.records import AnyOf, Position

_LOOSE = 3.0
_LOOSE_KEYS = (Key.TOKEN, Key.WORD, Key.PREVIOUS, Key.PREVIOUS_WORD)
_NEIGHBOUR_KEYS = (Key.PREVIOUS, Key.PREVIOUS_WORD, Key.NEXT, Key.NEXT_WORD)
_FIRSTS = 3
_EARLY = (1, 2, 4, 8)
_MOST_PARTS = 3
_WINDOW_REACH = 16


class SearchSpace(NamedTuple):
    """What a search needs besides its target."""

    stats: CorpusStatistics
    background: Float[np.ndarray, "reaches words"]


class _Seed(NamedTuple):
    draft: Draft
    key: Key | None


def search_rules(space: SearchSpace, target: FiringTarget, most: int, beam: int = 4) -> list[Draft]:
    """The `most` best rules for `target` on explore and every rule of one condition; none repeats.

    Simple rules always come along: longer ones look better on what they were fitted to. Empty if the
    feature never fires strongly.
    """
    if not len(target.strong):
        return []
    singles = _ranked(_singles(space, target))
    pool = _conjunctions(space, target, singles, beam)
    for first in _ranked([*pool[:2], *singles[:_FIRSTS]]):
        pool += _either_or(space, target, first)
    return _ranked([*_ranked(pool)[:most], *singles])


def _ranked(drafts: Iterable[Draft]) -> list[Draft]:
    """Best first, each predicate once."""
    unique = {draft.key: draft for draft in drafts}
    return sorted(unique.values(), key=lambda draft: -draft.f1)


def _conjunctions(space: SearchSpace, target: FiringTarget, singles: list[Draft], beam: int) -> list[Draft]:
    stats = space.stats
    seeds = [_Seed(d, k) for k in _LOOSE_KEYS if (d := set_part(stats, k, target, beta=_LOOSE)) is not None]
    seeds += [_Seed(d, None) for d in form_parts(stats, target, None, best=3, beta=_LOOSE)]
    seeds += [_Seed(d, None) for d in singles[:2]]
    pool = [*singles]
    for seed in seeds:
        pool += _narrowed(space, target, seed)
    longer = [draft for draft in _ranked(pool) if len(draft.conditions) == 2][:beam]
    for draft in longer:
        pool += _narrowed(space, target, _Seed(draft, None))
    return _ranked(pool)


def _singles(space: SearchSpace, target: FiringTarget) -> list[Draft]:
    """Rules of one condition."""
    drafts = [d for key in Key if (d := set_part(space.stats, key, target)) is not None]
    drafts += form_parts(space.stats, target, None, best=4)
    place = space.stats.place
    drafts += [joined(None, Condition(Position(at_most=n), place <= n, None), target) for n in _EARLY]
    return drafts + topic_drafts(space.stats, target, space.background)


def _narrowed(space: SearchSpace, target: FiringTarget, seed: _Seed, briefly: bool = False) -> list[Draft]:
    """The seed with one more condition, and with its own set grown again under that condition."""
    stats, within = space.stats, seed.draft
    if len(within.conditions) >= _MOST_PARTS:
        return []
    split = inside(target, within)
    keys = [key for key in Key if key is not seed.key]
    found: list[Draft | None] = [set_part(stats, key, target, within, split=split) for key in keys]
    if not briefly:
        found += form_parts(stats, target, within, best=3, split=split)
        found += [except_part(stats, key, target, within, split) for key in _NEIGHBOUR_KEYS]
        found.append(window_part(stats, target, within, _WINDOW_REACH))
    better = [draft for draft in found if draft is not None and draft.f1 > within.f1]
    if seed.key is None:
        return better
    top = sorted(better, key=lambda draft: -draft.f1)[:3]
    return better + [
        again for draft in top if (again := _regrown(space, target, seed.key, draft)) is not None
    ]


def _regrown(space: SearchSpace, target: FiringTarget, key: Key, draft: Draft) -> Draft | None:
    """The first set of `draft` grown again among the tokens where its last condition holds."""
    grown = set_part(space.stats, key, target, joined(None, draft.conditions[-1], target))
    if grown is None:
        return None
    return Draft((grown.conditions[-1], *grown.conditions[:-1]), grown.at, grown.f1)


def _either_or(space: SearchSpace, target: FiringTarget, first: Draft) -> list[Draft]:
    """`first`, or the best rules for what it leaves over."""
    left = remaining(target, first.at)
    if len(left.strong) < max(4, 0.1 * len(target.strong)):
        return []
    others = [d for key in Key if (d := set_part(space.stats, key, left)) is not None]
    others += form_parts(space.stats, left, None, best=3)
    for key in _LOOSE_KEYS[:3]:
        loose = set_part(space.stats, key, left, beta=_LOOSE)
        if loose is not None:
            others += _narrowed(space, left, _Seed(loose, key), briefly=True)
    found: list[Draft] = []
    for other in _ranked(others)[:3]:
        at = np.union1d(first.at, other.at)
        held = np.zeros(len(space.stats.text), dtype=bool)
        held[at] = True
        either = AnyOf(parts=(first.predicate, other.predicate))
        found.append(Draft((Condition(either, held, None),), at, f1_of(at, target)))
    return [draft for draft in found if draft.f1 > first.f1 + 0.02]
