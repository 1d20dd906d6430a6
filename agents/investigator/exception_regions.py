"""Where a claim holds and the feature is silent all the same: found on `explore` and in experiments.

An exception is one condition more: the token or word before or after, a class of form, a word nearby. It is
kept if leaving it out raises F1 on `validate`, and the feature is silent on most of what it covers there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics, Key
from glossator.agents.embedded_analyst.firing_target import FiringTarget
from glossator.agents.embedded_analyst.rule_parts import (
    Condition,
    Draft,
    except_part,
    f1_of,
    form_parts,
    set_part,
)
from glossator.agents.embedded_analyst.window_words import window_part
from glossator.probes.predicate_evaluation import evaluate
from glossator.records import (
    AllOf,
    Followed,
    Not,
    Preceded,
    Predicate,
    TokenIn,
    WordIn,
    predicate_json,
)

LEAST_SILENT = 4
"""Places where a claim holds in silence, under which nothing is looked for."""
LEAST_GAIN = 0.01
"""F1 on `validate` that an exception must add."""
LEAST_SILENCE = 0.75
"""Share of what an exception covers on `validate` on which the feature is silent."""
_REACH = 16
_AROUND = (Key.PREVIOUS, Key.PREVIOUS_WORD, Key.NEXT, Key.NEXT_WORD)
_HERE = (Key.TOKEN, Key.WORD)


class Ground(NamedTuple):
    """A text with what a feature does in it."""

    stats: CorpusStatistics
    target: FiringTarget


class Bare(NamedTuple):
    """A claim without the exceptions that it states."""

    claim: Predicate
    stated: tuple[Predicate, ...]
    """Where it says that it does not hold."""


class Silence(NamedTuple):
    """What a feature does where a claim and its exception both hold."""

    silent: int
    decided: int
    """Places where it is silent or fires strongly."""

    @property
    def enough(self) -> bool:
        """Whether it is an exception: mostly silent."""
        return self.silent >= LEAST_SILENCE * max(1, self.decided)


def drafted(ground: Ground, predicate: Predicate) -> Draft:
    """`predicate` as a draft: where it holds, and how well."""
    held = evaluate(predicate, ground.stats.text, ground.stats.words) & ground.stats.text.eligible
    at = np.flatnonzero(held)
    return Draft((Condition(predicate, held, None),), at, f1_of(at, ground.target))


def f1_on(ground: Ground, predicate: Predicate) -> float:
    """F1 of `predicate` against strong firings; weak ones do not count."""
    return drafted(ground, predicate).f1


def without(claim: Predicate, exception: Predicate) -> Predicate:
    """The claim, but not where the exception holds."""
    parts = claim.parts if isinstance(claim, AllOf) and len(claim.parts) < 16 else (claim,)
    return AllOf(parts=(*parts, Not(part=exception)))


def bare(claim: Predicate) -> Bare:
    """The claim without the exceptions that it already states, and those exceptions."""
    if not isinstance(claim, AllOf):
        return Bare(claim, ())
    stated = tuple(part.part for part in claim.parts if isinstance(part, Not))
    rest = tuple(part for part in claim.parts if not isinstance(part, Not))
    if not stated or not rest:
        return Bare(claim, ())
    return Bare(rest[0] if len(rest) == 1 else AllOf(parts=rest), stated)


def exception_candidates(claim: Predicate, grounds: Sequence[Ground]) -> list[Predicate]:
    """Conditions that separate the silent places of a claim from its firing ones, each once.

    Sets found in several grounds also come as one.
    """
    found = [part for ground in grounds for part in _in_ground(claim, ground)]
    both = [union for i, a in enumerate(found) for b in found[:i] if (union := _united(a, b)) is not None]
    return list({predicate_json(part): part for part in (*found, *both)}.values())


def _in_ground(claim: Predicate, ground: Ground) -> list[Predicate]:
    within = drafted(ground, claim)
    wanted = ground.target.wanted[within.at]
    if (wanted == 0).sum() < LEAST_SILENT or not (wanted == 1).any():
        return []
    left_out = [except_part(ground.stats, key, ground.target, within) for key in (*_AROUND, *_HERE)]
    parts = [draft.conditions[-1].predicate for draft in left_out if draft is not None]
    found = [part.part for part in parts if isinstance(part, Not)]
    return found + _telling(ground.stats, _turned(ground.target, within), within)


def _turned(target: FiringTarget, within: Draft) -> FiringTarget:
    """Silent places of a claim as what is wanted, its firing ones as what is not."""
    wanted = np.full_like(target.wanted, -1)
    wanted[within.at] = np.where(target.wanted[within.at] < 0, -1, 1 - target.wanted[within.at])
    return FiringTarget(wanted, np.flatnonzero(wanted == 1), target.weak, np.flatnonzero(wanted == 0))


def _telling(stats: CorpusStatistics, turned: FiringTarget, within: Draft) -> list[Predicate]:
    """Single conditions for the silent places."""
    drafts: Iterable[Draft | None] = (
        *(set_part(stats, key, turned, within) for key in _AROUND),
        *form_parts(stats, turned, within, best=2),
        window_part(stats, turned, within, _REACH),
    )
    return [draft.conditions[-1].predicate for draft in drafts if draft is not None and draft.f1 > 0.5]


def _united(a: Predicate, b: Predicate) -> Predicate | None:
    """Two sets about the same place as one; None where they are not."""
    if isinstance(a, Preceded) and isinstance(b, Preceded) and a.within == b.within:
        inner = _united(a.by, b.by)
        return None if inner is None else Preceded(by=inner, within=a.within)
    if isinstance(a, Followed) and isinstance(b, Followed) and a.within == b.within:
        inner = _united(a.by, b.by)
        return None if inner is None else Followed(by=inner, within=a.within)
    if isinstance(a, TokenIn) and isinstance(b, TokenIn):
        return TokenIn(tokens=tuple(dict.fromkeys((*a.tokens, *b.tokens)))[:512])
    if isinstance(a, WordIn) and isinstance(b, WordIn):
        return WordIn(words=tuple(dict.fromkeys((*a.words, *b.words)))[:512])
    return None


def silence(ground: Ground, claim: Predicate, exception: Predicate) -> Silence:
    """What the feature does at the places of the claim that the exception covers."""
    both = drafted(ground, AllOf(parts=(claim, exception)))
    wanted = ground.target.wanted[both.at]
    return Silence(int((wanted == 0).sum()), int((wanted >= 0).sum()))
