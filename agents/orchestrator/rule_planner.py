"""A planner without a model: written rules map the words of a request to tools, and facts are the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from glossator.agents.orchestrator.action import CallTool, DraftAnswer, Move, NoMove
from glossator.agents.orchestrator.claims import FACTS_OF_STEP, facts_as_claims, untold_facts
from glossator.agents.orchestrator.named_in_text import named_features
from glossator.agents.orchestrator.request_reading import Reading, read_request
from glossator.agents.orchestrator.rule_plans import Aim, Known, first_aims, fitted, follow_up_aims
from glossator.agents.orchestrator.situation import Gathered, Situation
from glossator.agents.trace.trace import StepTrace
from glossator.records import PlannerKind

_MARKS = re.compile(r"<<|>>")
_MANY_STEPS = 5
"""Calls from which on each gives fewer claims."""
UNREAD = (
    "no rule reads this request: name features (`feature 812`), quote a text, say what they should be about"
    ", or set a model with --investigator"
)


class RulePlanner:
    """See the module. It keeps nothing between decisions: what was gathered says how far it is."""

    kind = PlannerKind.RULES

    async def decide(self, situation: Situation, events: StepTrace) -> Move | NoMove:
        """The next move; see `Planner`."""
        reading = read_request(situation.request)
        features = reading.features or _of_the_conversation(reading, situation)
        known = _known(situation.gathered)
        aims = first_aims(reading, features, known)
        todo = _next(aims, situation)
        if todo is None and not features and aims:
            aims += follow_up_aims(reading, known)
            todo = _next(aims, situation)
        if todo is not None and situation.calls_left > 0:
            return Move((todo,))
        return Move(answer=_answer(aims, situation))


def _next(aims: Sequence[Aim], situation: Situation) -> CallTool | None:
    """The first call of an aim that is not reached and has a way left."""
    for aim in aims:
        progress = _progress(aim, situation)
        if not progress.reached and progress.left:
            return progress.left[0]
    return None


class _Progress(NamedTuple):
    reached: bool
    left: tuple[CallTool, ...]
    errors: tuple[str, ...]


def _progress(aim: Aim, situation: Situation) -> _Progress:
    made = {str(step.call): step for step in situation.gathered if step.call is not None}
    left: list[CallTool] = []
    errors: list[str] = []
    for way in aim.ways:
        call = fitted(way, situation.catalogue)
        if call is None:
            continue
        step = made.get(str(call))
        if step is None:
            left.append(call)
        elif step.facts:
            return _Progress(True, (), ())
        else:
            errors.append(step.error or f"{call.tool} found nothing")
    return _Progress(False, tuple(left), tuple(errors))


def _answer(aims: Sequence[Aim], situation: Situation) -> DraftAnswer:
    if not aims:
        return DraftAnswer((), enough=False, remarks=(UNREAD,))
    progress = [(aim, _progress(aim, situation)) for aim in aims]
    missed = [(aim, p) for aim, p in progress if not p.reached and aim.needed]
    remarks = tuple(f"{aim.purpose}: {p.errors[0] if p.errors else 'no tool for it'}" for aim, p in missed)
    per_step = FACTS_OF_STEP if len(situation.gathered) < _MANY_STEPS else FACTS_OF_STEP // 2
    claims = facts_as_claims(situation.gathered, per_step)
    untold = untold_facts(situation.gathered, per_step)
    return DraftAnswer(claims, enough=bool(claims) and not missed, remarks=(*remarks, *untold))


def _known(gathered: Sequence[Gathered]) -> Known:
    facts = [fact for step in gathered for fact in step.facts]
    found = dict.fromkeys(i for fact in facts for i in fact.features)
    windows: dict[int, str] = {}
    for step in gathered:
        if step.call is not None and step.call.tool == "windows":
            for fact in step.facts:
                text = _MARKS.sub("", fact.text.partition(" in: ")[2]).strip()
                if text and fact.features:
                    windows.setdefault(fact.features[0], text)
    return Known(tuple(found), windows)


def _of_the_conversation(reading: Reading, situation: Situation) -> tuple[int, ...]:
    """Features of the last answer, where the request says `them` and names none itself."""
    names_something = reading.topic or reading.quoted or reading.evidence
    if not reading.refers_back or names_something or not situation.conversation:
        return ()
    last = situation.conversation[-1]
    asked = named_features(last.request)
    told = (i for claim in last.claims for i in named_features(claim.text))
    return asked or tuple(dict.fromkeys(told))[:3]
