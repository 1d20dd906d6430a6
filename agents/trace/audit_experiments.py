"""Whether an investigation took its experiments seriously: part of the audit of its trace."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from glossator.agents.trace.audit_flag import AuditFlag, AuditKind, flagged
from glossator.agents.trace.reading import (
    beliefs_in,
    call_in,
    expectations_in,
    experiments_in,
    hypotheses_in,
    result_in,
    verdict_in,
)
from glossator.records import (
    Belief,
    Expectation,
    Experiment,
    FeatureInvestigation,
    StoredEvent,
    TraceEvent,
    TraceKind,
    VerdictKind,
)

LEAST_DECIDED = 3
"""Decided texts from which an experiment that went wrong must move beliefs."""
LEAST_TRIED = 3
"""Texts from which trying only those that should fire is one-sided; a single one is a question."""
_MOVED = 1e-6


def one_sided(trace: Sequence[TraceEvent]) -> Generator[AuditFlag]:
    """Hypotheses (the leading one, where there is one) and features tested only where they should fire."""
    leader = _leader(trace)
    expected: dict[str, list[Expectation]] = {}
    first: dict[str, TraceEvent] = {}
    for event in trace:
        said = expectations_in(event) if event.kind is TraceKind.TOOL_CALL else []
        if said:
            given = call_in(event).arguments
            whose = str(given.get("hypothesis", given.get("feature", "")))
            first.setdefault(whose, event)
            expected.setdefault(whose, []).extend(said)
    for whose, said in expected.items():
        fires = len(said) >= LEAST_TRIED and all(e is Expectation.FIRES for e in said)
        if fires and leader in (None, whose):
            words = (
                f"all {len(said)} texts tried for {whose or 'it'} were expected to fire; none to be silent"
            )
            yield flagged(AuditKind.ONE_SIDED, words, first[whose])


def ignored_outcomes(trace: Sequence[TraceEvent]) -> Generator[AuditFlag]:
    """Experiments that went against their hypothesis and moved no belief in it."""
    known = {h.id for e in trace if e.kind is TraceKind.HYPOTHESIS for h in hypotheses_in(e)}
    before: dict[str, Belief] = {}
    for place, event in enumerate(trace):
        for experiment in experiments_in(event) if event.kind is TraceKind.TOOL_RESULT else ():
            whose = experiment.hypothesis
            if whose in known and _went_wrong(experiment) and not _moves(trace[place:], whose, before):
                words = (
                    f"{experiment.decided - experiment.right} of {experiment.decided} texts spoke against "
                    f"{whose}, and no belief in it changed afterwards"
                )
                yield flagged(AuditKind.IGNORED_OUTCOME, words, event)
        before |= {b.hypothesis: b for b in _believed(event)}


def _went_wrong(experiment: Experiment) -> bool:
    return experiment.decided >= LEAST_DECIDED and 2 * experiment.right < experiment.decided


def _moves(rest: Sequence[TraceEvent], whose: str, before: dict[str, Belief]) -> bool:
    after = [b for event in rest for b in _believed(event) if b.hypothesis == whose]
    known = before.get(whose)
    return any(known is None or _changed(known, b) for b in after)


def failed_leader(events: Sequence[StoredEvent]) -> Generator[AuditFlag]:
    """An accepted claim that got most of its own predictions wrong."""
    trace = [stored.event for stored in events]
    accepted = [e for e in trace if e.kind is TraceKind.VERDICT and _accepts(e)]
    if not accepted:
        return
    chosen = _chosen(events) or _leader(trace)
    results = [x for e in trace if e.kind is TraceKind.TOOL_RESULT for x in experiments_in(e)]
    own = [x for x in results if x.hypothesis == chosen]
    right, decided = sum(x.right for x in own), sum(x.decided for x in own)
    if decided >= LEAST_DECIDED and 2 * right < decided:
        words = f"{chosen} was accepted although {decided - right} of its {decided} decided texts went wrong"
        yield flagged(AuditKind.FAILED_LEADER, words, accepted[-1])


def _chosen(events: Sequence[StoredEvent]) -> str | None:
    """The hypothesis whose words the accepted explanation has."""
    result = result_in(events)
    if not isinstance(result, FeatureInvestigation) or result.explanation is None:
        return None
    same = [h.id for h in result.hypotheses if h.text == result.explanation.text]
    return same[0] if same else None


def _leader(trace: Sequence[TraceEvent]) -> str | None:
    """The most believed hypothesis at the end; None where nothing was ever believed."""
    believed = [found for event in trace if (found := _believed(event))]
    return max(believed[-1], key=lambda b: b.probability).hypothesis if believed else None


def untested_beliefs(trace: Sequence[TraceEvent]) -> Generator[AuditFlag]:
    """Beliefs that changed although nothing was measured since they were last told."""
    before: dict[str, Belief] = {}
    measured = False
    for event in trace:
        measured |= event.kind is TraceKind.TOOL_RESULT and bool(event.evidence)
        believed = _believed(event)
        moved = [b for b in believed if b.hypothesis in before and _changed(before[b.hypothesis], b)]
        if moved and not measured:
            was = before[moved[0].hypothesis]
            words = (
                f"belief in {moved[0].hypothesis} went from {was.probability:.2f} to "
                f"{moved[0].probability:.2f} although nothing was measured in between"
            )
            yield flagged(AuditKind.UNTESTED_BELIEF, words, event)
        if believed:
            measured, before = False, before | {b.hypothesis: b for b in believed}


def _changed(before: Belief, after: Belief) -> bool:
    """By log-odds: probabilities also change when another hypothesis enters."""
    return abs(before.log_odds - after.log_odds) > _MOVED


def _believed(event: TraceEvent) -> list[Belief]:
    return beliefs_in(event) if event.kind is TraceKind.BELIEF else []


def _accepts(event: TraceEvent) -> bool:
    verdict = verdict_in(event)
    return verdict is not None and verdict.kind is VerdictKind.ACCEPTED
