"""Better rules after experiments: words that fired put in, words that never fire alone left out, conditions
dropped where the feature fires without them, exceptions added where it is silent.

Experiments are evidence of contexts that the corpus is too small to show. Every revision is weighed by both:
its F1 on `explore` less its length, and the share of the texts tried that it gets right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from glossator.agents.investigator.exception_regions import Ground, drafted, exception_candidates, without
from glossator.agents.investigator.outcome_ground import Outcomes
from glossator.agents.investigator.rule_pool import worth
from glossator.agents.investigator.rule_slots import loosened, replaced
from glossator.agents.investigator.slot_candidates import SlotCandidates, SlotFinder
from glossator.records import Predicate, predicate_json

SILENT_ENOUGH = 2
"""Texts in which a member must be silent, firing in none, before it is left out."""
TRUST_AFTER, TRUSTED = 3, 0.7
"""Tried left-out tokens, and the share of them that must fire, before the untried ones are put in, too."""
EXPERIMENT_WEIGHT = 1.0
_MOST_EXCEPTIONS = 6


class Revision(NamedTuple):
    """A predicate and what it is worth."""

    predicate: Predicate
    worth: float


class Reviser:
    """Revises the rules of one feature."""

    def __init__(self, finder: SlotFinder, explore: Ground, outcomes: Outcomes) -> None:
        self._finder, self._explore, self._outcomes = finder, explore, outcomes

    def revised(self, bases: Sequence[Predicate], known: Sequence[Predicate], k: int) -> list[Revision]:
        """Up to `k` predicates better than the first of `bases`, none of them among `known`; best first."""
        found: dict[str, Revision] = {}
        for base in bases:
            for predicate in self._variants(base):
                found.setdefault(predicate_json(predicate), self.weighed(predicate))
        said = {predicate_json(p) for p in known}
        least = self.weighed(bases[0]).worth if bases else 0.0
        fresh = [r for key, r in found.items() if key not in said and r.worth > least]
        return sorted(fresh, key=lambda r: -r.worth)[:k]

    def weighed(self, predicate: Predicate) -> Revision:
        """A predicate with what the corpus and the experiments say of it."""
        corpus = worth(drafted(self._explore, predicate))
        return Revision(predicate, corpus + EXPERIMENT_WEIGHT * self._outcomes.accuracy(predicate))

    def _variants(self, base: Predicate) -> Iterable[Predicate]:
        """The base, its sets revised, a condition dropped, an exception added; each from the best before."""
        resized = self._resized(base)
        start = max([base, *resized], key=lambda p: self.weighed(p).worth)
        looser = loosened(start)
        freer = max([start, *looser], key=lambda p: self.weighed(p).worth)
        exceptions = exception_candidates(freer, (self._explore, self._outcomes.ground))
        return [base, *resized, *looser, *(without(freer, e) for e in exceptions[:_MOST_EXCEPTIONS])]

    def _resized(self, base: Predicate) -> list[Predicate]:
        """The base with each of its sets changed, and with all of them changed."""
        out: list[Predicate] = []
        together: Predicate = base
        for found in self._finder.of(base, self._explore.target, unseen=False):
            for changed in self._changes(found):
                one = replaced(base, found.slot.part, changed)
                out += [] if one is None else [one]
            best = self._changes(found)[-1:]
            again = replaced(together, found.slot.part, best[0]) if best else together
            together = again or together
        return [*out, together] if together != base else out

    def _changes(self, found: SlotCandidates) -> list[Predicate]:
        """The set with what fired, then also without what never did, then with all that is trusted."""
        slot, shift = found.slot, found.slot.shift
        fired, silent = self._outcomes.fired_tokens(shift), self._outcomes.silent_tokens()
        added = [t for t in fired if not slot.has(t) and t.strip() and silent.get(t, 0) <= fired[t]]
        if shift:
            added = [t for t in added if t not in found.silent]
        dropped = [t for t in found.doubtful if silent.get(t, 0) >= SILENT_ENOUGH and not fired.get(t)]
        tried = [t for t in found.left_out if t in fired or t in silent]
        share = sum(t in fired for t in tried) / max(1, len(tried))
        trusted = found.left_out if len(tried) >= TRUST_AFTER and share >= TRUSTED else ()
        more = [*added, *(t for t in trusted if t not in added and not silent.get(t))]
        changes = [
            slot.with_changes(new, gone)
            for new, gone in ((added, []), (added, dropped), (more, dropped))
            if new or gone
        ]
        unique = {predicate_json(c): c for c in changes if c is not None}
        return list(unique.values())
