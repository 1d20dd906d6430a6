"""Findings that cannot both be right, found by code and shown with what each rests on.

The newer one does not win: which is right is for a new investigation to find out.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Generator, Sequence
from itertools import combinations

from glossator.agents.memory_use.ground import Ground
from glossator.agents.memory_use.meanings import Claims, Meaning, gather_claims
from glossator.agents.memory_use.same_text import plain_words
from glossator.memory.ledger import Ledger
from glossator.records import Contradiction, FeatureNames

SAYS_THE_SAME = 0.9
"""Cosine above which a claim says what a refuted one said."""
_SHARING = 20
"""Features of one explanation that are compared pair by pair."""
_DENIES = re.compile(
    r"\b(not|never|no|neither|nor|cannot|refuted|rejected|false|wrong)\b|n['’]t\b", re.IGNORECASE
)


def find_contradictions(claims: Claims, ground: Ground) -> tuple[Contradiction, ...]:
    """Everything in `claims` that cannot be right at once.

    The same feature under two accepted meanings that disagree; nearly identical directions under accepted
    explanations that disagree; one explanation for features that never fire together; a claim that was
    refuted of the same feature.
    """
    found = [
        *_of_one_feature(claims.accepted, ground),
        *_of_near_directions(claims.accepted, ground),
        *_of_one_text(claims.accepted, ground),
        *_refuted(claims, ground),
    ]
    return tuple({(c.first, c.second): c for c in found}.values())


class ContradictionCheck:
    """Holds answers against what the ledger holds of one subject and dictionary."""

    def __init__(self, ledger: Ledger, names: FeatureNames, ground: Ground) -> None:
        self._ledger, self._names, self._ground = ledger, names, ground

    async def of(self, features: Sequence[int], texts: Sequence[str]) -> tuple[Contradiction, ...]:
        """What in the ledger contradicts itself or an answer.

        Args:
            features: the features that the answer speaks of.
            texts: its claims in words; one that repeats what was refuted of these features is named
                `claim 1`, `claim 2` … in the order of `texts`.
        """
        return await asyncio.to_thread(self.found, features, texts)

    def found(self, features: Sequence[int], texts: Sequence[str]) -> tuple[Contradiction, ...]:
        """As `of`, blocking."""
        claims = gather_claims(self._ledger, self._names, sorted(set(features)))
        return (*find_contradictions(claims, self._ground), *_repeated(claims, texts))


def _by_feature(meanings: Sequence[Meaning]) -> dict[int, list[Meaning]]:
    grouped: dict[int, list[Meaning]] = defaultdict(list)
    for meaning in meanings:
        grouped[meaning.feature].append(meaning)
    return grouped


def _of_one_feature(accepted: Sequence[Meaning], ground: Ground) -> Generator[Contradiction]:
    for meanings in _by_feature(accepted).values():
        whole = [m for m in meanings if not m.is_facet]
        for a, b in combinations(whole, 2):
            why = ground.disagreement(a, b)
            if why is not None:
                yield _said(a, b, f"two accepted meanings of one feature disagree: {why}")


def _of_near_directions(accepted: Sequence[Meaning], ground: Ground) -> Generator[Contradiction]:
    grouped = _by_feature([m for m in accepted if not m.is_facet])
    for pair in ground.near_pairs(sorted(grouped)):
        for a in grouped[pair.first]:
            for b in grouped[pair.second]:
                why = ground.disagreement(a, b)
                if why is not None:
                    yield _said(a, b, f"nearly one direction (cosine {pair.cosine:.2f}), and {why}")


def _of_one_text(accepted: Sequence[Meaning], ground: Ground) -> Generator[Contradiction]:
    grouped: dict[str, list[Meaning]] = defaultdict(list)
    for meaning in accepted:
        if not meaning.is_facet:
            grouped[plain_words(meaning.text)].append(meaning)
    for sharing in grouped.values():
        for a, b in combinations(sharing[:_SHARING], 2):
            apart = ground.never_together(a.feature, b.feature)
            if apart is not None:
                yield _said(a, b, f"one explanation for features that never fire together: {apart}")


def _refuted(claims: Claims, ground: Ground) -> Generator[Contradiction]:
    accepted = _by_feature(claims.accepted)
    for fell in claims.refuted:
        for stands in accepted.get(fell.feature, []):
            similarity = ground.similarity(stands.text, fell.text)
            if similarity is not None and similarity > SAYS_THE_SAME:
                alike = "in the same words" if similarity == 1.0 else f"similarity {similarity:.2f}"
                yield _said(stands, fell, f"accepted, and refuted by an investigation ({alike})")


def _repeated(claims: Claims, texts: Sequence[str]) -> Generator[Contradiction]:
    """Claims that hold a refuted text word for word and do not deny it."""
    for number, text in enumerate(texts, 1):
        for fell in claims.refuted:
            if _holds(text, fell.text) and not _DENIES.search(text):
                words = f'claim {number} says what was refuted of {fell}: "{text}"'
                yield Contradiction(first=f"claim {number}", second=fell.id, words=words)


def _holds(text: str, part: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(plain_words(part))}(?!\w)", plain_words(text)) is not None


def _said(a: Meaning, b: Meaning, why: str) -> Contradiction:
    return Contradiction(first=a.id, second=b.id, words=f"{why}; {a}; {b}")
