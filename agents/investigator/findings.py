"""What an investigation leaves behind, each finding with the evidence that it rests on."""

from __future__ import annotations

from glossator.agents.embedded_analyst.wording import category_of
from glossator.agents.investigator.case import Case
from glossator.agents.investigator.progress import Progress
from glossator.records import (
    ExceptionRegion,
    Explanation,
    Finding,
    FindingKind,
    Hypothesis,
    Not,
    predicate_json,
)


def findings_of(case: Case, progress: Progress) -> tuple[Finding, ...]:
    """The meaning, its facets and exceptions, and what was refuted; what has no evidence is left out."""
    return (*_meaning(case, progress), *_regions(case, progress), *_refuted(case, progress))


def _meaning(case: Case, progress: Progress) -> list[Finding]:
    scored, verdict = progress.scored, progress.verdict
    if scored is None or scored.explanation is None or verdict is None or not progress.evidence:
        return []
    said = scored.explanation
    measured = tuple(dict.fromkeys(s.evidence for s in scored.scores if s.evidence))
    evidence = (*(measured or progress.evidence), *progress.experiments)
    return [_finding(case, FindingKind.MEANING, said.text, evidence, said.author, verdict.kind.value)]


def _regions(case: Case, progress: Progress) -> list[Finding]:
    evidence, by = (*progress.evidence, *progress.experiments), case.proposer.author
    if not evidence:
        return []
    return [
        *(_finding(case, FindingKind.FACET, f.text, evidence, by) for f in progress.facets),
        *(
            _finding(case, FindingKind.EXCEPTION, e.text, evidence, by)
            for e in progress.exceptions
            if states(_said(progress), e)
        ),
    ]


def states(claim: Explanation | None, exception: ExceptionRegion) -> bool:
    """Whether `claim` itself makes the exception; else it was seen in a rival that was not chosen."""
    if claim is None or claim.predicate is None:
        return False
    return predicate_json(Not(part=exception.predicate)) in predicate_json(claim.predicate)


def _said(progress: Progress) -> Explanation | None:
    return None if progress.scored is None else progress.scored.explanation


def _refuted(case: Case, progress: Progress) -> list[Finding]:
    """Not those that read like what is claimed: of two rules in the same words, one was only fitted worse."""
    by_id, said = {h.id: h for h in progress.hypotheses}, _said(progress)
    found: list[Finding] = []
    for identity in progress.refuted:
        hypothesis = by_id[identity]
        if said is not None and category_of(hypothesis.text) == category_of(said.text):
            continue
        evidence = _spoke(case, progress, hypothesis)
        if evidence:
            found.append(_finding(case, FindingKind.REFUTED, hypothesis.text, evidence, hypothesis.author))
    return found


def _spoke(case: Case, progress: Progress, hypothesis: Hypothesis) -> tuple[str, ...]:
    """Its own experiments; all of them where its predicate was judged by others' texts."""
    ids = progress.experiments
    own = tuple(i for i, e in zip(ids, case.experiments(ids), strict=True) if e.hypothesis == hypothesis.id)
    return own if hypothesis.predicate is None else own or ids or progress.evidence


def _finding(
    case: Case, kind: FindingKind, text: str, evidence: tuple[str, ...], author: str, verdict: str = ""
) -> Finding:
    ref = case.ref
    return Finding.of(
        ref.subject, ref.dictionary, (ref.index,), kind, text,
        evidence=tuple(dict.fromkeys(evidence)), verdict=verdict, author=author,
    )  # fmt: skip
