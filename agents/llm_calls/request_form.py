"""How a request is written in OpenAI's dialect, and what of it an endpoint turned out not to take.

Servers and models differ in which optional fields they accept, and say so with a 400 or 422 that names
the field. What was refused once is left away from then on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from pydantic import JsonValue

from glossator.agents.llm_calls.chat import AnswerSchema, Capabilities, ChatRequest, ToolSchema

Fields = dict[str, JsonValue]
"""Fields of a request's JSON body, besides model and messages."""
LimitName = Literal["max_tokens", "max_completion_tokens"]


class Part(StrEnum):
    """An optional part of a request, by the name of its field."""

    TEMPERATURE = "temperature"
    SEED = "seed"
    LOGPROBS = "logprobs"
    SCHEMA = "response_format"
    NO_THINKING = "chat_template_kwargs"
    """Turns "thinking" off in chat templates that have it; else it would use up the answer's tokens."""
    EFFORT = "reasoning_effort"
    TOOLS = "tools"


_REFUSALS = {
    Part.TEMPERATURE: r"temperature",
    Part.SEED: r"\bseed\b",
    Part.LOGPROBS: r"logprobs",
    Part.SCHEMA: r"response_format|structured.outputs?|grammar|schema",
    Part.NO_THINKING: r"chat_template_kwargs|enable_thinking",
    Part.EFFORT: r"reasoning",
    Part.TOOLS: r"\btools?\b|tool[_-]choice|function.?call",
}
"""Words by which endpoints refuse each part."""
_UNKNOWN_FIELD = re.compile(
    r"instead|unsupported|un(known|recognized)|not (supported|permitted)|extra", re.IGNORECASE
)

_BEHIND_URL = frozenset(Part) - {Part.EFFORT}
_HOSTED = frozenset(Part) - {Part.EFFORT, Part.NO_THINKING}
_REASONING = frozenset({Part.SCHEMA, Part.SEED, Part.EFFORT, Part.TOOLS})


@dataclass
class RequestForm:
    """The parts that an endpoint takes, as far as is known. Starts hopeful and learns from refusals."""

    parts: set[Part] = field(default_factory=lambda: set(_BEHIND_URL))
    limit: LimitName = "max_tokens"
    """OpenAI's own models want the newer name, most servers know the older one."""
    effort: str | None = None
    """Reasoning effort, for models that reason before they answer."""
    allowance: int = 0
    """Tokens of reasoning that such a model may spend besides the answer's own."""

    @classmethod
    def hosted(cls) -> RequestForm:
        """The form for a provider's own models."""
        return cls(set(_HOSTED))

    @classmethod
    def of_openai(cls, model: str) -> RequestForm:
        """The form for a model of OpenAI's, by what its documentation says of the name.

        Reasoning is turned down as far as it goes: an answer of a few tokens would otherwise be cut
        before it begins.
        """
        limit: LimitName = "max_completion_tokens"
        if re.match(r"o\d", model):
            return cls(set(_REASONING), limit, "low", 2048)
        if re.match(r"gpt-5(-mini|-nano)?(-\d{4}.*)?$", model):
            return cls(set(_REASONING), limit, "minimal")
        if re.match(r"gpt-5\.\d", model) and not re.search("chat|codex|pro", model):
            return cls(set(_HOSTED | {Part.EFFORT}), limit, "none")
        return cls(set(_HOSTED), limit)

    @property
    def capabilities(self) -> Capabilities:
        """As far as is known."""
        return Capabilities(
            schema=Part.SCHEMA in self.parts,
            logprobs=Part.LOGPROBS in self.parts,
            tools=Part.TOOLS in self.parts,
        )

    def fields(self, request: ChatRequest) -> Fields:
        """The request, as the endpoint takes it."""
        every: Fields = {
            Part.TEMPERATURE: request.temperature,
            Part.SEED: request.sample,
            Part.NO_THINKING: {"enable_thinking": False},
            Part.EFFORT: self.effort,
        }
        if request.schema is not None:
            every[Part.SCHEMA] = _response_format(request.schema)
        if request.tools:
            every[Part.TOOLS] = [written_tool(tool) for tool in request.tools]
        if request.top_logprobs > 0:
            every[Part.LOGPROBS] = True
        taken: Fields = {self.limit: request.max_tokens + self.allowance}
        taken |= {str(name): value for name, value in every.items() if name in self.parts}
        if Part.LOGPROBS in taken:
            taken["top_logprobs"] = request.top_logprobs
        return taken

    def learn_refusal(self, sent: Fields, complaint: str) -> None:
        """Leave away what `complaint`, the endpoint's answer to a request with the fields `sent`, names."""
        limit: LimitName = "max_tokens" if "max_tokens" in sent else "max_completion_tokens"
        if re.search(rf"\b{limit}\b", complaint) and _UNKNOWN_FIELD.search(complaint):
            self.limit = "max_tokens" if limit == "max_completion_tokens" else "max_completion_tokens"
            return
        self.parts -= {
            p for p in self.parts if p in sent and re.search(_REFUSALS[p], complaint, re.IGNORECASE)
        }

    def forget(self, part: Part) -> None:
        """The endpoint takes `part` and does not act on it."""
        self.parts.discard(part)


def written_tool(tool: ToolSchema) -> JsonValue:
    """A tool as OpenAI's dialect describes it."""
    described: Fields = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    return {"type": "function", "function": described}


def _response_format(schema: AnswerSchema) -> JsonValue:
    named: Fields = {"name": schema.name, "strict": True, "schema": dict(schema.schema)}
    return {"type": "json_schema", "json_schema": named}
