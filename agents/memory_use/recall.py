"""What memory offers an investigation: priors of its feature, distractors from its neighbours.

Of one subject and dictionary alone. None of it is a fact about the feature: a prior may be wrong, and a
refuted claim is handed over as such, so that it is not proposed again without a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from glossator.agents.memory_use.same_text import deduplicated, plain_words
from glossator.agents.scorers import FeatureNeighbours
from glossator.agents.tools.workbench import Workbench
from glossator.memory.finding_store import FindingStore, StoredFinding
from glossator.memory.ledger import Ledger
from glossator.records import FeatureCard, FeatureNames, FeatureRef, Finding, FindingKind, VerdictKind

if TYPE_CHECKING:
    from glossator.memory.findings_index import FindingsIndex
else:
    FindingsIndex = Any

PER_KIND = 4
"""Priors of one kind, newest first: many refuted claims leave room for what stands."""
PER_NEIGHBOUR = 2
"""Meanings of one neighbour."""
DISTRACTORS = 10
"""Distractors in all, of the nearest neighbours."""
_SAYS_MEANING = (FindingKind.MEANING, FindingKind.FACET)
_ORDER = (
    FindingKind.MEANING, FindingKind.FACET, FindingKind.EXCEPTION, FindingKind.REFUTED, FindingKind.EFFECT,
    FindingKind.RELATION, FindingKind.CONCEPT,
)  # fmt: skip


class LedgerRecall:
    """Recalls from the ledger what was learnt of one subject and dictionary."""

    def __init__(
        self, ledger: Ledger, names: FeatureNames, findings: Callable[[], FindingsIndex] | None = None
    ) -> None:
        """Recall over `ledger`.

        Args:
            ledger: where findings and cards are.
            names: whose; nothing of another subject or dictionary is ever returned.
            findings: opens the index that `related` searches; None leaves `related` empty.
        """
        self._ledger, self._names, self._findings = ledger, names, findings
        self._store = FindingStore(ledger)

    @classmethod
    def of(cls, bench: Workbench) -> LedgerRecall:
        """Recall over what a bench works with."""
        return cls(bench.ledger, bench.names, bench.findings)

    def priors(self, ref: FeatureRef) -> tuple[Finding, ...]:
        """What was found of this feature: meanings first, refuted claims among it (`kind` says so).

        At most `PER_KIND` of each kind, newest first.
        """
        if not self._is_ours(ref):
            return ()
        known = deduplicated(self._store.all(self._names, feature=ref.index))
        of_kind = {kind: [s.finding for s in known if s.finding.kind is kind][:PER_KIND] for kind in _ORDER}
        return tuple(chain.from_iterable(of_kind.values()))

    def distractors(
        self, ref: FeatureRef, neighbours: FeatureNeighbours | Sequence[int]
    ) -> tuple[Finding, ...]:
        """Accepted meanings of neighbours, nearest first, that this feature's must be told apart from.

        From findings and from cards; the same words are kept once, for the nearest that they were said of.
        """
        if not self._is_ours(ref):
            return ()
        learnt = deduplicated(self._store.all(self._names, kinds=_SAYS_MEANING))
        found: dict[str, Finding] = {}
        for neighbour in _in_order(neighbours):
            if neighbour != ref.index:
                for finding in islice(self._meanings(neighbour, learnt), PER_NEIGHBOUR):
                    found.setdefault(plain_words(finding.text), finding)
            if len(found) >= DISTRACTORS:
                break
        return tuple(islice(found.values(), DISTRACTORS))

    def related(self, text: str, k: int = 10) -> tuple[Finding, ...]:
        """The `k` findings nearest in meaning to `text`, nearest first, each once."""
        if self._findings is None:
            return ()
        index = self._findings()
        index.sync_learnt(self._ledger)
        near = [f.id for f in index.search_learnt(text, self._names, 2 * k)]
        stored = {s.finding.id: s for s in deduplicated(self._store.all(self._names))}
        return tuple(stored[i].finding for i in near if i in stored)[:k]

    def _is_ours(self, ref: FeatureRef) -> bool:
        return (ref.subject, ref.dictionary) == tuple(self._names)

    def _meanings(self, feature: int, learnt: Sequence[StoredFinding]) -> list[Finding]:
        """Accepted ones of one feature, the card's label first; facets stand under an accepted verdict."""
        ref = FeatureRef(subject=self._names.subject, dictionary=self._names.dictionary, index=feature)
        card = self._ledger.latest_card(ref)
        own = [s.finding for s in learnt if s.finding.features == (feature,)]
        stands = [f for f in own if f.kind is FindingKind.FACET or f.verdict == VerdictKind.ACCEPTED.value]
        said = [*([] if card is None else card_findings(card)), *stands]
        return list({plain_words(f.text): f for f in reversed(said)}.values())[::-1]


def card_findings(card: FeatureCard) -> list[Finding]:
    """The accepted label of a card as a finding; none where there is none, or nothing that it rests on."""
    claim, ref = card.explanation, card.feature
    evidence = tuple(dict.fromkeys((*card.evidence, *(claim.evidence if claim else ()))))
    if claim is None or card.verdict.kind is not VerdictKind.ACCEPTED or not evidence:
        return []
    finding = Finding.of(
        ref.subject, ref.dictionary, (ref.index,), FindingKind.MEANING, claim.text,
        evidence=evidence, verdict=card.verdict.kind.value, author=claim.author,
    )  # fmt: skip
    return [finding]


def _in_order(neighbours: FeatureNeighbours | Sequence[int]) -> tuple[int, ...]:
    if isinstance(neighbours, FeatureNeighbours):
        return tuple(dict.fromkeys((*neighbours.by_direction, *neighbours.by_coactivation)))
    return tuple(dict.fromkeys(neighbours))
