"""Duplicates, parts and absorbed features, by what labels cover and where features fire.

A pair is looked at where one label covers another: it is the same, or has some of its words and no others,
or names tokens among which are all that the other names. Then firings decide. Absorption proper (Chanin
et al. 2024, "A is for Absorption", https://arxiv.org/abs/2409.14507) is that a feature stays silent where
its concept is there, because a narrower one has taken it over. Showing it takes a probe for the concept and
an ablation. What is found here, a label that holds where its feature is silent and a narrower one fires, is
a hint of it, or of a label that is too wide.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from glossator.agents.memory_use.same_text import plain_words
from glossator.probes.cofiring import Cofiring
from glossator.probes.intervals import wilson_ends
from glossator.records import (
    Estimate,
    FeatureCard,
    Interval,
    NestedPair,
    Nesting,
    Nestings,
    TokenIn,
    VerdictKind,
    WordIn,
)
from glossator.run_report.top_list import TopList

CofiringOf = Callable[[int, int], Cofiring]
"""Counts for a narrow feature and a wide one."""

MOSTLY = 0.8
"""Share of the narrower one's firings from which it lies inside."""
HARDLY = 0.2
"""Share up to which the wider one is silent where its label holds."""
LEAST_FIRINGS = 20
CHECKED = 1_000
"""Pairs whose firings are compared, at most."""
SUGGESTED = 20_000
"""Pairs that are counted, at most."""
SHOWN = 8
_SHARING = 12
"""Features of one label, or of one word, that are paired."""
_NAMING = 200
"""Features that name one token that are looked at, the lowest numbers."""
_NAMED = 64
"""Predicates that name more tokens are not compared."""
_LETTERS = re.compile(r"\w+")
_STOP = frozenset(
    {
        *("the", "a", "an", "of", "in", "on", "or", "and", "to", "as", "that", "with", "for", "by", "at"),
        *("is", "are", "its", "it", "s", "word", "token", "words"),
    }
)


class Claimed(NamedTuple):
    """What a feature's label covers."""

    feature: int
    label: str
    plain: str
    words: frozenset[str]
    """Of the label, without those that say nothing."""
    named: frozenset[str]
    """Tokens or words that its predicate names, if that is all it does."""
    neighbours: tuple[int, ...]


class _Candidate(NamedTuple):
    narrow: Claimed
    wide: Claimed
    why: str


@dataclass
class _Bounds:
    """Whether anything was left out of the search."""

    cut: bool = False

    def first(self, found: list[Claimed], most: int) -> list[Claimed]:
        self.cut |= len(found) > most
        return found[:most]


def claimed(card: FeatureCard) -> Claimed | None:
    """What the card's label covers; None where it has none that stands."""
    claim = card.explanation
    if claim is None or card.verdict.kind is VerdictKind.ABSTAINED:
        return None
    rule = claim.predicate
    named = rule.tokens if isinstance(rule, TokenIn) else rule.words if isinstance(rule, WordIn) else ()
    kind = "t:" if isinstance(rule, TokenIn) else "w:"
    plain = plain_words(claim.text)
    words = frozenset(_LETTERS.findall(plain)) - _STOP
    fits = frozenset(kind + n for n in named) if len(named) <= _NAMED else frozenset[str]()
    return Claimed(card.feature.index, claim.text, plain, words, fits, card.neighbours)


def nestings(claims: Mapping[int, Claimed], cofiring: CofiringOf | None) -> Nestings:
    """Pairs of features of which one covers the other, by kind.

    Args:
        claims: By feature.
        cofiring: Counts of firings on explore texts; None where there is no index.

    """
    bounds = _Bounds()
    candidates = _distinct(_candidates(claims, bounds), bounds)
    if cofiring is None:
        note = "there was no index to compare firings on"
        return Nestings(candidates=len(candidates), cut=bounds.cut, note=note)
    lists = {kind: TopList[NestedPair](SHOWN) for kind in Nesting}
    counts: Counter[str] = Counter()
    met: set[tuple[Nesting, int]] = set()
    checked = 0
    for candidate in list(candidates.values())[:CHECKED]:
        checked += 1
        found = _nested(candidate, cofiring(candidate.narrow.feature, candidate.wide.feature))
        if found is not None:
            counts[found.kind.value] += 1
            if (found.kind, found.narrow) not in met:  # shown once, however many lie around it
                lists[found.kind].offer(float(found.firings), found.narrow, lambda found=found: found)
            met.add((found.kind, found.narrow))
    shown = tuple(pair for top in lists.values() for pair in top.entries())
    return Nestings(
        checked=checked, candidates=len(candidates), cut=bounds.cut, counts=dict(counts), shown=shown
    )


