"""Trying again: how often, how long to wait, and when to give up on an endpoint.

Waits grow twofold and are drawn from 0 to that bound ("full jitter",
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), so that calls that failed
together do not come back together. Retry-After is honoured for the whole endpoint; where it asks for less
than the bound (some say 0 and refuse again), the drawn wait is kept besides.

A run that nobody watches has patience: what fails for want of the endpoint is asked again once the
endpoint is back (`breaker.py`), instead of being given up.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from glossator.agents.llm_calls.breaker import CircuitBreaker, OutageNote, OutagePolicy
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
_PERHAPS_THE_QUESTION = frozenset({UnscoredReason.TIMED_OUT, UnscoredReason.SERVER_ERROR})
"""Of these, the ones that a single question might cause."""


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
    refused_for: float = 15.0
    """Where nothing but rate limits came for so long, the endpoint is out: thousands that wait would each
    find out for themselves, and requests that are refused count as calls."""
    patience: float = 0.0
    """How long an endpoint that is out is waited for; 0 ends the run instead."""
    first_probe: float = 5.0
    """Wait before an endpoint that is out is tried again; it doubles."""
    longest_probe: float = 300.0
    """Bound of that wait."""
    probes_each: int = 5
    """Probes of an outage that one question may lose to a time-out or a server error: it may be its own."""
    seed: int = 0
    """Of the waits."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic


class EndpointHealth:
    """What one endpoint has done lately: whether it asked for a pause, and how often it failed in a row."""

    def __init__(
        self, model: str, policy: RetryPolicy, tell: Callable[[OutageNote], None] | None = None
    ) -> None:
        self.model, self.policy = model, policy
        self.random = random.Random(policy.seed)
        times = OutagePolicy(
            policy.patience, policy.first_probe, policy.longest_probe, policy.sleep, policy.clock
        )
        self.breaker = CircuitBreaker(model, times, self.random, tell or (lambda note: None))
        self.answers = 0
        """Answers so far."""
        self._resume_at = 0.0
        self._failed = self._given_up = self._refused = 0
        self._refused_since = 0.0

    def pause(self) -> float:
        """Seconds that are left of the pause that the endpoint asked for."""
        return self._resume_at - self.policy.clock()

    def answered(self) -> None:
        """Note an answer."""
        self._failed = self._given_up = self._refused = 0
        self.answers += 1
        self.breaker.close()

    def failed(self, failure: CallFailure) -> None:
        """Note a failed request, and the pause that it asks for."""
        if failure.reason not in ENDPOINT_FAILURES:
            self._failed = self._refused = 0  # it is there, and said why it would not answer
            self.breaker.close()
        elif failure.reason is UnscoredReason.RATE_LIMITED:
            self._refused_since = self._refused_since if self._refused else self.policy.clock()
            self._refused += 1
        elif failure.retryable:
            self._failed += 1
        if failure.retryable and failure.retry_after is not None:
            pause = min(max(failure.retry_after, 0.0), self.policy.longest_retry_after)
            self._resume_at = max(self._resume_at, self.policy.clock() + pause)

    @property
    def fails_everybody(self) -> bool:
        """So many requests failed one after another that it is not about the questions."""
        many, policy = self.policy.failures_in_a_row, self.policy
        refuses = self._refused >= many and policy.clock() - self._refused_since >= policy.refused_for
        return self._failed >= many or refuses

    def gave_up(self, failure: CallFailure, detail: str) -> None:
        """Note that no answer came; `detail` holds no keys.

        Raises:
            EndpointError: It was one too many in a row.

        """
        if failure.reason not in ENDPOINT_FAILURES or self.breaker.is_open:
            return
        self._given_up += 1
        most = self.policy.failures_in_a_row if self.answers else self.policy.failures_at_first
        if self._given_up >= most:
            raise EndpointError(
                f"the endpoint of {self.model!r} gave no answer {self._given_up} times in a row, each after "
                f"trying again; the last time it said: {failure.reason}: {detail}. Every answer so far is "
                "kept: look after the endpoint (or --base-url) and repeat the command; it goes on from here"
            )


class Attempts:
    """The attempts at one answer."""

    def __init__(self, health: EndpointHealth) -> None:
        self._health, self._policy, self._breaker = health, health.policy, health.breaker
        self._tried = Counter[UnscoredReason]()
        self._answers_before: int | None = None
        self._probing, self._lost_probes = 0, 0

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """One attempt, once the endpoint's pause or outage is over, or as the outage's probe.

        Raises:
            EndpointError: The outage outlasts the policy's patience.

        """
        await self._enter()
        try:
            yield
        except CallFailure as failure:
            self._health.failed(failure)
            if self._probing:
                self._lost_probes += failure.reason in _PERHAPS_THE_QUESTION
                self._breaker.failed(self._probing)
                self._probing = 0
            raise
        finally:
            if self._probing:
                self._breaker.leave(self._probing)
            self._probing = 0

    def may_ask(self) -> bool:
        """Whether nothing has come up since the turn began."""
        return self._health.pause() <= 0 and (self._probing > 0 or not self._breaker.is_open)

    async def again(self, failure: CallFailure, detail: str) -> bool:
        """Whether to try again after `failure`, once it has waited; `detail` holds no keys.

        Raises:
            EndpointError: Too many answers in a row were given up.

        """
        self._tried[failure.reason] += 1
        if self._answers_before is None:
            self._answers_before = self._health.answers
        if self._waits_for_endpoint(failure, detail):
            self._tried.clear()
            self._answers_before = None
            return True
        if self._exhausted(failure) or self._lost_probes >= self._policy.probes_each:
            self._health.gave_up(failure, detail)
            return False
        bound = min(self._policy.longest_wait, self._policy.first_wait * 2.0 ** (self._tried.total() - 1))
        if (failure.retry_after or 0.0) < bound:  # else `turn` does the rest, for everybody
            await self._policy.sleep(self._health.random.uniform(0.0, bound))
        return True

    async def _enter(self) -> None:
        while True:
            if not self._probing:
                self._probing = await self._breaker.wait()
            if (left := self._health.pause()) <= 0:
                return
            try:
                await self._policy.sleep(left)
            except BaseException:
                self._breaker.leave(self._probing)
                self._probing = 0
                raise

    def _waits_for_endpoint(self, failure: CallFailure, detail: str) -> bool:
        """Whether the endpoint is out, as far as this failure tells, and worth waiting for."""
        passing = failure.retryable and failure.reason in ENDPOINT_FAILURES
        if self._policy.patience <= 0 or not passing or self._lost_probes >= self._policy.probes_each:
            return False
        nobody_answered = self._answers_before == self._health.answers
        out = self._health.fails_everybody or (nobody_answered and self._exhausted(failure))
        if out or self._breaker.is_open:
            self._breaker.open(failure.reason, detail)
            return True
        return False

    def _exhausted(self, failure: CallFailure) -> bool:
        tried, limited = self._tried, self._tried[UnscoredReason.RATE_LIMITED]
        return (
            not failure.retryable
            or limited >= self._policy.rate_limits
            or tried.total() - limited >= self._policy.attempts
            or tried[UnscoredReason.TIMED_OUT] >= self._policy.timeouts
        )
