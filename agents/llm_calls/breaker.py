"""An endpoint that is out: questions wait for it, and one at a time finds out whether it is back.

The circuit breaker of M. Nygard, "Release It!" (https://martinfowler.com/bliki/CircuitBreaker.html). While
it is open, whoever waited longest asks as the probe, after waits that double; they are jittered
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), so that many workers do not
come back together. A probe that fails goes to the end of the line: a question that nobody could answer
does not keep the others out. There is no task in the background: those who wait keep the time.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from glossator.agents.llm_calls.chat import UnscoredReason
from glossator.errors import EndpointError


class OutageStage(StrEnum):
    """What became of an outage."""

    BEGAN = "began"
    ENDED = "ended"
    """It answers again."""
    GIVEN_UP = "given up"
    """It was waited for as long as was ordered."""


class OutageNote(NamedTuple):
    """Told when an outage begins and when it is over."""

    model: str
    """The model's short name."""
    stage: OutageStage
    reason: UnscoredReason
    """What the last failure was."""
    detail: str
    """What it said; without keys."""
    seconds: float
    """Since it began."""


@dataclass(frozen=True)
class OutagePolicy:
    """How long an endpoint is waited for, and how often it is tried meanwhile; in seconds."""

    patience: float
    first_wait: float
    longest_wait: float
    sleep: Callable[[float], Awaitable[None]]
    clock: Callable[[], float]


class CircuitBreaker:
    """Whether one endpoint may be asked. Closed at first; `open` opens it, `close` closes it."""

    def __init__(
        self, model: str, policy: OutagePolicy, draw: random.Random, tell: Callable[[OutageNote], None]
    ) -> None:
        """The breaker of one endpoint.

        Args:
            model: Its short name.
            policy: Its times.
            draw: Of the jitter.
            tell: Called at every stage, from the event loop; must be quick and not raise.
        """
        self._model, self._policy, self._random, self._tell = model, policy, draw, tell
        self._since: float | None = None
        self._reason, self._detail = UnscoredReason.UNREACHABLE, ""
        self._next_probe = self._wait = 0.0
        self._is_probed, self._error, self._outage = False, "", 0
        self._line: deque[asyncio.Future[bool]] = deque()
        self._closed: asyncio.Future[None] | None = None

    @property
    def is_open(self) -> bool:
        """Nobody but the probe may ask."""
        return self._since is not None

    def open(self, reason: UnscoredReason, detail: str) -> None:
        """Let questions wait from now; while open already, note what the endpoint said last."""
        self._reason, self._detail = reason, detail
        if self._since is None:
            self._since, self._wait = self._policy.clock(), self._policy.first_wait
            self._outage += 1
            self._closed = asyncio.get_running_loop().create_future()
            self._plan_probe()
            self._note(OutageStage.BEGAN)

    async def wait(self) -> int:
        """Wait until one may ask: 0, or as the probe the outage's number, for `failed` or `leave`.

        Raises:
            EndpointError: The endpoint stayed away too long.

        """
        while self._since is not None:
            if self._error:
                raise EndpointError(self._error)
            outage = self._outage
            if self._is_probed and not await self._stand_in_line(outage):
                continue
            if outage != self._outage or not self.is_open:
                continue
            self._is_probed = True
            try:
                await self._sleep_until_probe(outage)
            except BaseException:
                self.leave(outage)
                raise
            if self._goes_on(outage):
                return outage
        return 0

    def close(self) -> None:
        """The endpoint answered: everybody may ask."""
        if self._since is None or self._error:
            return
        self._note(OutageStage.ENDED)
        self._since, self._is_probed = None, False
        if self._closed is not None:
            self._closed.set_result(None)
        self._wake_all()

    def failed(self, outage: int) -> None:
        """The probe of `outage` failed: the next one goes after a longer wait."""
        if self._goes_on(outage):
            self._wait = min(self._policy.longest_wait, 2 * self._wait)
            self._plan_probe()
            self.leave(outage)

    def leave(self, outage: int) -> None:
        """The probe of `outage` will not ask, or did not hear: the next in line is the probe."""
        if not self._goes_on(outage):
            return
        self._is_probed = False
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(True)
                self._is_probed = True
                return

    def _goes_on(self, outage: int) -> bool:
        return self.is_open and outage == self._outage and not self._error

    async def _stand_in_line(self, outage: int) -> bool:
        """True where one is the probe now; False where things have changed."""
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.result():
                self.leave(outage)  # it became the probe in the same moment
            raise

    async def _sleep_until_probe(self, outage: int) -> None:
        assert self._since is not None
        clock, ends = self._policy.clock, self._since + self._policy.patience
        while self._goes_on(outage) and (left := min(self._next_probe, ends) - clock()) > 0:
            await self._sleep(left)
        if self._goes_on(outage) and clock() >= ends:
            self._give_up()

    async def _sleep(self, seconds: float) -> None:
        """Sleep, or until an answer that was on its way closes the breaker."""
        assert self._closed is not None
        sleeping = asyncio.ensure_future(self._policy.sleep(seconds))
        try:
            await asyncio.wait({sleeping, self._closed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()

    def _give_up(self) -> None:
        self._note(OutageStage.GIVEN_UP)
        self._error = (
            f"the endpoint of {self._model!r} has not answered for {self._seconds():.0f} s; the last time it "
            f"said: {self._reason}: {self._detail}. Every answer so far is kept: look after the endpoint (or "
            "--base-url) and resume; it goes on from here"
        )
        self._wake_all()
        raise EndpointError(self._error)

    def _wake_all(self) -> None:
        line, self._line = self._line, deque()
        for turn in line:
            if not turn.done():
                turn.set_result(False)

    def _plan_probe(self) -> None:
        self._next_probe = self._policy.clock() + self._wait * self._random.uniform(0.5, 1.0)

    def _seconds(self) -> float:
        return 0.0 if self._since is None else self._policy.clock() - self._since

    def _note(self, stage: OutageStage) -> None:
        self._tell(OutageNote(self._model, stage, self._reason, self._detail, self._seconds()))
