"""Proposes without a language model: the analyst's rules as hypotheses, changed windows as experiments.

Hypotheses are ranked on `explore`. Experiments put other tokens where a feature fires: members that the
corpus shows rarely, tokens that fired once and were left out, tokens that never stood there and are like
the members, members in silent windows, other tokens before. `validate` is never looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from glossator.agents.embedded_analyst.analyst import AUTHOR, EmbeddedAnalyst
from glossator.agents.embedded_analyst.firing_target import FiringTarget, firing_target
from glossator.agents.embedded_analyst.rule_parts import Draft
from glossator.agents.investigator.embedded_texts import EmbeddedTexts
from glossator.agents.investigator.exception_regions import Ground
from glossator.agents.investigator.letter_patterns import phrase_of
from glossator.agents.investigator.outcome_ground import Outcomes, Speller
from glossator.agents.investigator.proposer import Observed, Proposal, Standing, TestBatch
from glossator.agents.investigator.rule_pool import RulePool
from glossator.agents.investigator.rule_revision import Reviser
from glossator.agents.investigator.slot_candidates import SlotFinder
from glossator.records import (
    AllOf,
    AnyOf,
    FeatureRef,
    Followed,
    Not,
    Preceded,
    Predicate,
    TokenMatches,
)

_POOL = 8
"""Claims of the pool that are revised beside those in play."""
_REVISED = 3
"""Hypotheses in play that are revised."""


class EmbeddedProposer:
    """A `Proposer`; what it keeps between calls only saves time. For one thread."""

    def __init__(self, analyst: EmbeddedAnalyst) -> None:
        self._analyst = analyst
        self._kept: tuple[FeatureRef, list[Draft]] | None = None

    @property
    def author(self) -> str:
        """The embedded analyst."""
        return AUTHOR

    async def hypotheses(self, observed: Observed, k: int) -> Sequence[Proposal]:
        """The best claims that differ, by `explore`."""
        target = self._target(observed)
        if not len(target.strong):
            return ()
        return [self._proposal(d.predicate, target, ()) for d in self._drafts(observed, target)[:k]]

    async def tests(self, observed: Observed, standing: Standing, n: int) -> Sequence[TestBatch]:
        """Substitutions and shifted contexts, with what the leader expects of each."""
        texts = self._texts(observed, standing)
        return () if texts is None else texts.batches(texts.experiments(), n)

    async def challenges(self, observed: Observed, standing: Standing, n: int) -> Sequence[TestBatch]:
        """Neighbouring forms, other tokens before, and tokens like the members."""
        texts = self._texts(observed, standing)
        return () if texts is None else texts.batches(texts.challenges(), n)

    async def refine(self, observed: Observed, standing: Standing, k: int) -> Sequence[Proposal]:
        """Rules in play and of the pool, revised by what was tried."""
        target = self._target(observed)
        playing = [h for h in standing.hypotheses if h.predicate is not None]
        known = [h.predicate for h in playing if h.predicate is not None]
        outcomes = Outcomes(self._speller, standing.experiments)
        reviser = Reviser(self._finder, Ground(self._analyst.space.stats, target), outcomes)
        pool = [d.predicate for d in self._drafts(observed, target)]
        parents = tuple(h.id for h in playing[:1])
        revised = reviser.revised([*known[:_REVISED], *pool], known, k)
        return [self._proposal(r.predicate, target, parents) for r in revised]

    @cached_property
    def _pool(self) -> RulePool:
        return RulePool(self._analyst.space)

    @cached_property
    def _finder(self) -> SlotFinder:
        return SlotFinder(self._analyst.space.stats, self._analyst.embedder)

    @cached_property
    def _speller(self) -> Speller:
        return Speller(self._analyst.explore.text.vocabulary)

    def _target(self, observed: Observed) -> FiringTarget:
        feature = observed.feature.index
        maximum = float(self._analyst.explore.firings(feature).activation.max(initial=0.0))
        return firing_target(self._analyst.explore, feature, maximum)

    def _drafts(self, observed: Observed, target: FiringTarget) -> list[Draft]:
        """The pool of the feature; the last one asked for is kept."""
        if self._kept is None or self._kept[0] != observed.feature:
            self._kept = (observed.feature, self._pool.drafts(target, _POOL))
        return self._kept[1]

    def _texts(self, observed: Observed, standing: Standing) -> EmbeddedTexts | None:
        if standing.leader is None or standing.leader.predicate is None:
            return None
        ground = Ground(self._analyst.space.stats, self._target(observed))
        return EmbeddedTexts(self._finder, self._speller, observed, standing, ground)

    def _proposal(self, predicate: Predicate, target: FiringTarget, parents: tuple[str, ...]) -> Proposal:
        text = self._analyst.wording.label(predicate, target)
        for pattern in _patterns(predicate):
            said = phrase_of(pattern)
            text = text if said is None else text.replace(f"text like {pattern}", said)
        return Proposal(text, predicate, parents)


def _patterns(predicate: Predicate) -> list[str]:
    """Token patterns inside a predicate, longest first."""
    if isinstance(predicate, TokenMatches):
        return [predicate.pattern]
    if isinstance(predicate, AllOf | AnyOf):
        found = [p for part in predicate.parts for p in _patterns(part)]
        return sorted(found, key=len, reverse=True)
    if isinstance(predicate, Preceded | Followed):
        return _patterns(predicate.by)
    return _patterns(predicate.part) if isinstance(predicate, Not) else []
