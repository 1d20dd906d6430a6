"""One model that runs at several URLs, as one endpoint.

Requests go where fewest are on their way. A member that fails is set aside and tried again by a single
request after waits that double, while the others go on; a request that failed there is asked elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from glossator.agents.llm_calls.chat import (
    CallFailure,
    Capabilities,
    ChatEndpoint,
    ChatReply,
    ChatRequest,
    UnscoredReason,
)
from glossator.agents.llm_calls.question import Reasoning
from glossator.agents.llm_calls.retry import ENDPOINT_FAILURES

FIRST_WAIT, LONGEST_WAIT = 5.0, 300.0
"""Seconds that a member is set aside for, at first and at most; they double."""
LONGEST_RETRY_AFTER = 60.0
"""Most seconds of them where the member asked for a pause."""
FAILURES_IN_A_ROW = 3
"""Errors and time-outs, with no answer in between, that set a member aside: any server has one at times."""
_AT_ONCE = frozenset({UnscoredReason.UNREACHABLE, UnscoredReason.RATE_LIMITED})


class MemberHealth(NamedTuple):
    """How one member does, for people and status files."""

    where: str
    """Its identity: model and URL."""
    is_healthy: bool
    """It takes requests."""
    in_flight: int
    answered: int
    failed: int
    """Requests, since the start."""
    said: str
    """Its last failure; empty where the last request was answered."""


@dataclass(eq=False)
class _Member:
    endpoint: ChatEndpoint
    in_flight: int = 0
    answered: int = 0
    failed: int = 0
    in_a_row: int = 0
    wait: float = FIRST_WAIT
    back_at: float | None = None
    """When it is tried again; None while it is healthy."""
    is_tried: bool = False
    """A request is finding out whether it is back."""
    said: str = ""

    @property
    def burden(self) -> tuple[int, int]:
        """Requests on their way, then requests so far: the smallest is next."""
        return self.in_flight, self.answered + self.failed


class PooledEndpoint:
    """A `ChatEndpoint` over others that run the same model. For one event loop.

    Its identity is that of the first member: answers that were paid there are found again when members
    are added, and whichever member answered. So the first should stay the first; that all run the same
    model is taken on trust. A request that is asked at several members counts as one call.
    """

    def __init__(
        self, members: Sequence[ChatEndpoint], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not members:
            raise ValueError("a pool needs at least one endpoint")
        self._members, self._clock = tuple(_Member(e) for e in members), clock

    @property
    def model(self) -> str:
        return self._members[0].endpoint.model

    @property
    def identity(self) -> str:
        return self._members[0].endpoint.identity

    @property
    def capabilities(self) -> Capabilities:
        """What all members can do."""
        each = [m.endpoint.capabilities for m in self._members]
        return Capabilities(
            schema=all(c.schema for c in each),
            logprobs=all(c.logprobs for c in each),
            tools=all(c.tools for c in each),
        )

    @property
    def reasoning_allowance(self) -> int:
        """The most that any member's model may think."""
        each = (m.endpoint for m in self._members)
        return max(e.reasoning_allowance if isinstance(e, Reasoning) else 0 for e in each)

    def health(self) -> tuple[MemberHealth, ...]:
        """How each member does, in the order given."""
        return tuple(
            MemberHealth(m.endpoint.identity, m.back_at is None, m.in_flight, m.answered, m.failed, m.said)
            for m in self._members
        )

    async def complete(self, request: ChatRequest) -> ChatReply:
        """One answer, from whichever member gives one.

        Raises:
            CallFailure: The question is at fault, or every member failed; then what the last one said.
            ModelAccessError: A member cannot be used as it is set.

        """
        tried: list[_Member] = []
        while True:
            member = self._next(tried)
            tried.append(member)
            try:
                return await self._ask(member, request)
            except CallFailure as failure:
                passing = failure.retryable and failure.reason in ENDPOINT_FAILURES
                if not passing or not self._takers(tried):
                    raise

    async def close(self) -> None:
        """Let go of all connections."""
        for member in self._members:
            await member.endpoint.close()

    def _next(self, tried: Sequence[_Member]) -> _Member:
        """The healthy or due member with the least to do; where all are out, the one that is due first."""
        takers = self._takers(tried)
        if takers:
            return min(takers, key=lambda m: (m.back_at is None, m.burden))
        return min(self._members, key=lambda m: (m.is_tried, m.back_at or 0.0))

    def _takers(self, tried: Sequence[_Member]) -> list[_Member]:
        now = self._clock()
        return [
            m
            for m in self._members
            if m not in tried and (m.back_at is None or (m.back_at <= now and not m.is_tried))
        ]

    async def _ask(self, member: _Member, request: ChatRequest) -> ChatReply:
        tries = member.back_at is not None and not member.is_tried
        member.is_tried = member.is_tried or tries
        member.in_flight += 1
        try:
            reply = await member.endpoint.complete(request)
        except CallFailure as failure:
            if failure.reason in ENDPOINT_FAILURES:
                self._failed(member, failure, tries)
            raise
        finally:
            member.in_flight -= 1
            if tries:
                member.is_tried = False
        member.answered += 1
        member.in_a_row, member.wait, member.back_at, member.said = 0, FIRST_WAIT, None, ""
        return reply

    def _failed(self, member: _Member, failure: CallFailure, tries: bool) -> None:
        """Set the member aside, or again for longer where the request `tries` whether it is back."""
        member.failed += 1
        member.in_a_row += 1
        member.said = str(failure)
        out = failure.reason in _AT_ONCE or member.in_a_row >= FAILURES_IN_A_ROW
        newly_out = member.back_at is None and out and failure.retryable
        if not newly_out and not tries:
            return  # or it left before the member was set aside, and tells nothing new
        if failure.retry_after is not None:
            member.back_at = self._clock() + min(max(0.0, failure.retry_after), LONGEST_RETRY_AFTER)
            return
        member.back_at = self._clock() + member.wait
        member.wait = min(LONGEST_WAIT, 2 * member.wait)
