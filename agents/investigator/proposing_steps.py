"""Steps that look and claim: recall, observe, propose, refine."""

from __future__ import annotations

from collections.abc import Sequence

from glossator.agents.investigator.admitting import Admitted, admit
from glossator.agents.investigator.believing import believed
from glossator.agents.investigator.case import Case
from glossator.agents.investigator.progress import Progress
from glossator.agents.investigator.proposer import Proposal
from glossator.agents.investigator.told_apart import told_apart
from glossator.agents.trace.trace import StepTrace
from glossator.errors import BudgetSpent
from glossator.records import HypothesisOrigin, StopReason, TraceKind


async def recall(case: Case, progress: Progress, events: StepTrace) -> Progress:
    """What memory holds: priors of the feature, meanings of its neighbours."""
    memory = case.bench.recall
    if memory is None:
        return progress
    prepared = await case.bench.compute(lambda: case.prepared)
    priors = memory.priors(case.ref)
    distractors = memory.distractors(case.ref, prepared.neighbours)
    ids = [f.id for f in (*priors, *distractors)]
    words = f"memory holds {len(priors)} findings of this feature, {len(distractors)} of its neighbours"
    events.add(TraceKind.TOOL_RESULT, words, {"findings": list(ids)})
    return progress.model_copy(update={"recalled": priors, "distractors": distractors})


async def observe(case: Case, progress: Progress, events: StepTrace) -> Progress:
    """Windows, statistics, output tokens and neighbours, stored as evidence."""
    prepared = await case.bench.compute(lambda: case.prepared)
    shown = prepared.shown
    ids = case.trace.keep(shown.evidence)
    words = f"fires on {shown.density:.3%} of tokens, at most {shown.max_activation:.3g}"
    events.add(TraceKind.TOOL_RESULT, words, {"tool": "observe"}, evidence=ids)
    update: dict[str, object] = {"evidence": (*progress.evidence, *ids)}
    if prepared.unfit is not None:
        events.add(TraceKind.LIMIT, prepared.unfit)
        update["stopped"] = StopReason.UNFIT
    return progress.model_copy(update=update)


async def propose(case: Case, progress: Progress, events: StepTrace) -> Progress:
    """Competing claims; the embedded analyst's label is always among them, where it has one."""
    proposals: Sequence[Proposal] = ()
    stopped = progress.stopped
    try:
        proposals = await case.proposer.hypotheses(case.observed(progress), case.limits.hypotheses)
    except BudgetSpent as spent:
        events.add(TraceKind.LIMIT, str(spent))
        stopped = StopReason.BUDGET
    admitted = await case.bench.compute(
        lambda: _admitted(case, progress, proposals[: case.limits.hypotheses], HypothesisOrigin.PROPOSED)
    )
    progress = _with(progress, admitted, events)
    embedded = case.prepared.embedded
    if embedded is not None:
        own = admit(
            [Proposal(embedded.text, embedded.predicate)], progress.hypotheses, case.ref, case.corpus,
            author=embedded.author, origin=HypothesisOrigin.PROPOSED,
        )  # fmt: skip
        progress = _with(progress, own, events)
    if not progress.hypotheses and stopped is None:
        stopped = StopReason.NOTHING_TO_TEST
        events.add(TraceKind.LIMIT, "no hypothesis was proposed")
    return (await believed(case, progress.model_copy(update={"stopped": stopped})))[0]


async def refine(case: Case, progress: Progress, events: StepTrace) -> Progress:
    """Better claims after what the experiments showed."""
    counted = progress.model_copy(update={"refinements": progress.refinements + 1})
    try:
        proposals = await case.proposer.refine(
            case.observed(progress), case.standing(progress), case.limits.hypotheses
        )
    except BudgetSpent as spent:
        events.add(TraceKind.LIMIT, str(spent))
        return counted.model_copy(update={"stopped": StopReason.BUDGET, "leads_to": "update"})
    leader = case.leader(progress)
    parents = () if leader is None else (leader.id,)
    named = [p if p.parents else p._replace(parents=parents) for p in proposals[: case.limits.hypotheses]]
    admitted = await case.bench.compute(lambda: _admitted(case, progress, named, HypothesisOrigin.REFINED))
    refined, _ = await believed(case, _with(counted, admitted, events))
    return refined.model_copy(update={"leads_to": _after(case, progress, bool(admitted.hypotheses))})


def _after(case: Case, progress: Progress, found: bool) -> str:
    """To more experiments; to beliefs where none may be run, or a broken leader was not bettered."""
    more = progress.rounds < case.limits.rounds and progress.texts < case.limits.texts
    return "experiment" if more and (found or not progress.broken) else "update"


def _admitted(
    case: Case, progress: Progress, proposals: Sequence[Proposal], origin: HypothesisOrigin
) -> Admitted:
    author = case.proposer.author
    return admit(proposals, progress.hypotheses, case.ref, case.corpus, author=author, origin=origin)


def _with(progress: Progress, admitted: Admitted, events: StepTrace) -> Progress:
    known = (*progress.hypotheses, *admitted.hypotheses)
    for hypothesis in admitted.hypotheses:
        words = f"{hypothesis.author}: {told_apart(hypothesis, known)}"
        events.add(TraceKind.HYPOTHESIS, words, hypothesis.model_dump(mode="json"))
    if admitted.dropped:
        reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(admitted.dropped.items()))
        events.add(
            TraceKind.TOOL_ERROR, f"proposals left out: {reasons}", {"reasons": dict(admitted.dropped)}
        )
    return progress.model_copy(update={"hypotheses": (*progress.hypotheses, *admitted.hypotheses)})
