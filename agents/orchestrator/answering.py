"""From what a planner said, or what was found until a limit, to the answer that is shown and stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from glossator.agents.orchestrator.action import DraftAnswer
from glossator.agents.orchestrator.claims import check_claims, facts_as_claims, untold_facts
from glossator.agents.orchestrator.named_in_text import named_features
from glossator.agents.orchestrator.situation import Gathered, Situation
from glossator.agents.orchestrator.surroundings import Surroundings
from glossator.agents.trace.trace import StepTrace, Trace
from glossator.records import Answer, Claim, ClaimStanding, Contradiction, LlmSpending, PlannerKind, TraceKind


class Ending(NamedTuple):
    """How the planning of a request ended."""

    planner: PlannerKind
    stopped: str
    """The limit that ended it; empty where the planner answered."""
    spent: LlmSpending
    seconds: float


async def finished_answer(
    situation: Situation,
    draft: DraftAnswer | None,
    ending: Ending,
    trace: Trace,
    around: Surroundings,
) -> Answer:
    """The answer, its claims checked, written to the trace; without a draft the facts speak."""
    gathered = situation.gathered
    said = draft or DraftAnswer(facts_as_claims(gathered), enough=False, remarks=untold_facts(gathered))
    names = trace.store.find(trace.investigation).names
    claims = check_claims(said.claims, situation, trace.store, names)
    supported = [c for c in claims if c.standing is ClaimStanding.SUPPORTED]
    answer = Answer(
        investigation=trace.investigation,
        request=situation.request,
        claims=claims,
        enough=said.enough and bool(supported),
        tried=tuple(step.in_words() for step in situation.gathered),
        left_out=(*said.remarks, *_left_out(situation.gathered)),
        contradictions=await _contradictions(situation, supported, around),
        planner=ending.planner,
        stopped=ending.stopped,
        spending=ending.spent,
        seconds=ending.seconds,
    )
    # A request that goes on after a limit ends a second time, in a step of another name.
    ended = f"stopped-{len(situation.gathered)}" if ending.stopped else "answer"
    with trace.at(ended, told_at_once=False) as events:
        _write(answer, events)
    return answer


def _left_out(gathered: Sequence[Gathered]) -> list[str]:
    told = [(step.call, step.result.left_out) for step in gathered if step.result is not None]
    return [f"{call.tool}: {words}" for call, words in told if call is not None and words]


async def _contradictions(
    situation: Situation, claims: Sequence[Claim], around: Surroundings
) -> tuple[Contradiction, ...]:
    if around.contradictions is None:
        return ()
    cited = {identity for claim in claims for identity in claim.evidence}
    gathered = situation.gathered
    facts = [f for s in gathered for f in s.facts if f.evidence in cited]
    named = [i for claim in claims for i in named_features(claim.text)]
    learnt = [i for s in gathered if s.result is not None for f in s.result.findings for i in f.features]
    # A fact of many features, such as a comparison's, names those that it is about in words.
    alone = [f.features[0] for f in facts if len(f.features) == 1]
    return await around.contradictions.of(
        list(dict.fromkeys([*named, *alone, *learnt])), [c.text for c in claims]
    )


def _write(answer: Answer, events: StepTrace) -> None:
    for claim in answer.claims:
        mark = (
            "" if claim.standing is ClaimStanding.SUPPORTED else f" [{claim.standing.value}: {claim.remark}]"
        )
        payload = claim.model_dump(mode="json")
        events.add(TraceKind.CLAIM, f"{claim.text}{mark}", payload, evidence=claim.evidence, later=True)
    for contradiction in answer.contradictions:
        events.add(TraceKind.CLAIM, f"contradiction: {contradiction.words}", later=True)
    words = f"{len(answer.claims)} claims" if answer.enough else "not enough evidence"
    events.add(TraceKind.FINISHED, words, answer.model_dump(mode="json"), spent=answer.spending)
