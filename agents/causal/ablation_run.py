"""One ablation and one attribution of a given text, from the words of the command line to stored evidence."""

from __future__ import annotations

from typing import NamedTuple

import torch

from glossator.agents.causal.ablation import AblationFindings, AblationSettings, ablate_text
from glossator.agents.causal.attribution import AttributionFindings, attribute_text
from glossator.agents.causal.causal_work import CausalWork
from glossator.errors import SettingsError, UserError
from glossator.probes.interventions.intervention import Ablation
from glossator.records import EvidenceKind


class StoredAblation(NamedTuple):
    """Findings, and the id that they are stored under."""

    findings: AblationFindings
    evidence: str


class StoredAttribution(NamedTuple):
    """Findings, and the id that they are stored under."""

    findings: AttributionFindings
    evidence: str


def checked_text(text: str) -> str:
    """`text`; raises `UserError` where it is empty."""
    if not text.strip():
        raise UserError("the text is empty: give one with --text, such as --text 'They met at noon.'")
    return text


def ablation_by(word: str) -> Ablation:
    """What `--by` names; raises `SettingsError` where it names nothing."""
    if word not in list(Ablation):
        raise SettingsError(f"unknown --by {word!r}: choose one of {', '.join(Ablation)}")
    return Ablation(word)


def run_ablation(causal: CausalWork, text: str, by: Ablation) -> StoredAblation:
    """Measure what `text` loses without the feature, and store it.

    Raises:
        UserError: the feature never fires on `explore`, or the text is a single token or too long.

    """
    bench, feature = causal.bench, causal.ref.index
    _ = causal.steered  # a feature that never fires has nothing to ablate
    reference = None if by is Ablation.ZERO else torch.from_numpy(bench.room.explore.dense(feature))
    settings = AblationSettings(by, reference, bench.settings.seed)
    findings = ablate_text(bench.runs, bench.dictionary, feature, text, settings)
    recipe = causal.recipe("ablate", text=text, by=by.value)
    evidence = causal.evidence(EvidenceKind.ABLATION, recipe, findings.model_dump(mode="json"))
    causal.store(recipe, [evidence])
    return StoredAblation(findings, evidence.id)


def run_attribution(causal: CausalWork, text: str, word: str | None) -> StoredAttribution:
    """Attribute the feature on `text`, and store it.

    Raises:
        UserError: the feature never fires on `explore`, the text is too long, or `word` is no token.

    """
    bench = causal.bench
    _ = causal.steered
    findings = attribute_text(bench.runs, bench.dictionary, causal.ref.index, text, word)
    recipe = causal.recipe("attribute", text=text, token=word)
    evidence = causal.evidence(EvidenceKind.ATTRIBUTION, recipe, findings.model_dump(mode="json"))
    causal.store(recipe, [evidence])
    return StoredAttribution(findings, evidence.id)
