"""Steps that test: experiments, beliefs, and the attempt to break the leader."""

from __future__ import annotations

from collections.abc import Sequence

from glossator.agents.investigator.beliefs import decided_texts, predictions
from glossator.agents.investigator.believing import believed
from glossator.agents.investigator.case import Case
from glossator.agents.investigator.experiments import accept, run_experiments
from glossator.agents.investigator.progress import Progress
from glossator.agents.investigator.proposer import TestBatch
from glossator.agents.investigator.told_apart import told_apart
from glossator.agents.trace.trace import StepTrace
from glossator.errors import BudgetSpent
from glossator.records import Experiment, Hypothesis, StopReason, TraceKind

MOVED = 0.02
"""Change of the leader's probability below which a round moved nothing."""
LEAST_TEXTS = 4
"""Decided texts behind a hypothesis before it counts as decided: the corpus alone decides nothing."""
BROKEN = 0.3
"""Share of a challenge's texts that the leader may get wrong, and one text in any case."""
CHALLENGED = (StopReason.DECIDED, StopReason.STAGNATED, StopReason.STEPS)
"""What an attempt to break the leader follows."""


async def experiment(case: Case, progress: Progress, events: StepTrace) -> Progress:
    """One round: the proposer's texts with their predictions, run and judged."""
    try:
        batches = await case.proposer.tests(
            case.observed(progress), case.standing(progress), case.limits.tests
        )
    except BudgetSpent as spent:
        events.add(TraceKind.LIMIT, str(spent))
        return progress.model_copy(update={"stopped": StopReason.BUDGET})
    ran = await _run(case, progress, batches, events)
    if ran.experiments == progress.experiments:
        events.add(TraceKind.LIMIT, "no texts to run were proposed")
    return ran.model_copy(update={"rounds": progress.rounds + 1})


async def update(case: Case, progress: Progress, events: StepTrace) -> Progress:
    """Beliefs after everything that was run, and what comes next."""
    before = progress
    progress = await _believed(case, progress, events)
    quiet = 0 if _moved(before, progress) else progress.quiet + 1
    progress = progress.model_copy(update={"quiet": quiet})
    stopped = progress.stopped or _stop(case, progress)
    if stopped is not None and progress.stopped is None:
        events.add(TraceKind.LIMIT, f"experiments end: {stopped.value}")
    progress = progress.model_copy(update={"stopped": stopped})
    return progress.model_copy(update={"leads_to": _next(case, progress)})


async def challenge(case: Case, progress: Progress, events: StepTrace) -> Progress:
    """Texts written to break the leader; the subject's activation labels them."""
    leader, before = case.leader(progress), len(progress.experiments)
    try:
        batches = await case.proposer.challenges(
            case.observed(progress), case.standing(progress), case.limits.tests
        )
    except BudgetSpent as spent:
        events.add(TraceKind.LIMIT, str(spent))
        return progress.model_copy(update={"stopped": StopReason.BUDGET, "leads_to": "minimal"})
    progress = await _run(case, progress, batches, events)
    progress = await _believed(case, progress, events)
    new = case.experiments(progress.experiments[before:])
    broke = leader is not None and _broke(case, progress, leader, new)
    changed: dict[str, object] = {"challenges": progress.challenges + 1, "leads_to": "minimal"}
    if leader is not None and broke:
        events.add(TraceKind.BELIEF, "the challenge broke the leading claim", {"hypothesis": leader.id})
        again = progress.broken < case.limits.breaks
        goes_on = {"stopped": None, "quiet": 0, "leads_to": "refine"}
        changed |= {"broken": progress.broken + 1} | (goes_on if again else {"stopped": StopReason.STEPS})
    elif _correctable(case, progress):
        changed |= {"stopped": None, "quiet": 0, "leads_to": "refine"}
    return progress.model_copy(update=changed)


