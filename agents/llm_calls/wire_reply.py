"""A LangChain message read as a reply: text, why it ended, usage, probabilities."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from glossator.agents.llm_calls.chat import AnswerToken, ChatReply, Finish, TokenLogprob, ToolCall

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
else:
    BaseMessage = Any

_ENDINGS = {
    "length": Finish.LENGTH, "max_tokens": Finish.LENGTH, "model_context_window_exceeded": Finish.LENGTH,
    "max_output_tokens": Finish.LENGTH,
    "content_filter": Finish.REFUSAL, "refusal": Finish.REFUSAL, "safety": Finish.REFUSAL,
    "prohibited_content": Finish.REFUSAL, "guardrail_intervened": Finish.REFUSAL,
}  # fmt: skip
"""By OpenAI, Anthropic, Google and Bedrock."""


class _Alternative(BaseModel):
    token: str
    logprob: float


class _Token(_Alternative):
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(BaseModel):
    content: list[_Token] | None = None


def read_reply(message: BaseMessage) -> ChatReply:
    """What the endpoint answered. Reasoning is not part of the text."""
    metadata: dict[str, Any] = message.response_metadata
    refusal = message.additional_kwargs.get("refusal")
    usage = getattr(message, "usage_metadata", None)
    details: dict[str, int] = (usage or {}).get("input_token_details") or {}
    return ChatReply(
        text=message.text or (refusal if isinstance(refusal, str) else ""),
        finish=Finish.REFUSAL if refusal else _finish(metadata),
        input_tokens=_counted(usage["input_tokens"]) if usage else None,
        output_tokens=_counted(usage["output_tokens"]) if usage else None,
        cached_tokens=_counted(details.get("cache_read") or 0) or 0,
        tokens=_tokens(metadata.get("logprobs")),
        tool_calls=_tool_calls(message),
    )


def _counted(tokens: int) -> int | None:
    """A number below 0 counts as not given: it would pay into the budget."""
    return tokens if tokens >= 0 else None


def _tool_calls(message: BaseMessage) -> tuple[ToolCall, ...]:
    """Calls that LangChain could read, then those whose arguments are no JSON, as the model wrote them."""
    read: list[dict[str, Any]] = getattr(message, "tool_calls", None) or []
    broken: list[dict[str, Any]] = getattr(message, "invalid_tool_calls", None) or []
    good = (ToolCall(str(c["name"]), json.dumps(c["args"], ensure_ascii=False)) for c in read)
    bad = (ToolCall(str(c.get("name") or ""), str(c.get("args") or "")) for c in broken)
    return (*good, *bad)


def _finish(metadata: dict[str, Any]) -> Finish:
    incomplete: dict[str, Any] = metadata.get("incomplete_details") or {}
    reasons = (metadata.get(key) for key in ("finish_reason", "stop_reason", "done_reason"))
    said = incomplete.get("reason") or next((r for r in reasons if r), "stop")
    return _ENDINGS.get(str(said).lower(), Finish.STOP)


def _tokens(logprobs: object) -> tuple[AnswerToken, ...]:
    """Probabilities in OpenAI's form; what is not in that form counts as not given."""
    try:
        content = _Logprobs.model_validate(logprobs).content or []
    except ValidationError:
        return ()
    return tuple(
        AnswerToken(t.token, t.logprob, tuple(TokenLogprob(a.token, a.logprob) for a in t.top_logprobs or ()))
        for t in content
    )
