"""Causal measurements of one feature on an open bench, and their evidence in the ledger.

What was measured under the same settings is found in the ledger by a key made from everything that
decides it, so a second call answers from there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TypeVar

from pydantic import ValidationError

import glossator
from glossator.agents.causal.bench import CausalBench
from glossator.errors import CorruptFileError
from glossator.memory.ledger import Ledger
from glossator.probes.interventions.strength_search import Steered
from glossator.records import CausalFindings, Evidence, EvidenceKind, FeatureRef, Record, content_id

AnyRecord = TypeVar("AnyRecord", bound=Record)


@dataclass(frozen=True)
class CausalWork:
    """One feature on a bench that is opened at first use."""

    ref: FeatureRef
    open_bench: Callable[[], CausalBench]
    """Loads subject and dictionary."""
    ledger: Callable[[], Ledger]
    command: str
    """What the ledger's runs are said to be."""
    facts: Callable[[], Mapping[str, object]]
    """Settings that a run of the ledger notes."""

    @cached_property
    def bench(self) -> CausalBench:
        """What measurements share."""
        return self.open_bench()

    @cached_property
    def steered(self) -> Steered:
        """What is added to turn the feature up; raises `UserError` if it never fires."""
        return self.bench.steered(self.ref.index)

    def recipe(self, command: str, **own: object) -> dict[str, object]:
        """What to do to measure it again: the command, what it was given, and what it was measured on."""
        settings = asdict(self.bench.settings)
        return {
            "command": command,
            "index": self.bench.room.index_identity,
            "site": str(self.bench.dictionary.output_site),
            "measured": settings | {"targets": list(settings["targets"])},
            "dtype": str(self.bench.runs.subject.dtype).removeprefix("torch."),
            "code": glossator.__version__,
            **own,
        }

    def evidence(self, kind: EvidenceKind, recipe: Mapping[str, object], payload: object) -> Evidence:
        """One measurement of the feature."""
        return Evidence.of(self.ref, kind, recipe, payload)

    def done(self, recipe: Mapping[str, object]) -> list[Evidence]:
        """What was stored under `recipe`; empty if it was never measured so."""
        return self.ledger().evidence_done(self._work_key(recipe))

    def store(self, recipe: Mapping[str, object], evidence: Sequence[Evidence]) -> None:
        """Store what was measured under `recipe`, all of it or nothing."""
        ledger = self.ledger()
        ledger.save_evidence(ledger.start_run(self.command, self.facts(), self._work_key(recipe)), evidence)

    def known_findings(self) -> CausalFindings | None:
        """What is stored of the feature's effects, by `glossator effects` or on its card."""
        ledger = self.ledger()
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
