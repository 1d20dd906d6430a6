"""From settings to causal measurements: the bench over subject, dictionary and index, and their evidence.

What was measured under the same settings is found in the ledger by a key made from everything that
decides it, so a second call answers from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

import glossator
from glossator.causal_bench import open_causal_bench
from glossator.errors import CorruptFileError, UnknownNameError
from glossator.feature_selection import parse_features
from glossator.records import (
    CausalFindings,
    Evidence,
    EvidenceKind,
    FeatureRef,
    Record,
    content_id,
)
from glossator.session import Session

if TYPE_CHECKING:
    from glossator.agents.causal.bench import CausalBench
    from glossator.probes.activation_index import ActivationIndex
    from glossator.probes.interventions.strength_search import Steered
else:
    ActivationIndex = CausalBench = Steered = Any


AnyRecord = TypeVar("AnyRecord", bound=Record)


class CausalSession:
    """Causal measurements of one feature within a session."""

    def __init__(self, session: Session, command: str, feature: str, *, embedder: bool = False) -> None:
        """Find `feature` (its index, or SUBJECT/DICTIONARY/INDEX); nothing is loaded beyond what that needs.

        Raises:
            UnknownNameError: there is no such feature in the dictionary that is set.

        """
        self.session, self._command, self._embedder = session, command, embedder
        self.ref = _feature_of(session, feature)

    @cached_property
    def index(self) -> ActivationIndex:
        """The activation index, built where need be."""
        return self.session.index()

    @cached_property
    def bench(self) -> CausalBench:
        """What measurements share; loads subject and dictionary."""
        from glossator.agents.scorers import open_scoring_room

        room = open_scoring_room(self.index, self.session.embedder if self._embedder else None)
        return open_causal_bench(self.session, self.index, room)

    @cached_property
    def steered(self) -> Steered:
        """What is added to turn the feature up; raises `UserError` if it never fires."""
        return self.bench.steered(self.ref.index)

    def recipe(self, command: str, **own: object) -> dict[str, object]:
        """What to do to measure it again: the command, what it was given, and what it was measured on."""
        settings = asdict(self.bench.settings)
        return {
            "command": command,
            "index": self.index.identity,
            "site": str(self.bench.dictionary.output_site),
            "measured": settings | {"targets": list(settings["targets"])},
            "dtype": str(self.session.subject.dtype).removeprefix("torch."),
            "code": glossator.__version__,
            **own,
        }

    def evidence(self, kind: EvidenceKind, recipe: Mapping[str, object], payload: object) -> Evidence:
        """One measurement of the feature."""
        return Evidence.of(self.ref, kind, recipe, payload)

    def done(self, recipe: Mapping[str, object]) -> list[Evidence]:
        """What was stored under `recipe`; empty if it was never measured so."""
        return self.session.ledger().evidence_done(self._work_key(recipe))

    def store(self, recipe: Mapping[str, object], evidence: Sequence[Evidence]) -> None:
        """Store what was measured under `recipe`, all of it or nothing."""
        ledger = self.session.ledger()
        facts: dict[str, object] = self.session.settings.model_dump(
            mode="json", exclude={"ledger_url", "chroma_url"}
        )
        ledger.save_evidence(ledger.start_run(self._command, facts, self._work_key(recipe)), evidence)

    def known_findings(self) -> CausalFindings | None:
        """What is stored of the feature's effects, by `glossator effects` or on its card."""
        ledger = self.session.ledger()
        stored = ledger.latest_evidence(self.ref, EvidenceKind.CAUSES)
        if stored is not None:
            return self.read(CausalFindings, stored)
        card = ledger.latest_card(self.ref)
        return None if card is None else card.causal

    def read(self, record: type[AnyRecord], evidence: Evidence) -> AnyRecord:
        """The record that `evidence` holds.

        Raises:
            CorruptFileError: another version of Glossator wrote it.

        """
        try:
            return record.model_validate_json(json.dumps(evidence.payload))
        except ValidationError as error:
            raise CorruptFileError(
                f"the evidence {evidence.id} of {evidence.feature} was written by another Glossator "
                f"({error.errors()[0]['msg']}): measure it again with --force"
            ) from error

    def _work_key(self, recipe: Mapping[str, object]) -> str:
        return content_id("w", {"feature": str(self.ref), "recipe": dict(recipe)})


def _feature_of(session: Session, text: str) -> FeatureRef:
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
