"""The stress report of one feature, from its effects and its label to a grade in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from glossator.agents.causal.concept import Concept
from glossator.agents.causal.effect_explanation import claim_of
from glossator.agents.embedded_analyst.analyst import EmbeddedAnalyst
from glossator.agents.scorers.interventions.meaning_checks import MeaningChecks, meaning_checks
from glossator.agents.scorers.interventions.stress_report import stress_report
from glossator.agents.verdict import unfit_to_explain
from glossator.causal_session import CausalSession
from glossator.effects_run import label_card, run_effects
from glossator.probes.neighbours import nearest_by_direction
from glossator.probes.vocabulary import Vocabulary
from glossator.records import (
    CausalFindings,
    EvidenceKind,
    Explanation,
    InterventionScore,
    StressReport,
    VerdictKind,
)
from glossator.report.progress import TaskProgress

SIBLINGS = 8
"""Nearest features by direction that the label must tell the feature from."""


class StoredStress(NamedTuple):
    """The report with the findings that it starts from, and the id that it is stored under."""

    report: StressReport
    findings: CausalFindings
    label: Explanation | None
    """The input-side label whose meaning was tested."""
    evidence: str
    from_ledger: bool
    """It was made by an earlier call."""


def run_stress(causal: CausalSession, progress: TaskProgress, *, force: bool = False) -> StoredStress:
    """Put a feature's causal claim to every test, or take the report from the ledger.

    Raises:
        UserError: the feature never fires on `explore`.

    """
    effects = run_effects(causal, progress)
    findings, bench = effects.findings, causal.bench
    label = _label(causal)
    recipe = causal.recipe("stress", effects=effects.evidence, label=None if label is None else label.id)
    stored = [] if force else causal.done(recipe)
    if stored:
        report = causal.read(StressReport, stored[-1])
        return StoredStress(report, findings, label, stored[-1].id, from_ledger=True)
    progress.stage("testing the label's meaning", "features")
    checks = _meaning(causal, label)
    progress.advance(1, 1)
    progress.stage("stress grid", "features")
    said = findings.explanation
    report = stress_report(
        bench, causal.ref.index, claim=_claim(findings),
        concept=stored_concept(findings.effects.concept, causal.session.subject.vocabulary),
        up=findings.up, down=findings.down, checks=checks.checks,
        score=_score(findings, bench.settings.explained_at),
        explanation=None if said is None else claim_of(said), seed=bench.settings.seed,
    )  # fmt: skip
    progress.advance(1, 1)
    found = causal.evidence(EvidenceKind.STRESS, recipe, report.model_dump(mode="json"))
    causal.store(recipe, [*checks.evidence, found])
    return StoredStress(report, findings, label, found.id, from_ledger=False)


def stored_concept(texts: Sequence[str], vocabulary: Vocabulary) -> Concept:
    """The concept that consists of these token texts."""
    known = {text: i for i, text in reversed(list(enumerate(vocabulary.texts))) if not vocabulary.special[i]}
    held = tuple(text for text in texts if text in known)
    return Concept(tuple(known[text] for text in held), held, (0.0,) * len(held))


def _label(causal: CausalSession) -> Explanation | None:
    """The label on the feature's card, else what the embedded analyst says of it; None after abstention."""
    card = label_card(causal)
    if card is not None:
        return None if card.verdict.kind is VerdictKind.ABSTAINED else card.explanation
    if unfit_to_explain(causal.bench.room.facts(causal.ref)) is not None:
        return None
    analyst = EmbeddedAnalyst(causal.index.explore, causal.index.validate, causal.bench.room.embedder)
    return analyst.explain(causal.ref).explanation


def _meaning(causal: CausalSession, label: Explanation | None) -> MeaningChecks:
    if label is None:
        return MeaningChecks((), ())
    directions = causal.bench.dictionary.directions()
    siblings = nearest_by_direction(directions, causal.ref.index, SIBLINGS).indices.tolist()
    return meaning_checks(causal.bench.room, label, siblings, activate=causal.session.text_activations())


def _claim(findings: CausalFindings) -> str:
    if findings.explanation is not None:
        return findings.explanation.text
    return "nothing: no token rises in most prompts when the feature is turned up"


def _score(findings: CausalFindings, level: float) -> InterventionScore | None:
    """The embedded reader's score at the level at which effects are explained."""
    return next((s for s in findings.scores if s.target_kl == level), None)
