"""Claims held against what they cite, by code.

A citation that leads to no evidence in the ledger is struck out. What is left must speak of the features that
the claim names, and hold the numbers that it gives, within rounding.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glossator.agents.orchestrator.action import DraftClaim
from glossator.agents.orchestrator.named_in_text import (
    SaidNumber,
    agrees,
    all_numbers,
    named_features,
    other_numbers,
)
from glossator.agents.orchestrator.situation import Gathered, Situation
from glossator.memory.investigation_store import InvestigationStore
from glossator.records import AnyEvidence, Claim, ClaimStanding, Evidence, FeatureNames

FACTS_OF_STEP = 6
"""Facts of one call that become claims where nobody worded an answer."""


@dataclass(frozen=True)
class _Source:
    """What one piece of evidence says."""

    texts: tuple[str, ...]
    features: frozenset[int]
    foreign: str = ""
    """Subject and dictionary that it is of, where those are not the ones asked about."""


def facts_as_claims(
    gathered: Sequence[Gathered], per_step: int = FACTS_OF_STEP, most: int = 30
) -> tuple[DraftClaim, ...]:
    """The facts themselves as claims, the first of each call."""
    facts = [fact for step in gathered for fact in step.facts[:per_step]]
    return tuple(DraftClaim(f.text, (f.evidence,)) for f in dict.fromkeys(facts))[:most]


def untold_facts(gathered: Sequence[Gathered], per_step: int = FACTS_OF_STEP) -> tuple[str, ...]:
    """What `facts_as_claims` leaves away, and where it stands."""
    told = ((step, len(step.facts) - per_step) for step in gathered)
    return tuple(
        f"{step.call}: {more} further facts, see {step.facts[-1].evidence}" for step, more in told if more > 0
    )


def check_claims(
    drafts: Sequence[DraftClaim],
    situation: Situation,
    store: InvestigationStore,
    names: FeatureNames | None = None,
) -> tuple[Claim, ...]:
    """Every claim with its standing; those that code doubts say why.

    Args:
        drafts: what was claimed.
        situation: what was gathered.
        store: where evidence is.
        names: whose features are spoken of; evidence of other ones is doubted. None checks no names.

    """
    checker = _Checker(situation, store, names)
    return tuple(checker.checked(draft) for draft in drafts)


class _Checker:
    def __init__(self, situation: Situation, store: InvestigationStore, names: FeatureNames | None) -> None:
        self._citable, self._store, self._names = situation.citable(), store, names
        self._sources = _sources_of(situation)

    def checked(self, draft: DraftClaim) -> Claim:
        cited = [(c, self._citable.get(c, (c,))) for c in draft.cited]
        wanted = [identity for _, ids in cited for identity in ids]
        exist = self._store.existing(wanted) if wanted else frozenset[str]()
        kept = tuple(dict.fromkeys(i for i in wanted if i in exist))
        struck = tuple(c for c, ids in cited if not exist.intersection(ids))
        if not kept:
            remark = "none of what it cites exists" if struck else "it cites no evidence"
            return Claim(text=draft.text, struck=struck, standing=ClaimStanding.UNSUPPORTED, remark=remark)
        remark = self._doubt(draft.text, [self._what_it_says(i) for i in kept])
        standing = ClaimStanding.DOUBTFUL if remark else ClaimStanding.SUPPORTED
        return Claim(text=draft.text, evidence=kept, struck=struck, standing=standing, remark=remark)

    def _what_it_says(self, identity: str) -> _Source:
        """What was told of it in this conversation; of other evidence, what is stored."""
        stored = self._store.evidence(identity)
        features = frozenset(() if stored is None else _features_of(stored))
        of = None if stored is None else _names_of(stored)
        foreign = "" if of is None or self._names in (None, of) else f"{of.subject}/{of.dictionary}"
        told = self._sources.get(identity)
        if told is not None:
            return _Source(told.texts, told.features | features, foreign)
        payload = "" if stored is None else json.dumps(stored.payload, ensure_ascii=False)
        return _Source((payload,), features, foreign)

    def _doubt(self, claim: str, sources: Sequence[_Source]) -> str:
        """Why the claim may not follow from what it cites; empty where nothing speaks against it."""
        if others := {s.foreign for s in sources if s.foreign}:
            return f"its evidence is of {', '.join(sorted(others))}, whose numbers name other features"
        known = frozenset[int]().union(*(s.features for s in sources))
        foreign = [f for f in named_features(claim) if f not in known]
        if foreign:
            return f"its evidence does not speak of feature {', '.join(map(str, foreign))}"
        texts = [t for s in sources for t in s.texts]
        measured = [number for t in texts for number in all_numbers(t)]
        counts = {float(len(known)), float(len(texts)), float(len(named_features(claim)))}
        absent = [n for n in other_numbers(claim) if not _held(n, measured, counts)]
        if absent:
            shown = ", ".join(f"{n.value:g}" for n in absent)
            return f"its evidence does not hold the number {shown}"
        return ""


def _sources_of(situation: Situation) -> Mapping[str, _Source]:
    """By evidence id, what facts and claims of the conversation said of it."""
    said: dict[str, list[str]] = {}
    about: dict[str, set[int]] = {}
    for fact in situation.numbered_facts().values():
        said.setdefault(fact.evidence, []).append(fact.text)
        about.setdefault(fact.evidence, set()).update(fact.features, named_features(fact.text))
    for claim in situation.numbered_claims().values():
        for identity in claim.evidence if claim.standing is ClaimStanding.SUPPORTED else ():
            said.setdefault(identity, []).append(claim.text)
            about.setdefault(identity, set()).update(named_features(claim.text))
    return {i: _Source(tuple(texts), frozenset(about[i])) for i, texts in said.items()}


def _features_of(evidence: AnyEvidence) -> tuple[int, ...]:
    return (evidence.feature.index,) if isinstance(evidence, Evidence) else evidence.features


def _names_of(evidence: AnyEvidence) -> FeatureNames:
    own = evidence.feature if isinstance(evidence, Evidence) else evidence
    return FeatureNames(own.subject, own.dictionary)


def _held(said: SaidNumber, measured: Sequence[SaidNumber], counts: set[float]) -> bool:
    return said.value in counts or any(agrees(said, value) for value in measured)
