"""What is claimed of features, and what was refuted of them, gathered from findings and cards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from glossator.agents.memory_use.same_text import deduplicated, plain_words
from glossator.memory.accepted_labels import accepted_labels, explanations_of
from glossator.memory.finding_store import FindingStore, StoredFinding
from glossator.memory.ledger import Ledger
from glossator.records import (
    Explanation,
    FeatureNames,
    Finding,
    FindingKind,
    Predicate,
    VerdictKind,
)


class Meaning(NamedTuple):
    """One claim about one feature."""

    id: str
    """Of the finding; of the explanation, where only a card says it."""
    feature: int
    text: str
    predicate: Predicate | None
    """The same claim, executable, where a card holds it in these words."""
    evidence: tuple[str, ...]
    is_facet: bool = False
    """One of several meanings: such never disagree with each other."""

    def __str__(self) -> str:
        rests = f", evidence {', '.join(self.evidence[:4])}" if self.evidence else ""
        return f'feature {self.feature}: "{self.text}" ({self.id}{rests})'


class Claims(NamedTuple):
    """What stands and what fell."""

    accepted: tuple[Meaning, ...]
    """By feature, oldest first."""
    refuted: tuple[Meaning, ...]


def gather_claims(ledger: Ledger, names: FeatureNames, features: Sequence[int] | None = None) -> Claims:
    """Accepted and refuted claims of one subject and dictionary, each once; of `features` alone, if given."""
    kinds = (FindingKind.MEANING, FindingKind.FACET, FindingKind.REFUTED)
    stored = deduplicated(FindingStore(ledger).all(names, kinds=kinds))[::-1]
    of_one = [s for s in stored if len(s.finding.features) == 1 and _wanted(s, features)]
    said = explanations_of(ledger, names, sorted({s.finding.features[0] for s in of_one}))
    found = [(s.finding, _predicate(s.finding, said[s.finding.features[0]])) for s in of_one]
    standing = [_meaning(f, p) for f, p in found if _stands(f)]
    labels = [_label(x) for x in accepted_labels(ledger, names, features)]
    refuted = tuple(_meaning(f, p) for f, p in found if f.kind is FindingKind.REFUTED)
    return Claims(_each_once([*standing, *labels]), refuted)


def _wanted(stored: StoredFinding, features: Sequence[int] | None) -> bool:
    return features is None or stored.finding.features[0] in features


def _stands(finding: Finding) -> bool:
    accepted = finding.verdict == VerdictKind.ACCEPTED.value
    return finding.kind is FindingKind.FACET or (finding.kind is FindingKind.MEANING and accepted)


def _predicate(finding: Finding, said: Iterable[Explanation]) -> Predicate | None:
    words = plain_words(finding.text)
    same = [x.predicate for x in said if x.predicate is not None and plain_words(x.text) == words]
    return same[0] if same else None


def _meaning(finding: Finding, predicate: Predicate | None) -> Meaning:
    facet = finding.kind is FindingKind.FACET
    return Meaning(finding.id, finding.features[0], finding.text, predicate, finding.evidence, is_facet=facet)


def _label(claim: Explanation) -> Meaning:
    return Meaning(claim.id, claim.feature.index, claim.text, claim.predicate, claim.evidence)


def _each_once(meanings: Sequence[Meaning]) -> tuple[Meaning, ...]:
    first: dict[tuple[int, str], Meaning] = {}
    for meaning in meanings:
        first.setdefault((meaning.feature, plain_words(meaning.text)), meaning)
    return tuple(sorted(first.values(), key=lambda m: m.feature))
