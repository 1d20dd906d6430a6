"""Steps that conclude: minimal contexts, facets, the verdict, and what is remembered."""

from __future__ import annotations

from glossator.agents.investigator.believing import believed
from glossator.agents.investigator.case import Case
from glossator.agents.investigator.facets import facet_split
from glossator.agents.investigator.findings import findings_of
from glossator.agents.investigator.minimal_context import minimal_context
from glossator.agents.investigator.progress import Progress, SealedScores
from glossator.agents.investigator.sealed_scoring import sealed_f1
from glossator.agents.investigator.told_apart import told_apart
from glossator.agents.trace.trace import StepTrace
from glossator.agents.verdict import decide
from glossator.records import (
    Candidate,
    Evidence,
    EvidenceKind,
    ExplanationMethod,
    FeatureInvestigation,
    MinimalContext,
    StopReason,
    TraceKind,
    Verdict,
    VerdictKind,
)

TOLD = 6
"""Hypotheses that a verdict names."""
UNREAD = "no model read its words, and it has no predicate"


async def minimal(case: Case, progress: Progress, events: StepTrace) -> Progress:
    """The shortest firing contexts of the strongest windows."""
    if progress.stopped is StopReason.TIME or not case.limits.minimal:
        return progress
    found = await case.bench.compute(lambda: _minimal(case))
    if not found:
        return progress
    recipe = {
        "tool": "minimal_context",
        "feature": case.ref.index,
        "texts": [m.text for m in found],
        "threshold": case.threshold,
        "index": case.bench.preparation.index.identity,
    }
    payload = [m.model_dump(mode="json") for m in found]
    ids = case.trace.keep([Evidence.of(case.ref, EvidenceKind.MINIMAL_CONTEXT, recipe, payload)])
    words = f"{len(found)} minimal contexts: {'; '.join(m.kept for m in found)}"
    events.add(TraceKind.TOOL_RESULT, words, {"tool": "minimal_context"}, evidence=ids)
    return progress.model_copy(update={"minimal": found, "evidence": (*progress.evidence, *ids)})


def _minimal(case: Case) -> tuple[MinimalContext, ...]:
    texts = ["".join(w.tokens[: w.peak + 1]) for w in case.prepared.shown.windows]
    found: list[MinimalContext] = []
    for text in dict.fromkeys(texts[: 2 * case.limits.minimal]):
        one = minimal_context(case.bench.activations, case.ref.index, text, case.threshold)
        found += [] if one is None else [one]
        if len(found) == case.limits.minimal:
            break
    return tuple(found)


async def facets(case: Case, progress: Progress, events: StepTrace) -> Progress:
    """Several meanings as several facets, and exceptions; joined they are a claim of their own."""
    standing = case.standing(progress)
    if not standing.hypotheses:
        return progress
    analyst, activations = case.bench.preparation.analyst, case.bench.activations
    split = await case.bench.compute(
        lambda: facet_split(analyst, activations, case.ref, standing.hypotheses, standing.experiments)
    )
    known = {h.id for h in progress.hypotheses}
    made = [h for h in (*split.made, *([split.joined] if split.joined else [])) if h.id not in known]
    for hypothesis in made:
        events.add(TraceKind.HYPOTHESIS, f"{hypothesis.origin.value}: {hypothesis.text}",
                   hypothesis.model_dump(mode="json"))  # fmt: skip
    update = {
        "hypotheses": (*progress.hypotheses, *made),
        "facets": split.facets,
        "exceptions": split.exceptions,
    }
    return (await believed(case, progress.model_copy(update=update)))[0]


