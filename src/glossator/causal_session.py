"""From settings to causal measurements: the bench over subject, dictionary and index of a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from glossator.causal_bench import open_causal_bench
from glossator.errors import UnknownNameError
from glossator.feature_selection import parse_features
from glossator.records import (
    CausalFindings,
    Evidence,
    EvidenceKind,
    FeatureRef,
    Record,
)
from glossator.run_settings import stored_settings
from glossator.session import Session

if TYPE_CHECKING:
    from glossator.agents.causal.bench import CausalBench
    from glossator.agents.causal.causal_work import CausalWork
    from glossator.probes.activation_index import ActivationIndex
    from glossator.probes.interventions.strength_search import Steered
else:
    ActivationIndex = CausalBench = CausalWork = Steered = Any


AnyRecord = TypeVar("AnyRecord", bound=Record)


class CausalSession:
    """Causal measurements of one feature within a session."""

    def __init__(self, session: Session, command: str, feature: str, *, embedder: bool = False) -> None:
        """Find `feature` (its index, or SUBJECT/DICTIONARY/INDEX); nothing is loaded beyond what that needs.

        Raises:
            UnknownNameError: there is no such feature in the dictionary that is set.

        """
        self.session, self._command, self._embedder = session, command, embedder
        self.ref = feature_of(session, feature)

    @cached_property
    def index(self) -> ActivationIndex:
        """The activation index, built where need be."""
        return self.session.index()

    @cached_property
    def work(self) -> CausalWork:
        """Measurements of the feature; nothing is loaded before its bench is asked for."""
        from glossator.agents.causal.causal_work import CausalWork as Work

        def facts() -> dict[str, object]:
            return dict(stored_settings(self.session.settings))

        return Work(self.ref, self._open_bench, self.session.ledger, self._command, facts)

    @property
    def bench(self) -> CausalBench:
        """What measurements share; loads subject and dictionary."""
        return self.work.bench

    @property
    def steered(self) -> Steered:
        """What is added to turn the feature up; raises `UserError` if it never fires."""
        return self.work.steered

    def recipe(self, command: str, **own: object) -> dict[str, object]:
        """As `CausalWork.recipe`."""
        return self.work.recipe(command, **own)

    def evidence(self, kind: EvidenceKind, recipe: Mapping[str, object], payload: object) -> Evidence:
        """One measurement of the feature."""
        return self.work.evidence(kind, recipe, payload)

    def done(self, recipe: Mapping[str, object]) -> list[Evidence]:
        """What was stored under `recipe`; empty if it was never measured so."""
        return self.work.done(recipe)

    def store(self, recipe: Mapping[str, object], evidence: Sequence[Evidence]) -> None:
        """Store what was measured under `recipe`, all of it or nothing."""
        self.work.store(recipe, evidence)

    def known_findings(self) -> CausalFindings | None:
        """What is stored of the feature's effects, by `glossator effects` or on its card."""
        return self.work.known_findings()

    def read(self, record: type[AnyRecord], evidence: Evidence) -> AnyRecord:
        """As `CausalWork.read`."""
        return self.work.read(record, evidence)

    def _open_bench(self) -> CausalBench:
        from glossator.agents.scorers import open_scoring_room

        room = open_scoring_room(self.index, self.session.embedder if self._embedder else None)
        return open_causal_bench(self.session, self.index, room)


def feature_of(session: Session, text: str) -> FeatureRef:
    """The feature that `text` names (its index, or SUBJECT/DICTIONARY/INDEX) in the dictionary that is set.

    Raises:
        UnknownNameError: there is no such feature there.

    """
    names = session.names()
    if text.strip().isdecimal():
        ref = FeatureRef(subject=names.subject, dictionary=names.dictionary, index=int(text))
    else:
        ref = FeatureRef.parse(text)
    if (ref.subject, ref.dictionary) != tuple(names):
        raise UnknownNameError(
            f"{text!r} is not a feature of {names.subject}/{names.dictionary}, which is set: give an index "
            "alone, or set --subject and --dictionary to those of the feature"
        )
    parse_features(str(ref.index), session.n_features())  # names the range where it is outside
    return ref
