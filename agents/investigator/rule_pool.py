"""Claims about one feature that `explore` suggests: the analyst's rules, wider sets, letters, parts.

Ranked by F1 on `explore` less what their length costs, for longer rules look better on what they were
fitted to. Claims that hold on the same tokens are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics, Key
from glossator.agents.embedded_analyst.firing_target import FiringTarget
from glossator.agents.embedded_analyst.rule_choice import cost
from glossator.agents.embedded_analyst.rule_parts import Draft, set_condition
from glossator.agents.embedded_analyst.rule_parts import joined as joined_draft
from glossator.agents.embedded_analyst.rule_search import SearchSpace, search_rules
from glossator.agents.embedded_analyst.set_growth import tally
from glossator.agents.investigator.exception_regions import Ground, drafted
from glossator.agents.investigator.letter_patterns import LetterPatterns
from glossator.records import AnyOf, predicate_json

ALIKE = 0.99
"""Share of common places from which two claims say the same."""
PART_COST = 1.5
"""How much more length costs here than where `validate` chooses."""
WIDE_PRECISION = 0.5
_SEARCHED = 16


@dataclass(frozen=True)
class RulePool:
    """Finds claims on `explore`; what all features share is computed once."""

    space: SearchSpace

    @property
    def stats(self) -> CorpusStatistics:
        """Keys and counts over `explore`."""
        return self.space.stats

    @cached_property
    def patterns(self) -> LetterPatterns:
        """Runs of letters."""
        return LetterPatterns.over(self.stats)

    def drafts(self, target: FiringTarget, k: int) -> list[Draft]:
        """Up to `k` claims that differ, best first; the parts of an either-or after it."""
        found = search_rules(self.space, target, _SEARCHED)
        found += self.patterns.drafts(target)
        found += [d for key in (Key.TOKEN, Key.WORD) if (d := self._wide(key, target)) is not None]
        unique = {predicate_json(d.predicate): d for d in found}
        ranked = sorted(unique.values(), key=lambda d: -worth(d))
        ground = Ground(self.stats, target)
        chosen: list[Draft] = []
        for draft in ranked:
            parts = draft.predicate.parts if isinstance(draft.predicate, AnyOf) else ()
            for one in (draft, *(drafted(ground, part) for part in parts)):
                if len(chosen) < k and one.f1 > 0 and not _said(one, chosen):
                    chosen.append(one)
        return chosen

    def _wide(self, key: Key, target: FiringTarget) -> Draft | None:
        """Every value that fires at least as often as not, those met once included."""
        values, size = self.stats.keys[key], self.stats.size(key)
        counted = tally(values[target.strong], values[target.silent], size - 1, size)
        wide = counted.value[counted.wanted >= WIDE_PRECISION * counted.total]
        order = np.argsort(-counted.wanted[counted.wanted >= WIDE_PRECISION * counted.total], kind="stable")
        if not 0 < len(wide) <= 400:
            return None
        return joined_draft(None, set_condition(self.stats, key, wide[order]), target)


def worth(draft: Draft) -> float:
    """What claims are ranked by."""
    return draft.f1 - PART_COST * min(0.1, cost(draft.predicate))


def _said(draft: Draft, chosen: Sequence[Draft]) -> bool:
    """Whether a chosen claim holds on nearly the same tokens."""
    for other in chosen:
        both = len(np.intersect1d(draft.at, other.at, assume_unique=True))
        if both >= ALIKE * max(1, len(draft.at) + len(other.at) - both):
            return True
    return False
