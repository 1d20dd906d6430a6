"""Reads a trace for what an honest investigation would not hold.

A flag is a reason to look, not a verdict: it names the step and says what was seen. Nothing here asks a
model or measures anything; the same trace always has the same flags.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from glossator.agents.trace.audit_experiments import (
    failed_leader,
    ignored_outcomes,
    one_sided,
    untested_beliefs,
)
from glossator.agents.trace.audit_flag import AuditFlag, AuditKind, flagged
from glossator.agents.trace.reading import call_in, claims_in, facts_in, quantiles_in, result_of, verdict_in
from glossator.records import Answer, StoredEvent, TraceEvent, TraceKind, VerdictKind

__all__ = ["AuditFlag", "AuditKind", "audit"]

WEAK_BELOW = 0.5
"""Quantile of firing below which a window is a weak one."""
IN_A_ROW = 3
"""Errors of one tool, one after the other, that are too many."""

CONTRADICTION = "contradiction: "
"""What begins a line of an answer that code found in the ledger: no claim, and it names what it rests on."""

EvidenceExists = Callable[[str], bool]


def audit(events: Sequence[StoredEvent], evidence_exists: EvidenceExists) -> tuple[AuditFlag, ...]:
    """Flags of a trace, in the order of its kinds of fault; none for a clean one.

    Args:
        events: the whole trace, in order.
        evidence_exists: whether an id is evidence in the ledger.
    """
    trace = [stored.event for stored in events]
    return (
        *_unsupported(trace, evidence_exists),
        *_cherry_picked(trace),
        *one_sided(trace),
        *ignored_outcomes(trace),
        *failed_leader(events),
        *untested_beliefs(trace),
        *_unanswered(trace),
        *_after_the_end(trace),
        *_repeated_failures(trace),
    )


def _unsupported(trace: Sequence[TraceEvent], exists: EvidenceExists) -> Generator[AuditFlag]:
    produced: set[str] = set()
    for event in trace:
        if event.kind in (TraceKind.TOOL_RESULT, TraceKind.NODE):
            produced |= set(event.evidence)
        for said, cited in _said(event):
            missing = [i for i in cited if i not in produced and not exists(i)]
            if not cited or missing:
                why = f"cites {', '.join(missing)}, which nothing measured" if cited else "cites no evidence"
                yield flagged(AuditKind.UNSUPPORTED_CLAIM, f"{said} {why}", event)


def _said(event: TraceEvent) -> Generator[tuple[str, tuple[str, ...]]]:
    """What an event asserts, with what it cites: claims, and verdicts that let a label stand."""
    if event.kind is TraceKind.CLAIM:
        claims = [(f"the claim {c.text!r}", c.evidence) for c in claims_in(event)]
        if not claims and not event.words.startswith(CONTRADICTION):
            claims = [(f"the claim {event.words!r}", event.evidence)]
        yield from claims
    verdict = verdict_in(event) if event.kind is TraceKind.VERDICT else None
    if verdict is not None and verdict.kind is not VerdictKind.ABSTAINED:
        yield f"the verdict {event.words!r}", event.evidence


def _cherry_picked(trace: Sequence[TraceEvent]) -> Generator[AuditFlag]:
    """Claims that say more than a tool did, from nothing but windows, of which none was a weak one."""
    results = [e for e in trace if e.kind is TraceKind.TOOL_RESULT]
    lowest = {i: min(found) for e in results if (found := quantiles_in(e)) for i in e.evidence}
    if not lowest or min(lowest.values()) < WEAK_BELOW:
        return
    stated = {text for e in results for text in facts_in(e)}
    for event in trace:
        for claim in claims_in(event) if event.kind is TraceKind.CLAIM else ():
            rests = claim.evidence and all(i in lowest for i in claim.evidence)
            if rests and claim.text not in stated and not claim.text.startswith("window "):
                words = (
                    f"the claim {claim.text!r} rests on windows above quantile "
                    f"{min(lowest[i] for i in claim.evidence):.2f} alone; weaker firings were not looked at"
                )
                yield flagged(AuditKind.CHERRY_PICKED, words, event)


def _unanswered(trace: Sequence[TraceEvent]) -> Generator[AuditFlag]:
    """By step; the step in which an unfinished trace ends may still be waiting."""
    ended = any(e.kind is TraceKind.FINISHED for e in trace)
    answers = (TraceKind.REPLY, TraceKind.LIMIT, TraceKind.FAILED)
    steps: dict[str, list[TraceEvent]] = {}
    for event in trace:
        steps.setdefault(event.step, []).append(event)
    for step, own in steps.items():
        asked = [e for e in own if e.kind is TraceKind.PROMPT]
        missing = len(asked) - sum(e.kind in answers for e in own)
        if missing > 0 and (ended or step != trace[-1].step):
            words = f"{missing} of {len(asked)} prompts have no reply"
            yield flagged(AuditKind.UNANSWERED_PROMPT, words, asked[-1])


def _after_the_end(trace: Sequence[TraceEvent]) -> Generator[AuditFlag]:
    """An answer that a limit cut short may be gone on with; nothing else may follow a result."""
    ends = [p for p, e in enumerate(trace) if e.kind is TraceKind.FINISHED and not _cut_short(e)]
    if ends and ends[0] < len(trace) - 1:
        after = trace[ends[0] + 1 :]
        yield flagged(AuditKind.AFTER_THE_END, f"{len(after)} events follow the result", after[0])


def _cut_short(event: TraceEvent) -> bool:
    result = result_of(event)
    return isinstance(result, Answer) and bool(result.stopped)


def _repeated_failures(trace: Sequence[TraceEvent]) -> Generator[AuditFlag]:
    tool, row, failed = "", 0, [e for e in trace if e.kind is TraceKind.FAILED]
    for event in trace:
        if event.kind is TraceKind.TOOL_ERROR:
            called = call_in(event).tool or event.words
            row = row + 1 if called == tool else 1
            tool = called
            if row == IN_A_ROW:
                yield flagged(AuditKind.REPEATED_FAILURE, f"{tool} failed {row} times in a row", event)
        elif event.kind is TraceKind.TOOL_RESULT:
            tool, row = "", 0
    if len(failed) >= IN_A_ROW:
        words = f"the investigation failed {len(failed)} times, last: {failed[-1].words}"
        yield flagged(AuditKind.REPEATED_FAILURE, words, failed[-1])
