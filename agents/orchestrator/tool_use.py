"""Running one call that a planner wants: checked, written down, its evidence kept before it is cited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from glossator.agents.orchestrator.action import CallTool
from glossator.agents.orchestrator.situation import Gathered
from glossator.agents.tools.tool import Catalogue, ToolResult
from glossator.agents.trace.trace import StepTrace, Trace
from glossator.errors import BudgetSpent, GlossatorError, StorageError
from glossator.records import TraceKind

_SHOWN_PROBLEMS = 4


async def use_tool(call: CallTool, catalogue: Catalogue, trace: Trace, events: StepTrace) -> Gathered:
    """What came of one call; an error is something to adapt to.

    Raises:
        StorageError: the ledger cannot be written.
        BudgetSpent: the tool needed a call that the budget has no room for.

    """
    payload = {"tool": call.tool, "arguments": dict(call.arguments)}
    tool = catalogue.get(call.tool)
    quick = tool is None or not tool.slow  # what takes long is told of before it begins
    events.add(TraceKind.TOOL_CALL, str(call), payload, later=quick)
    if tool is None:
        return _failed(call, f"there is no tool {call.tool!r}: choose one of {', '.join(catalogue)}", events)
    arguments = checked_arguments(tool.arguments, call.arguments)
    if isinstance(arguments, str):
        return _failed(call, arguments, events)
    try:
        result = await tool.run(arguments)
    except (StorageError, BudgetSpent):
        raise
    except GlossatorError as error:
        return _failed(call, str(error), events)
    kept = trace.keep(result.evidence)
    events.add(TraceKind.TOOL_RESULT, _result_words(call, result), _result_payload(result), evidence=kept)
    return Gathered(call, result)


def checked_arguments(form: type[BaseModel], given: Mapping[str, Any]) -> BaseModel | str:
    """The arguments in their form, or what is wrong with them and what the tool takes."""
    try:
        return form.model_validate(dict(given))
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, e['loc'])) or 'the arguments'}: {e['msg']}"
            for e in error.errors(include_input=False, include_url=False)[:_SHOWN_PROBLEMS]
        ]
        takes = ", ".join(
            name if field.is_required() else f"{name} (optional)" for name, field in form.model_fields.items()
        )
        return f"wrong arguments: {'; '.join(problems)}. It takes {takes or 'none'}"


def _failed(call: CallTool, error: str, events: StepTrace) -> Gathered:
    events.add(TraceKind.TOOL_ERROR, f"{call.tool}: {error}", {"tool": call.tool, "error": error})
    return Gathered(call, None, error)


def _result_words(call: CallTool, result: ToolResult) -> str:
    n = len(result.facts)
    first = f": {result.facts[0].text}" if result.facts else ""
    return f"{call.tool}: {n} fact{'' if n == 1 else 's'}{first}"


def _result_payload(result: ToolResult) -> Any:
    facts = [{"text": f.text, "evidence": f.evidence, "features": list(f.features)} for f in result.facts]
    return {"facts": facts, "left_out": result.left_out}
