"""Rules about letters inside a token: what many firing tokens share and few others have.

Every run of two to six characters of a token, its two ends marked, is a candidate ("begins with", "ends
in", "contains"). How many tokens of the corpus hold each is counted once and used for every feature.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from glossator.agents.embedded_analyst.corpus_statistics import CorpusStatistics, Key
from glossator.agents.embedded_analyst.firing_target import FiringTarget
from glossator.agents.embedded_analyst.rule_parts import Condition, Draft, form_parts, joined, set_part
from glossator.records import TokenMatches

SHORTEST, LONGEST = 2, 6
LEAST_TYPES = 4
"""Different firing tokens that must share a run of letters."""
LEAST_F1 = 0.2
_BEGIN, _END = "\x02", "\x03"
_SPECIAL = frozenset(r"\.+*?()|[]{}^$")


class LetterPatterns(NamedTuple):
    """Runs of letters of one split, and on how many of its tokens each stands."""

    stats: CorpusStatistics
    total: Counter[str]

    @classmethod
    def over(cls, stats: CorpusStatistics) -> LetterPatterns:
        """Count every run in the split."""
        total: Counter[str] = Counter()
        counts = stats.counts[Key.TOKEN]
        for i in np.flatnonzero(counts[:-1]).tolist():
            for run in runs(stats.name(Key.TOKEN, i)):
                total[run] += int(counts[i])
        return cls(stats, total)

    def drafts(self, target: FiringTarget, most: int = 3) -> list[Draft]:
        """The best rules about letters, and each of them narrowed by one condition where that helps."""
        found: list[Draft] = []
        for run in self._best(target, most):
            plain = joined(None, self._condition(run), target)
            narrower = [
                *form_parts(self.stats, target, plain, best=2),
                *(set_part(self.stats, key, target, plain) for key in (Key.PREVIOUS, Key.NEXT)),
            ]
            found += [plain, *(d for d in narrower if d is not None and d.f1 > plain.f1)]
        return found

    def _best(self, target: FiringTarget, most: int) -> list[str]:
        value, count = np.unique(self.stats.keys[Key.TOKEN][target.strong], return_counts=True)
        hits: Counter[str] = Counter()
        types: Counter[str] = Counter()
        for i, n in zip(value.tolist(), count.tolist(), strict=True):
            for run in runs(self.stats.name(Key.TOKEN, i)):
                hits[run] += n
                types[run] += 1
        n_wanted = len(target.strong)
        f1 = {r: 2 * hits[r] / (self.total[r] + n_wanted) for r in hits if types[r] >= LEAST_TYPES}
        good = [r for r in f1 if f1[r] >= LEAST_F1]
        return sorted(good, key=lambda r: (-f1[r], len(r), r))[:most]

    def _condition(self, run: str) -> Condition:
        texts = self.stats.text.vocabulary.texts
        member = np.zeros(self.stats.size(Key.TOKEN), dtype=bool)
        member[:-1] = [run in _marked(text) for text in texts]
        return Condition(TokenMatches(pattern=pattern_of(run)), member, self.stats.keys[Key.TOKEN])


def runs(token: str) -> set[str]:
    """Every run of characters of a token, its ends marked; those that are white space alone left out."""
    marked = _marked(token)
    found = {
        marked[i : i + n]
        for n in range(SHORTEST, min(LONGEST, len(marked)) + 1)
        for i in range(len(marked) - n + 1)
    }
    return {run for run in found if run.strip(f"{_BEGIN}{_END} ")}


def _marked(token: str) -> str:
    return f"{_BEGIN}{token}{_END}"


def pattern_of(run: str) -> str:
    """A run as an RE2 pattern."""
    body = "".join(f"\\{c}" if c in _SPECIAL else c for c in run.strip(_BEGIN + _END))
    return f"{'^' if run[0] == _BEGIN else ''}{body}{'$' if run[-1] == _END else ''}"


def phrase_of(pattern: str) -> str | None:
    """A pattern of this module in words; None for any other."""
    body = pattern.removeprefix("^").removesuffix("$")
    letters = body.strip()
    if not letters or any(c in _SPECIAL for c in body):
        return None
    begins, ends = pattern.startswith("^"), pattern.endswith("$")
    if begins and ends:
        return f'"{letters}"'
    where = "beginning with" if begins or body.startswith(" ") else "ending in" if ends else "containing"
    return f'a token {where} "{letters}"'
