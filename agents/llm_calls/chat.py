"""What is said to a chat model and what it answers, whatever the provider.

An endpoint (`ChatEndpoint`) turns a request into a reply or raises a `CallFailure`; it does not retry,
meter or store. `call_room.py` does, and is what everybody else talks to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from pydantic import JsonValue

from glossator.prompts.rendered_prompt import ChatMessage, RenderedPrompt


class Role(StrEnum):
    """Who is speaking: each role may have a model of its own."""

    EXPLAINER = "explainer"
    """Writes explanations (and texts from them)."""
    SCORER = "scorer"
    """Reads explanations: detection, fuzzing, simulation, intruder."""
    INVESTIGATOR = "investigator"
    """Plans and proposes; used by investigations."""
    JUDGE = "judge"
    """Compares answers; used by investigations."""


class AnswerSchema(NamedTuple):
    """The form that an answer should have, as JSON schema (strict subset: all properties required,
    no additional ones)."""

    name: str
    schema: Mapping[str, JsonValue]


class ToolSchema(NamedTuple):
    """A tool that a model may call, as providers want it described."""

    name: str
    description: str
    parameters: Mapping[str, JsonValue]
    """JSON schema of its arguments, an object."""


class ToolCall(NamedTuple):
    """One call that a model made of a tool."""

    name: str
    arguments: str
    """JSON text as the model wrote it; nobody has checked it."""


@dataclass(frozen=True)
class ChatRequest:
    """One question, complete. Equal requests to the same endpoint are the same call."""

    messages: tuple[ChatMessage, ...]
    max_tokens: int
    """Most tokens of the answer."""
    temperature: float = 0.0
    schema: AnswerSchema | None = None
    """Asked of endpoints that can constrain their answers; others are told in the prompt anyway."""
    top_logprobs: int = 0
    """Alternatives per answer token that are wanted; 0 for none."""
    sample: int = 0
    """Tells apart several draws of the same question at a temperature above 0; also the seed."""
    tools: tuple[ToolSchema, ...] = ()
    """Tools that the model may call instead of answering in words."""


class TokenLogprob(NamedTuple):
    """A token and the natural log of its probability."""

    token: str
    logprob: float


class AnswerToken(NamedTuple):
    """One token of an answer with its likeliest alternatives (itself among them)."""

    token: str
    logprob: float
    alternatives: tuple[TokenLogprob, ...]


class Finish(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    """The model was done."""
    LENGTH = "length"
    """It was cut at `max_tokens`."""
    REFUSAL = "refusal"
    """The provider says that the model refused, or filtered the answer."""


@dataclass(frozen=True)
class ChatReply:
    """One answer."""

    text: str
    finish: Finish = Finish.STOP
    input_tokens: int | None = None
    """As the endpoint counts them; None where it does not say."""
    output_tokens: int | None = None
    cached_tokens: int = 0
    """Of the input tokens, those that the endpoint had in its prefix cache."""
    tokens: tuple[AnswerToken, ...] = ()
    """With probabilities; empty where they were not asked for or not given."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Tools that the model wants called, in its order."""


class UnscoredReason(StrEnum):
    """Why there is no usable answer. Counted in every report; never turned into a 0."""

    MALFORMED = "malformed answer"
    MISSING = "no answer to this example"
    EMPTY = "empty answer"
    CUT = "answer cut at the token limit"
    REFUSED = "refusal"
    TIMED_OUT = "timed out"
    RATE_LIMITED = "rate limited"
    SERVER_ERROR = "server error"
    UNREACHABLE = "endpoint unreachable"
    CONTEXT_TOO_SMALL = "prompt longer than the model's context"


class Unscored(NamedTuple):
    """No usable answer, and why."""

    reason: UnscoredReason
    detail: str = ""
    """For logs and messages; never holds a key or sealed text."""


class CallFailure(Exception):
    """An endpoint could not answer. Raised by endpoints, handled by the call room alone."""

    def __init__(
        self, reason: UnscoredReason, detail: str, *, retryable: bool, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.retryable, self.retry_after = reason, detail, retryable, retry_after
        """`retry_after` is in seconds, as the endpoint asked for."""


@dataclass(frozen=True)
class Capabilities:
    """What an endpoint can do beyond text."""

    schema: bool = False
    """Constrains answers to a JSON schema."""
    logprobs: bool = False
    """Gives probabilities of answer tokens."""
    tools: bool = False
    """Calls tools in a form of its own."""


@runtime_checkable
class ChatEndpoint(Protocol):
    """One model behind one provider."""

    @property
    def model(self) -> str:
        """Short name, for authors, readers and prices: `gpt-5-mini`, `my-model`."""
        ...

    @property
    def identity(self) -> str:
        """What changes whenever the answers could: provider, model, URL; in the cache key. No secrets."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def complete(self, request: ChatRequest) -> ChatReply:
        """One answer.

        Raises:
            CallFailure: no answer came.
            ModelAccessError: a wrong key, an unknown model: nothing will help but other settings.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True)
class Call:
    """One question of one role, ready to be asked in the call room."""

    role: Role
    prompt: RenderedPrompt
    max_tokens: int
    likely: str
    """An answer of the usual form and length; `--estimate` works with it instead of asking."""
    schema: AnswerSchema | None = None
    top_logprobs: int = 0
    temperature: float = 0.0
    sample: int = 0
    tools: tuple[ToolSchema, ...] = ()
