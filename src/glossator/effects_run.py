"""Everything causal about one feature, measured once under the same settings and kept in the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from glossator.causal_bench import causes_over
from glossator.causal_session import CausalSession
from glossator.records import CausalFindings, EvidenceKind, FeatureCard, StressReport
from glossator.report.causal_page import write_causal_page
from glossator.report.progress import TaskProgress


class StoredEffects(NamedTuple):
    """Findings, and the id that they are stored under."""

    findings: CausalFindings
    evidence: str
    from_ledger: bool
    """They were measured by an earlier call."""


def run_effects(causal: CausalSession, progress: TaskProgress, *, force: bool = False) -> StoredEffects:
    """Measure what the feature causes, or take it from the ledger.

    Raises:
        UserError: the feature never fires on `explore`.

    """
    _ = causal.steered  # before anything long begins
    card = label_card(causal)
    label = None if card is None or card.explanation is None else card.explanation.id
    recipe = causal.recipe("effects", label=label)
    stored = [] if force else [e for e in causal.done(recipe) if e.kind is EvidenceKind.CAUSES]
    if stored:
        return StoredEffects(causal.read(CausalFindings, stored[-1]), stored[-1].id, from_ledger=True)
    causes = causes_over(causal.bench, causal.session, causal.index)
    progress.stage("strengths and effects", "features")
    measured = causes.measure(causal.ref.index)
    progress.advance(1, 1)
    progress.stage("explaining and scoring", "features")
    explanation = causes.explain(measured)
    done = causes.finish(measured, explanation, label_scores=None if card is None else card.scores)
    progress.advance(1, 1)
    strengths = [
        causal.evidence(EvidenceKind.STRENGTHS, {**recipe, "sign": c.sign}, c.model_dump(mode="json"))
        for c in (done.findings.down, done.findings.up)
        if c is not None
    ]
    causal.store(recipe, [*strengths, *done.evidence])
    (found,) = (e.id for e in done.evidence if e.kind is EvidenceKind.CAUSES)
    return StoredEffects(done.findings, found, from_ledger=False)


def label_card(causal: CausalSession) -> FeatureCard | None:
    """The feature's card, if one was measured on this index."""
    card = causal.session.ledger().latest_card(causal.ref)
    return card if card is not None and card.index_identity == causal.index.identity else None


def write_page(
    causal: CausalSession, folder: Path, name: str, findings: CausalFindings, stress: StressReport | None
) -> Path:
    """An HTML page of what was found, `NAME-INDEX.html` in `folder`."""
    calibrations = [c for c in (findings.down, findings.up) if c is not None]
    return write_causal_page(
        folder / f"{name}-{causal.ref.index}.html", str(causal.ref), effects=findings.effects,
        calibrations=calibrations, explanation=findings.explanation, scores=findings.scores,
        role=findings.role, stress=stress, notes=findings.notes,
    )  # fmt: skip
