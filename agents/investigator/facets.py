"""A feature with several meanings, split: which claims cover which of its firings, and what they leave out.

Greedy set cover of the strong firings of `validate` by precise claims; facets are reported only where at
least two of them each cover what the others do not. Nothing here is fitted to `validate`: it only chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from glossator.agents.embedded_analyst.analyst import AUTHOR, EmbeddedAnalyst
from glossator.agents.embedded_analyst.firing_target import firing_target
from glossator.agents.embedded_analyst.wording import category_of
from glossator.agents.investigator.exception_regions import (
    LEAST_GAIN,
    Ground,
    bare,
    drafted,
    exception_candidates,
    f1_on,
    silence,
    without,
)
from glossator.agents.investigator.reads_texts import ReadsTexts
from glossator.agents.investigator.run_texts import run_again
from glossator.records import (
    AnyOf,
    ExceptionRegion,
    Experiment,
    Facet,
    FeatureRef,
    Hypothesis,
    HypothesisOrigin,
    Predicate,
    predicate_json,
)

LEAST_PRECISION = 0.5
"""Share of its places on `validate` on which the feature fires, that a claim needs to be a facet."""
LEAST_OWN = 0.15
"""Share of the strong firings that a facet covers and no other does."""
MOST_FACETS = 4
OVERLAP_COST = 0.2
"""F1 that facets lose for each of their firings that they share."""
_MOST_EXCEPTIONS = 2


class FacetSplit(NamedTuple):
    """What a feature's claims come to together."""

    facets: tuple[Facet, ...]
    """Empty or at least two."""
    joined: Hypothesis | None
    """Facets and exceptions as one claim; None where the leader says it all."""
    exceptions: tuple[ExceptionRegion, ...]
    """Where the claim does not hold; those that the leader states itself included."""
    made: tuple[Hypothesis, ...] = ()
    """Hypotheses that facets refer to and nobody proposed: the parts of an either-or."""


class _Claim(NamedTuple):
    """A hypothesis that may be a facet."""

    hypothesis: Hypothesis
    predicate: Predicate
    hits: Int[np.ndarray, " hits"]
    """Strong firings of `validate` that it covers."""
    precision: float


class _Narrowed(NamedTuple):
    """Claims with what they do not cover taken out."""

    claims: list[Predicate]
    exceptions: tuple[ExceptionRegion, ...]


def facet_split(
    analyst: EmbeddedAnalyst,
    activations: ReadsTexts,
    feature: FeatureRef,
    hypotheses: Sequence[Hypothesis],
    experiments: Sequence[Experiment] = (),
) -> FacetSplit:
    """Facets, exceptions and both joined, of `hypotheses` in play, the leader first.

    Args:
        analyst: holds the open views, and words the joined claim.
        activations: reads the texts of experiments again, token by token.
        feature: the feature.
        hypotheses: not refuted; those that cannot be executed are passed over.
        experiments: of this feature; their texts show exceptions that a corpus does not.

    Raises:
        UnknownNameError: the index has no such feature.
    """
    return _Split(analyst, activations, feature, experiments).of([h for h in hypotheses if h.predicate])


