from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from glossator.agents.llm_calls.budget import Budget, Limits
from glossator.agents.llm_calls.call_room import CallRoom
from glossator.agents.llm_calls.chat import (
    Call,
    Capabilities,
    ChatEndpoint,
    ChatReply,
    ChatRequest,
    Role,
    Unscored,
    UnscoredReason,
)
from glossator.agents.llm_calls.prices import Prices
from glossator.agents.llm_calls.retry import RetryPolicy
from glossator.agents.llm_calls.token_counts import TokenCounter
from glossator.memory.call_store import CallStore
from glossator.memory.ledger import Ledger
from glossator.prompts.rendered_prompt import ChatMessage, RenderedPrompt
from glossator.records import PromptRef

REF = PromptRef(name="detection_one", version=1, sha256="0" * 64)
Answer = Callable[[ChatRequest, int], ChatReply]
"""A reply (or a raised failure) to a request and its number, from 0."""


def yes(request: ChatRequest, number: int) -> ChatReply:
    return ChatReply("1", input_tokens=10, output_tokens=1)


@dataclass
class TinyChat:
    """An endpoint in a few lines; `latency` gives the seconds of the n-th call."""

    answer: Answer = yes
    latency: Callable[[int], float] = lambda number: 0.0
    model: str = "tiny"
    identity: str = "tiny:tiny"
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(schema=True, logprobs=True))
    requests: list[ChatRequest] = field(default_factory=lambda: [])
    in_flight: int = 0
    most_in_flight: int = 0
    closed: int = 0

    async def complete(self, request: ChatRequest) -> ChatReply:
        number = len(self.requests)
        self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency(number))
            return self.answer(request, number)
        finally:
            self.in_flight -= 1

    async def close(self) -> None:
        self.closed += 1


@dataclass
class FakeTime:
    """A clock that only sleeping moves."""

    now: float = 100.0
    slept: list[float] = field(default_factory=lambda: [])

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def policy(self, **changes: Any) -> RetryPolicy:
        return RetryPolicy(sleep=self.sleep, clock=self.clock, **changes)


def question(text: str = "1|cat|1", **changes: Any) -> Call:
    messages = (ChatMessage("system", "Answer 1 or 0."), ChatMessage("user", text))
    given: dict[str, Any] = {"role": Role.SCORER, "max_tokens": 4, "likely": "1", **changes}
    return Call(prompt=RenderedPrompt(messages, REF), **given)


def read(reply: ChatReply) -> str | Unscored:
    if not reply.text:
        return Unscored(UnscoredReason.EMPTY)
    return reply.text if reply.text in ("0", "1") else Unscored(UnscoredReason.MALFORMED, reply.text[:20])


def room(
    endpoint: ChatEndpoint,
    ledger: Ledger | None = None,
    *,
    limits: str = "",
    price: str | None = None,
    slots: int = 4,
    counter: TokenCounter | None = None,
    endpoints: Mapping[Role, ChatEndpoint] | None = None,
    **changes: Any,
) -> CallRoom:
    return CallRoom(
        endpoints or {Role.SCORER: endpoint, Role.EXPLAINER: endpoint},
        budget=Budget(Limits.parse(limits) if limits else None),
        store=None if ledger is None else CallStore(ledger),
        slots=slots,
        counter=counter or TokenCounter(),
        prices=Prices(price),
        environment=changes.pop("environment", {}),
        **changes,
    )
