"""A planner model that says its actions in a JSON schema, for models without tool calls of their own."""

from __future__ import annotations

from dataclasses import replace

from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Call, ChatReply, Unscored
from glossator.agents.llm_calls.json_answers import read_json
from glossator.agents.orchestrator.action import Move, NextAction, NoMove, action_schema, prose_answer
from glossator.agents.orchestrator.model_asking import ask_planner, planning_call
from glossator.agents.orchestrator.prompt_lines import conversation_lines, gathered_lines, tool_lines
from glossator.agents.orchestrator.situation import Situation
from glossator.agents.trace.trace import StepTrace
from glossator.prompts.fence import fenced
from glossator.prompts.prompt_file import load_prompt
from glossator.records import PlannerKind


class SchemaPlanner:
    """See the module."""

    kind = PlannerKind.SCHEMA

    def __init__(self, room: CallRoom) -> None:
        self._room = room

    async def decide(self, situation: Situation, events: StepTrace) -> Move | NoMove:
        """The next move; see `Planner`."""
        return await ask_planner(self._room, schema_call(situation), read_action, events)


def schema_call(situation: Situation) -> Call:
    """The question for the next action."""
    prompt = load_prompt("orchestrate").render(
        tools=tool_lines(situation),
        conversation=conversation_lines(situation),
        request=fenced("Q", situation.request),
        gathered=gathered_lines(situation),
        calls=situation.calls_left,
    )
    tools = situation.catalogue if situation.calls_left > 0 else ()
    return replace(planning_call(prompt), schema=action_schema(tools))


def read_action(reply: ChatReply) -> Move | NoMove | Unscored:
    """The action of a reply; prose that cites facts is an answer, too."""
    action = read_json(reply, NextAction)
    if not isinstance(action, Unscored):
        return action.move()
    prose = prose_answer(reply.text) if not action.detail.startswith("not as asked") else None
    return action if prose is None else Move(answer=prose)
