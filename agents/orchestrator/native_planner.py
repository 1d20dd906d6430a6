"""A planner model that calls tools in its own form.

`answer` is one more tool. Servers that take the description of tools and do nothing with it show by a reply
without any call: from then on the same model is asked for actions in a JSON schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from pydantic import ValidationError

from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import (
    Call,
    ChatReply,
    Role,
    ToolCall,
    ToolSchema,
    Unscored,
    UnscoredReason,
)
from glossator.agents.llm_calls.json_answers import read_json
from glossator.agents.orchestrator.action import (
    ANSWER,
    CallTool,
    CitedClaim,
    DraftAnswer,
    Move,
    NextAction,
    NoMove,
    drafted,
    prose_answer,
    read_arguments,
)
from glossator.agents.orchestrator.model_asking import ask_planner, planning_call
from glossator.agents.orchestrator.prompt_lines import conversation_lines, gathered_lines
from glossator.agents.orchestrator.schema_planner import SchemaPlanner
from glossator.agents.orchestrator.situation import Situation
from glossator.agents.tools.tool import AnyTool
from glossator.agents.trace.trace import StepTrace
from glossator.prompts.fence import fenced
from glossator.prompts.prompt_file import load_prompt
from glossator.records import PlannerKind

_CLAIM: Any = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "description": "One thing that facts say."},
        "facts": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Labels of the facts it rests on, such as F3.",
        },
    },
    "required": ["text", "facts"],
}
ANSWER_TOOL = ToolSchema(
    ANSWER,
    "Ends the request with what was found.",
    {
        "type": "object",
        "properties": {
            "claims": {"type": "array", "items": _CLAIM},
            "enough": {"type": "boolean", "description": "Whether the facts answer the request."},
        },
        "required": ["claims", "enough"],
    },
)
_NO_CALL = "the reply called no tool and cited no fact: call a tool, or the tool answer"


class NativePlanner:
    """See the module."""

    kind = PlannerKind.NATIVE

    def __init__(self, room: CallRoom) -> None:
        self._room, self._plain = room, SchemaPlanner(room)
        self._calls_tools = True

    async def decide(self, situation: Situation, events: StepTrace) -> Move | NoMove:
        """The next move; see `Planner`."""
        if not (self._calls_tools and self._room.capabilities(Role.INVESTIGATOR).tools):
            return await self._plain.decide(situation, events)
        move = await ask_planner(self._room, native_call(situation), read_calls, events)
        if isinstance(move, NoMove) and _NO_CALL in move.reason:
            self._calls_tools = False
        return move


def native_call(situation: Situation) -> Call:
    """The question for the next calls."""
    prompt = load_prompt("orchestrate_native").render(
        conversation=conversation_lines(situation),
        request=fenced("Q", situation.request),
        gathered=gathered_lines(situation),
        calls=situation.calls_left,
    )
    offered = situation.catalogue.values() if situation.calls_left > 0 else ()
    tools = (*(described(tool) for tool in offered), ANSWER_TOOL)
    return replace(planning_call(prompt), tools=tools)


def described(tool: AnyTool) -> ToolSchema:
    """A tool of the catalogue as models want it described."""
    schema = cast(dict[str, Any], _untitled(tool.arguments.model_json_schema()))
    schema.pop("description", None)
    return ToolSchema(tool.name, tool.description, cast(Mapping[str, Any], schema))


def _untitled(node: object) -> object:
    """Without pydantic's titles, which cost tokens and say nothing."""
    if isinstance(node, list):
        return [_untitled(n) for n in cast(list[object], node)]
    if not isinstance(node, dict):
        return node
    inner = cast(dict[str, object], node)
    return {k: _untitled(v) for k, v in inner.items() if not (k == "title" and isinstance(v, str))}


def read_calls(reply: ChatReply) -> Move | NoMove | Unscored:
    """The calls of a reply; an action written as text counts, and prose that cites facts is an answer."""
    if reply.tool_calls:
        return _move(reply)
    action = read_json(reply, NextAction)
    if not isinstance(action, Unscored):
        return action.move()
    if action.reason is UnscoredReason.REFUSED:
        return action
    prose = prose_answer(reply.text)
    return Unscored(UnscoredReason.MALFORMED, _NO_CALL) if prose is None else Move(answer=prose)


def _move(reply: ChatReply) -> Move | NoMove:
    """An answer beside other calls was given before their results were there: it does not count."""
    calls = [c for c in reply.tool_calls if c.name != ANSWER]
    if not calls:
        return _answered(reply.tool_calls[-1], reply.text)
    wanted: list[CallTool] = []
    for call in calls:
        arguments = read_arguments(call.arguments)
        if arguments is None:
            return NoMove(f"the arguments of {call.name} must be one JSON object")
        wanted.append(CallTool(call.name, arguments))
    return Move(tuple(wanted), thought=reply.text)


def _answered(call: ToolCall, thought: str) -> Move | NoMove:
    given = read_arguments(call.arguments)
    if given is None:
        return NoMove("the arguments of answer must be one JSON object with claims and enough")
    claims = given.get("claims")
    try:
        listed = [CitedClaim.model_validate(c) for c in claims] if isinstance(claims, list) else []
    except ValidationError:
        return NoMove('each claim of answer must be {"text": "…", "facts": ["F1"]}')
    draft = DraftAnswer(drafted((c.text, c.facts) for c in listed), enough=given.get("enough") is True)
    return Move(answer=draft, thought=thought)