def _distinct(suggested: Iterable[_Candidate], bounds: _Bounds) -> dict[tuple[int, int], _Candidate]:
    """Each pair once, the first `SUGGESTED` of them."""
    found: dict[tuple[int, int], _Candidate] = {}
    for one in suggested:
        pair = (one.narrow.feature, one.wide.feature)
        if len(found) == SUGGESTED and pair not in found:
            bounds.cut = True
            break
        found.setdefault(pair, one)
    return found


def _nested(candidate: _Candidate, fired: Cofiring) -> NestedPair | None:
    """How the pair lies; None where firings say nothing."""
    if min(fired.narrow, fired.wide) < LEAST_FIRINGS:
        return None
    share = fired.both / fired.narrow
    if share >= MOSTLY and fired.both / fired.wide >= MOSTLY:
        if (
            candidate.narrow.feature > candidate.wide.feature
            and candidate.narrow.plain == candidate.wide.plain
        ):
            return None  # the same pair the other way round
        kind = Nesting.TWINS
    elif share >= MOSTLY:
        kind = Nesting.INSIDE
    elif share <= HARDLY and candidate.narrow.plain != candidate.wide.plain:
        kind = Nesting.ABSORBED
    else:
        return None
    low, high = wilson_ends(share, fired.documents)
    interval = Interval(low=low, high=high, method="wilson, documents as n")
    return NestedPair(
        kind=kind,
        narrow=candidate.narrow.feature,
        wide=candidate.wide.feature,
        narrow_label=candidate.narrow.label,
        wide_label=candidate.wide.label,
        share=Estimate(value=share, interval=interval, n=fired.documents),
        firings=fired.narrow,
        why=candidate.why,
    )


def _candidates(claims: Mapping[int, Claimed], bounds: _Bounds) -> Iterator[_Candidate]:
    """Pairs whose labels suggest that one covers the other: same words, neighbours, then named tokens."""
    by_plain: dict[str, list[Claimed]] = defaultdict(list)
    for one in claims.values():
        by_plain[one.plain].append(one)
    for group in by_plain.values():
        some = bounds.first(group, _SHARING)
        yield from _covering(some, some)
    for one in claims.values():
        near = [claims[n] for n in one.neighbours if n in claims]
        yield from _covering([one], near)
        yield from _covering(near, [one])
    yield from _naming(claims, bounds)


def _naming(claims: Mapping[int, Claimed], bounds: _Bounds) -> Iterator[_Candidate]:
    """Pairs where one predicate names all that another names, and more."""
    by_name: Mapping[str, list[Claimed]] = defaultdict(list)
    for one in claims.values():
        for name in one.named:
            by_name[name].append(one)
    by_name = {name: bounds.first(found, _NAMING) for name, found in by_name.items()}
    for one in claims.values():
        if one.named:
            rarest = min(one.named, key=lambda n: (len(by_name[n]), n))
            wider = [w for w in by_name[rarest] if one.named < w.named]
            yield from _covering([one], bounds.first(wider, _SHARING))


def _covering(narrow: Iterable[Claimed], wide: Iterable[Claimed]) -> Iterator[_Candidate]:
    wider = list(wide)
    for one in narrow:
        for other in wider:
            why = "" if one.feature == other.feature else _covers(other, one)
            if why:
                yield _Candidate(one, other, why)


def _covers(wide: Claimed, narrow: Claimed) -> str:
    """Why the label of `wide` covers that of `narrow`; empty where it does not."""
    if wide.plain == narrow.plain:
        return "the same label"
    if wide.named and narrow.named:
        return "its predicate names all tokens of the other's" if narrow.named < wide.named else ""
    if wide.words and wide.words < narrow.words:
        return "its label has only words of the other's"
    return ""
