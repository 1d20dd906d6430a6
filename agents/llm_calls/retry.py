"""Trying again: how often, how long to wait, and when to give up on an endpoint.

Waits grow twofold and are drawn from 0 to that bound ("full jitter",
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), so that calls that failed
together do not come back together. Retry-After is honoured for the whole endpoint.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from glossator.agents.llm_calls.chat import CallFailure, UnscoredReason
from glossator.errors import EndpointError

ENDPOINT_FAILURES = frozenset(
    {
        UnscoredReason.TIMED_OUT,
        UnscoredReason.RATE_LIMITED,
        UnscoredReason.SERVER_ERROR,
        UnscoredReason.UNREACHABLE,
    }
)
"""Failures that say something of the endpoint, not of the question."""


@dataclass(frozen=True)
class RetryPolicy:
    """How failures are met. Times in seconds."""

    attempts: int = 5
    """Requests for one answer that may fail, those that met a rate limit apart."""
    timeouts: int = 2
    """Of these, how many may time out."""
    rate_limits: int = 9
    """Requests that may meet a rate limit: their waits outlast a limit by the minute."""
    first_wait: float = 0.5
    """Bound of the first wait; it doubles."""
    longest_wait: float = 30.0
    """Bound of every wait that the endpoint did not ask for."""
    longest_retry_after: float = 60.0
    """What is waited at most where the endpoint asks for more."""
    failures_in_a_row: int = 8
    """Answers given up one after another, with none in between, after which the run ends."""
    failures_at_first: int = 2
    """The same before any answer came: the endpoint may not be there at all."""
    seed: int = 0
    """Of the waits."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic


class EndpointHealth:
    """What one endpoint has done lately: whether it asked for a pause, and how often it failed in a row."""

    def __init__(self, model: str, policy: RetryPolicy) -> None:
        self._model, self._policy = model, policy
        self._random = random.Random(policy.seed)
        self._resume_at = 0.0
        self._failures, self._has_answered = 0, False

    async def wait(self) -> None:
        """Wait until the pause that the endpoint asked for is over."""
        while (left := self._resume_at - self._policy.clock()) > 0:
            await self._policy.sleep(left)

    def answered(self) -> None:
        """Note an answer."""
        self._failures, self._has_answered = 0, True

    async def back_off(self, failure: CallFailure, tried: Counter[UnscoredReason]) -> bool:
        """Wait before the next attempt, or return False where there is to be none.

        `tried` counts the failures of this question by reason, the present one among them.
        """
        policy = self._policy
        limited = tried[UnscoredReason.RATE_LIMITED]
        if (
            not failure.retryable
            or limited >= policy.rate_limits
            or tried.total() - limited >= policy.attempts
            or tried[UnscoredReason.TIMED_OUT] >= policy.timeouts
        ):
            return False
        if failure.retry_after is not None:
            pause = min(max(failure.retry_after, 0.0), policy.longest_retry_after)
            self._resume_at = max(self._resume_at, policy.clock() + pause)
            return True  # `wait` does the rest, for everybody
        bound = min(policy.longest_wait, policy.first_wait * 2.0 ** (tried.total() - 1))
        await policy.sleep(self._random.uniform(0.0, bound))
        return True

    def gave_up(self, failure: CallFailure, detail: str) -> None:
        """Note that no answer came; `detail` holds no keys.

        Raises:
            EndpointError: It was one too many in a row.

        """
        if failure.reason not in ENDPOINT_FAILURES:
            return
        self._failures += 1
        most = self._policy.failures_in_a_row if self._has_answered else self._policy.failures_at_first
        if self._failures >= most:
            raise EndpointError(
                f"the endpoint of {self._model!r} gave no answer {self._failures} times in a row, each after "
                f"trying again; the last time it said: {failure.reason}: {detail}. Every answer so far is "
                "kept: look after the endpoint (or --base-url) and repeat the command; it goes on from here"
            )
