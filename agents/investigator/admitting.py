"""Turns proposals into hypotheses: what can be run is checked, what is there already is not doubled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from glossator.agents.investigator.corpus_fit import CorpusFit
from glossator.agents.investigator.experiments import storable
from glossator.agents.investigator.proposer import Proposal
from glossator.records import FeatureRef, Hypothesis, HypothesisOrigin, Predicate, predicate_json

LONGEST_CLAIM = 300
LEAST_F1 = 0.05
"""On `explore`; a predicate below says something else than the feature does: its claim stays without it."""


class Admitted(NamedTuple):
    """New hypotheses, and what became of the rest."""

    hypotheses: tuple[Hypothesis, ...]
    dropped: dict[str, int]
    """Reason to count."""


def admit(
    proposals: Sequence[Proposal],
    known: Sequence[Hypothesis],
    ref: FeatureRef,
    corpus: CorpusFit,
    *,
    author: str,
    origin: HypothesisOrigin,
) -> Admitted:
    """Hypotheses of `proposals` that `known` does not hold: two with the same firing tokens are one."""
    dropped: Counter[str] = Counter()
    seen = {_identity(h.text, h.predicate, corpus) for h in known}
    made: list[Hypothesis] = []
    for proposal in proposals:
        text = " ".join(proposal.text.split())
        if not text or len(text) > LONGEST_CLAIM or not storable(text):
            dropped["claim empty, too long or not valid Unicode"] += 1
            continue
        predicate = proposal.predicate
        if predicate is not None and (reason := _useless(predicate, corpus)):
            dropped[reason] += 1
            predicate = None
        identity = _identity(text, predicate, corpus)
        if identity in seen:
            dropped["said before"] += 1
            continue
        seen.add(identity)
        parents = tuple(p for p in proposal.parents if any(h.id == p for h in known))
        made.append(Hypothesis.of(ref, text, predicate, author=author, origin=origin, parents=parents))
    return Admitted(tuple(made), dict(dropped))


def _useless(predicate: Predicate, corpus: CorpusFit) -> str:
    if not storable(predicate_json(predicate)) or not corpus.can_run(predicate):
        return "predicate that cannot be run"
    return "predicate that fits nothing" if corpus.f1(predicate) < LEAST_F1 else ""


def _identity(text: str, predicate: Predicate | None, corpus: CorpusFit) -> str:
    return text.casefold() if predicate is None else corpus.same_as(predicate)
