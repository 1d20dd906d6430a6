"""How planner models are asked: in the call room, as the investigator, with everything written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import Call, ChatReply, Role, Unscored
from glossator.agents.orchestrator.action import Move, NoMove
from glossator.agents.trace.trace import StepTrace
from glossator.prompts.rendered_prompt import RenderedPrompt
from glossator.records import TraceKind

MAX_TOKENS = 900
LIKELY = (
    '{"thought": "search first", "tool": "search_by_meaning", "arguments": "{\\"text\\": \\"law\\"}", '
    '"claims": [], "enough": false}'
)
"""A usual reply, for estimates."""


def planning_call(prompt: RenderedPrompt) -> Call:
    """The question that `prompt` asks a planner."""
    return Call(role=Role.INVESTIGATOR, prompt=prompt, max_tokens=MAX_TOKENS, likely=LIKELY)


async def ask_planner(
    room: CallRoom, call: Call, read: Callable[[ChatReply], Move | NoMove | Unscored], events: StepTrace
) -> Move | NoMove:
    """Ask, and write down what was said, what came back and what it cost."""
    events.add(TraceKind.PROMPT, f"asks {room.model(call.role)}", _prompt_payload(call))
    with room.meter() as meter:
        said = await room.ask(call, read)
    move = NoMove(f"{said.reason}: {said.detail}") if isinstance(said, Unscored) else said
    events.add(TraceKind.REPLY, reply_words(move), _reply_payload(move), spent=meter.spending)
    return move


def reply_words(move: Move | NoMove) -> str:
    """One line for people."""
    if isinstance(move, NoMove):
        return f"no usable reply: {move.reason}"
    if move.answer is not None:
        return f"answers with {len(move.answer.claims)} claims"
    thought = f" ({move.thought.strip()[:120]})" if move.thought.strip() else ""
    return f"wants {', '.join(call.tool for call in move.calls)}{thought}"


def _prompt_payload(call: Call) -> Any:
    turns = [{"role": m.role, "content": m.content} for m in call.prompt.messages]
    tools = [tool.name for tool in call.tools]
    payload = {"prompt": call.prompt.ref.model_dump(mode="json"), "turns": turns, "tools": tools}
    return payload


def _reply_payload(move: Move | NoMove) -> Any:
    if isinstance(move, NoMove):
        return {"unusable": move.reason}
    calls = [{"tool": c.tool, "arguments": dict(c.arguments)} for c in move.calls]
    payload: dict[str, object] = {"thought": move.thought, "calls": calls}
    if move.answer is not None:
        claims = [{"text": c.text, "cited": list(c.cited)} for c in move.answer.claims]
        payload |= {"claims": claims, "enough": move.answer.enough}
    return payload