class _Split:
    """One feature's split in the making."""

    def __init__(
        self,
        analyst: EmbeddedAnalyst,
        activations: ReadsTexts,
        feature: FeatureRef,
        experiments: Sequence[Experiment],
    ) -> None:
        self._analyst, self._feature = analyst, feature
        fired = analyst.explore.firings(feature.index).activation
        maximum = float(fired.max(initial=0.0))
        threshold = experiments[0].threshold if experiments else 0.0
        self._explore = Ground(analyst.space.stats, firing_target(analyst.explore, feature.index, maximum))
        check = firing_target(analyst.validate, feature.index, maximum)
        self._validate = Ground(analyst.validate_stats, check)
        texts = run_again(activations, feature.index, experiments)
        self._tried = Ground(texts.stats, texts.target(threshold))

    def of(self, hypotheses: Sequence[Hypothesis]) -> FacetSplit:
        if not hypotheses or not len(self._validate.target.strong):
            return FacetSplit((), None, ())
        leader = hypotheses[0]
        chosen = self._facets(self._atoms(hypotheses))
        bases = [tuple(c.hypothesis for c in chosen)] if chosen else self._bases(hypotheses)
        tried = [self._narrowed([_predicate(h) for h in base]) for base in bases]
        best = int(np.argmax([f1_on(self._validate, _any_of(one.claims)) for one in tried]))
        joined = self._joined(tried[best].claims, bases[best], leader)
        exceptions = tried[best].exceptions
        known = {h.id for h in hypotheses}
        told = chosen if _differ(chosen) else []
        made = tuple(c.hypothesis for c in told if c.hypothesis.id not in known)
        return FacetSplit(tuple(map(self._facet, told)), joined, exceptions, made)

    def _bases(self, hypotheses: Sequence[Hypothesis]) -> list[tuple[Hypothesis, ...]]:
        """What exceptions are looked for in: the leader, and the claim that does best on `validate`."""
        best = max(hypotheses, key=lambda h: f1_on(self._validate, _predicate(h)))
        return [(hypotheses[0],)] if best is hypotheses[0] else [(hypotheses[0],), (best,)]

    def _atoms(self, hypotheses: Sequence[Hypothesis]) -> list[_Claim]:
        """Every claim, an either-or as its parts; each predicate once."""
        single: dict[str, Hypothesis] = {}
        for hypothesis in hypotheses:
            predicate = _predicate(hypothesis)
            parts = predicate.parts if isinstance(predicate, AnyOf) else ()
            for one in [self._part(hypothesis, part) for part in parts] or [hypothesis]:
                single.setdefault(predicate_json(_predicate(one)), one)
        return [self._claim(hypothesis) for hypothesis in single.values()]

    def _part(self, whole: Hypothesis, part: Predicate) -> Hypothesis:
        text = self._analyst.wording.label(part, self._explore.target)
        origin, parents = HypothesisOrigin.FACET, (whole.id,)
        return Hypothesis.of(self._feature, text, part, author=AUTHOR, origin=origin, parents=parents)

    def _claim(self, hypothesis: Hypothesis) -> _Claim:
        predicate, target = _predicate(hypothesis), self._validate.target
        at = drafted(self._validate, predicate).at
        hits, false = at[target.wanted[at] == 1], int((target.wanted[at] == 0).sum())
        return _Claim(hypothesis, predicate, hits, len(hits) / max(1, len(hits) + false))

    def _facets(self, claims: Sequence[_Claim]) -> list[_Claim]:
        """Greedy cover by precise claims; empty unless several are needed and beat any single one."""
        pool = [c for c in claims if c.precision >= LEAST_PRECISION]
        best = max((self._f1([c]) for c in claims), default=0.0)
        chosen = self._best_cover(pool)
        if chosen and self._f1(chosen) >= best + LEAST_GAIN:
            return chosen
        chosen = self._best_cover([c for c in pool if c.hypothesis.origin is HypothesisOrigin.FACET])
        return chosen if chosen and self._f1(chosen) >= best - LEAST_GAIN else []

    def _best_cover(self, pool: Sequence[_Claim]) -> list[_Claim]:
        """The best of the covers that begin with each claim, by F1 less what its claims share; or none."""
        covers = [self._cover(first, pool) for first in pool]
        able = [c for c in covers if len(c) > 1 and self._spare(c) is None]
        return max(able, key=self._apart, default=[])

    def _apart(self, claims: Sequence[_Claim]) -> float:
        """F1, less a part of what several claims cover: meanings seldom overlap, mixtures do."""
        hits = np.concatenate([c.hits for c in claims])
        shared = (len(hits) - len(np.unique(hits))) / len(self._validate.target.strong)
        return self._f1(claims) - OVERLAP_COST * shared

    def _cover(self, first: _Claim, pool: Sequence[_Claim]) -> list[_Claim]:
        """Claims in the order in which each adds most to F1, as long as it covers enough that is new."""
        chosen = [first]
        left = [c for c in pool if c is not first]
        while left and len(chosen) < MOST_FACETS:
            best = max(left, key=lambda c: self._f1([*chosen, c]))
            gained = self._f1([*chosen, best]) - self._f1(chosen)
            if gained <= 0 or self._own(best, chosen) < LEAST_OWN:
                break
            chosen.append(best)
            left.remove(best)
        return chosen

    def _spare(self, chosen: Sequence[_Claim]) -> _Claim | None:
        """The claim that covers least on its own, if that is too little."""
        own = [self._own(c, [d for d in chosen if d is not c]) for c in chosen]
        return chosen[int(np.argmin(own))] if own and min(own) < LEAST_OWN else None

    def _own(self, claim: _Claim, others: Sequence[_Claim]) -> float:
        covered = np.concatenate([np.zeros(0, np.int64), *(o.hits for o in others)])
        return len(np.setdiff1d(claim.hits, covered)) / len(self._validate.target.strong)

    def _f1(self, claims: Sequence[_Claim]) -> float:
        return f1_on(self._validate, _any_of([c.predicate for c in claims]))

    def _facet(self, claim: _Claim) -> Facet:
        share = len(claim.hits) / len(self._validate.target.strong)
        h = claim.hypothesis
        return Facet(hypothesis=h.id, text=h.text, share=share, precision=claim.precision)

    def _narrowed(self, claims: Sequence[Predicate]) -> _Narrowed:
        """The claims with the exceptions that raise F1 on `validate`, one after another."""
        split = [bare(claim) for claim in claims]
        out = [one.claim for one in split]
        offered = [
            [*one.stated, *exception_candidates(one.claim, (self._explore, self._tried))] for one in split
        ]
        regions: list[ExceptionRegion] = []
        for _ in range(_MOST_EXCEPTIONS):
            found = self._best_exception(out, offered)
            if found is None:
                break
            number, part = found
            regions.append(self._region(out[number], part))
            out[number] = without(out[number], part)
        return _Narrowed(out, tuple(regions))

    def _best_exception(
        self, claims: Sequence[Predicate], offered: Sequence[Sequence[Predicate]]
    ) -> tuple[int, Predicate] | None:
        best, least = None, f1_on(self._validate, _any_of(claims)) + LEAST_GAIN
        for number, parts in enumerate(offered):
            for part in parts:
                if not silence(self._validate, claims[number], part).enough:
                    continue
                narrowed = [*claims[:number], without(claims[number], part), *claims[number + 1 :]]
                f1 = f1_on(self._validate, _any_of(narrowed))
                if f1 > least:
                    best, least = (number, part), f1
        return best

    def _region(self, claim: Predicate, part: Predicate) -> ExceptionRegion:
        n = sum(silence(ground, claim, part).silent for ground in (self._explore, self._tried))
        text = self._analyst.wording.label(part, self._explore.target, name_groups=False)
        return ExceptionRegion(text=text, predicate=part, n=n)

    def _joined(
        self, claims: Sequence[Predicate], parents: Sequence[Hypothesis], leader: Hypothesis
    ) -> Hypothesis | None:
        """All of it as one claim; None where it is no better than what was proposed."""
        predicate = _any_of(claims)
        if predicate_json(predicate) == predicate_json(_predicate(leader)):
            return None
        if f1_on(self._validate, predicate) <= f1_on(self._validate, _predicate(leader)):
            return None
        text = self._analyst.wording.label(predicate, self._explore.target)
        return Hypothesis.of(
            self._feature, text, predicate, author=AUTHOR,
            origin=HypothesisOrigin.JOINED, parents=tuple(p.id for p in parents),
        )  # fmt: skip


def _differ(claims: Sequence[_Claim]) -> bool:
    """Whether the claims say different things: two sets of words about one thing are one meaning."""
    return len({category_of(c.hypothesis.text) for c in claims}) == len(claims)


def _predicate(hypothesis: Hypothesis) -> Predicate:
    assert hypothesis.predicate is not None
    return hypothesis.predicate


def _any_of(claims: Sequence[Predicate]) -> Predicate:
    return claims[0] if len(claims) == 1 else AnyOf(parts=tuple(claims))