async def _run(case: Case, progress: Progress, batches: Sequence[TestBatch], events: StepTrace) -> Progress:
    known = frozenset(t.text for e in case.experiments(progress.experiments) for t in e.tested)
    playing = {h.id for h in progress.hypotheses}
    ours = [b for b in batches if b.hypothesis in playing]
    accepted = accept(ours, known, most=case.limits.tests, room=case.limits.texts - progress.texts)
    refused = accepted.refused | ({"unknown hypothesis": n} if (n := len(batches) - len(ours)) else {})
    for batch in accepted.batches:
        events.add(TraceKind.TOOL_CALL, f"{batch.kind.value}: {len(batch.tests)} texts", _call(batch))
    if refused:
        events.add(TraceKind.TOOL_ERROR, "texts left out", {"tool": "test_texts", "reasons": dict(refused)})
    identity = case.bench.preparation.index.identity
    ran = await case.bench.compute(
        lambda: run_experiments(accepted.batches, case.ref, case.texts, case.corpus, identity)
    )
    case.trace.keep([r.evidence for r in ran])
    for one in ran:
        case.knows(one.evidence.id, one.experiment)
        done = one.experiment
        words = f"{done.right} of {done.decided} decided texts did as predicted"
        events.add(TraceKind.TOOL_RESULT, words, one.evidence.payload, evidence=[one.evidence.id])
    ids = (*progress.experiments, *(r.evidence.id for r in ran))
    update = {"experiments": tuple(dict.fromkeys(ids)), "texts": progress.texts + accepted.new}
    return progress.model_copy(update=update)


def _call(batch: TestBatch) -> dict[str, object]:
    tests: list[object] = [
        {"text": t.text, "expectation": t.expected.value, "why": t.why} for t in batch.tests
    ]
    return {"tool": "test_texts", "hypothesis": batch.hypothesis, "kind": batch.kind.value, "tests": tests}


async def _believed(case: Case, progress: Progress, events: StepTrace) -> Progress:
    after, made = await believed(case, progress)
    payload: dict[str, object] = {
        "beliefs": [b.model_dump(mode="json") for b in made.ranked],
        "none_of_them": made.none_of_them,
        "refuted": list(made.refuted),
    }
    leading = made.ranked[0] if made.ranked else None
    words = "nothing is believed"
    if leading is not None:
        named = {h.id: told_apart(h, progress.hypotheses) for h in progress.hypotheses}
        words = f"{leading.probability:.2f} that {named[leading.hypothesis]}"
    events.add(TraceKind.BELIEF, words, payload)
    return after


def _moved(before: Progress, after: Progress) -> bool:
    if set(before.refuted) != set(after.refuted) or not before.beliefs:
        return True
    first, last = before.beliefs[0], after.beliefs[0]
    return first.hypothesis != last.hypothesis or abs(first.probability - last.probability) >= MOVED


def _stop(case: Case, progress: Progress) -> StopReason | None:
    limits, leader = case.limits, progress.beliefs[0] if progress.beliefs else None
    if limits.seconds is not None and progress.seconds >= limits.seconds:
        return StopReason.TIME
    decided = leader is not None and leader.probability >= limits.decided and leader.n >= LEAST_TEXTS
    if decided and not _correctable(case, progress):
        return StopReason.DECIDED
    over = progress.rounds >= limits.rounds or progress.texts >= limits.texts
    if (over or progress.quiet >= limits.stagnant) and not progress.experiments:
        return StopReason.NOTHING_TO_TEST
    if over:
        return StopReason.STEPS
    return StopReason.STAGNATED if progress.quiet >= limits.stagnant else None


def _next(case: Case, progress: Progress) -> str:
    if progress.stopped is not None:
        more = progress.texts < case.limits.texts and progress.challenges <= case.limits.breaks
        able = more and bool(case.standing(progress).hypotheses)
        return "challenge" if able and progress.stopped in CHALLENGED else "minimal"
    return "refine" if _correctable(case, progress) else "experiment"


def _correctable(case: Case, progress: Progress) -> bool:
    """Whether a claim is wrong about a text that was run, and may still be corrected.

    The leader's mistakes always count; those of others, only until corrections were asked for once, so that
    a proposer is heard again though another's claim leads: what it missed may be a second meaning.
    """
    playing = case.standing(progress).hypotheses
    heard = playing[:1] if progress.refinements else playing
    experiments = case.experiments(progress.experiments)
    wrong = not playing or any(_wrong(case, h, experiments) > 0 for h in heard)
    return wrong and progress.refinements < case.limits.rounds


def _wrong(case: Case, hypothesis: Hypothesis, experiments: Sequence[Experiment]) -> int:
    """Decided texts that did something else than `hypothesis` predicts."""
    predicted = predictions(hypothesis, experiments, case.texts)
    decided = decided_texts(experiments)
    return sum(predicted[t] != fires for t, fires in decided.items() if t in predicted)


def _broke(case: Case, progress: Progress, leader: Hypothesis, new: Sequence[Experiment]) -> bool:
    if leader.id in progress.refuted:
        return True
    n, wrong = len(decided_texts(new)), _wrong(case, leader, new)
    return wrong >= 2 and wrong > BROKEN * n