async def verdict(case: Case, progress: Progress, events: StepTrace) -> Progress:
    """By the written rule; the card is stored with its evidence."""
    scored = progress.scored or SealedScores(explanation=None)
    decided = _capped(_decided(case, progress, scored), scored)
    preparation, prepared = case.bench.preparation, case.prepared
    ids = (*progress.evidence, *progress.experiments)
    stored = [case.trace.store.evidence(i) for i in dict.fromkeys(ids)]
    evidence = [e for e in stored if isinstance(e, Evidence)]
    card = preparation.card(prepared, scored.explanation, scored.scores, evidence, decided)
    spent = None if case.bench.calls is None else progress.spending
    card = card.model_copy(update={"candidates": _candidates(scored), "spending": spent})
    case.trace.store.ledger.save_card(case.trace.run, card, evidence)
    payload = decided.model_dump(mode="json")
    events.add(TraceKind.VERDICT, f"{decided.kind.value}: {decided.reason}", payload, evidence=card.evidence)
    return progress.model_copy(update={"verdict": decided, "evidence": card.evidence})


def _decided(case: Case, progress: Progress, scored: SealedScores) -> Verdict:
    facts = case.bench.preparation.room.facts(case.ref)
    return decide(facts, scored.explanation, scored.scores, _tried(case, progress), reader=scored.reader)


def _tried(case: Case, progress: Progress) -> tuple[str, ...]:
    """The most believed hypotheses with what is believed of them; all of them stand in the result."""
    text = {h.id: told_apart(h, progress.hypotheses) for h in progress.hypotheses}
    said = tuple(
        f"{text[b.hypothesis]} ({'refuted' if b.hypothesis in progress.refuted else f'{b.probability:.2f}'}"
        f" after {b.n} texts)"
        for b in progress.beliefs[:TOLD]
    )
    return said or case.prepared.tried


def _capped(decided: Verdict, scored: SealedScores) -> Verdict:
    """Words that nobody read are never accepted: an embedder's likeness is not what they claim."""
    said = scored.explanation
    if said is None or said.method is ExplanationMethod.EMBEDDED or scored.reader is not None:
        return decided
    if decided.kind is not VerdictKind.ACCEPTED:
        return decided
    update = {"kind": VerdictKind.TENTATIVE, "reason": f"{decided.reason}, but {UNREAD}"}
    return decided.model_copy(update=update)


def _candidates(scored: SealedScores) -> tuple[Candidate, ...]:
    """The chosen claim beside the one-shot label, where there are both."""
    chosen, baseline = scored.explanation, scored.baseline
    if chosen is None or baseline is None or chosen.id == baseline.id:
        return ()
    return (
        Candidate(explanation=chosen, scores=scored.scores, chosen=True,
                  validate_value=scored.validate_value, validate_n=scored.validate_n),
        Candidate(explanation=baseline, scores=scored.baseline_scores, chosen=False),
    )  # fmt: skip


async def remember(case: Case, progress: Progress, events: StepTrace) -> Progress:
    """What others may recall, and the result."""
    findings = findings_of(case, progress)
    if case.bench.memory is not None and findings:
        case.bench.memory.add(case.trace.investigation, findings)
        words = f"{len(findings)} findings remembered"
        events.add(TraceKind.TOOL_RESULT, words, {"findings": [f.id for f in findings]})
    return progress.model_copy(update={"result": _result(case, progress)})


def _result(case: Case, progress: Progress) -> FeatureInvestigation:
    assert progress.verdict is not None
    assert progress.stopped is not None
    scored = progress.scored or SealedScores(explanation=None)
    own, baseline = sealed_f1(scored.scores), sealed_f1(scored.baseline_scores)
    by_id = {h.id: h for h in progress.hypotheses}
    ranked = [by_id[b.hypothesis] for b in progress.beliefs]
    return FeatureInvestigation(
        id=case.trace.investigation,
        feature=case.ref,
        proposer=case.proposer.author,
        explanation=scored.explanation,
        verdict=progress.verdict,
        hypotheses=tuple(ranked),
        beliefs=progress.beliefs,
        refuted=progress.refuted,
        experiments=progress.experiments,
        facets=progress.facets,
        exceptions=progress.exceptions,
        minimal=progress.minimal,
        stopped=progress.stopped,
        baseline_f1=None if baseline is None else baseline.value,
        f1=None if own is None else own.value,
        f1_interval=None if own is None else own.interval,
        evidence=progress.evidence,
        spending=progress.spending,
        seconds=progress.seconds,
    )
