"""Who may send a request now: one bound over all endpoints, and one for each that follows its answers.

First come, first served among those whose endpoint takes more; an endpoint that is full, or rests, holds
up nobody else. A slot belongs to a request on its way: whoever waits for something else gives it back.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from glossator.agents.llm_calls.endpoint_limit import EndpointLimit

_LAG_KEPT = 0.9
"""What is left of a measured lag at the next grant, if that was on time."""


class SlotLoad(NamedTuple):
    """How much of the slots is in use."""

    limit: int
    """Requests that may be in flight now."""
    in_flight: int
    """Requests that are."""
    waiting: int
    """Questions that wait for a slot."""
    busy_share: float
    """Share of the time of all slots in which they were in use, since the first; 0 before."""
    busy_seconds: float = 0.0
    """Slots times seconds in use, since the first: the difference of two loads, over the seconds between
    them and the slots, is the share in between."""


class _Lane:
    """One endpoint: its limit, its requests, and those who wait, in order."""

    def __init__(self, limit: EndpointLimit) -> None:
        self.limit, self.in_flight = limit, 0
        self.waiting: deque[_Turn] = deque()

    def head(self) -> _Turn | None:
        """Who is next, if the endpoint takes one more; those who left are passed over."""
        while self.waiting and self.waiting[0].granted.done():
            self.waiting.popleft()
        return self.waiting[0] if self.waiting and self.in_flight < self.limit.now else None


class _Turn(NamedTuple):
    number: int
    granted: asyncio.Future[float]
    """Holds when it was granted."""


class AdaptiveSlots:
    """Slots for requests, at most `most` at once. For one event loop."""

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._lanes: dict[str, _Lane] = {}
        self._in_flight = self._waiting = self._turns = 0
        self._busy, self._began, self._counted_to = 0.0, -1.0, 0.0
        self._lag = 0.0
        """Seconds by which this event loop is late, the most of lately: no fault of an endpoint's."""

    @asynccontextmanager
    async def slot(self, endpoint: str) -> AsyncGenerator[None]:
        """A slot for one request to `endpoint`, once it is this one's turn."""
        await self._acquire(endpoint)
        try:
            yield
        finally:
            self._release(self._lanes[endpoint])

    def answered(self, endpoint: str, kind: str, started: float) -> None:
        """Learn from an answer to a request that left at `started`, while its slot is still held."""
        lane = self._lane(endpoint)
        lane.limit.answered(kind, max(0.0, self._clock() - started - self._lag), lane.in_flight)
        self._grant()

    def refused(self, endpoint: str, started: float) -> None:
        """Learn from a rate limit met by a request that left at `started`."""
        self._lane(endpoint).limit.refused(started)

    def restart(self, endpoint: str) -> None:
        """Begin anew with few requests after an outage."""
        self._lane(endpoint).limit.restart()

    def load(self) -> SlotLoad:
        """How busy the slots are and were."""
        if self._began >= 0:
            self._count_time()
        limit = sum(lane.limit.now for lane in self._lanes.values()) if self._lanes else self._most
        elapsed = self._counted_to - self._began if self._began >= 0 else 0.0
        share = self._busy / (elapsed * self._most) if elapsed > 0 else 0.0
        return SlotLoad(min(self._most, limit), self._in_flight, self._waiting, share, self._busy)

    async def _acquire(self, endpoint: str) -> None:
        lane = self._lane(endpoint)
        if self._in_flight < self._most and lane.in_flight < lane.limit.now and lane.head() is None:
            self._take(lane)
            return
        turn = _Turn(self._turns, asyncio.get_running_loop().create_future())
        self._turns += 1
        lane.waiting.append(turn)
        self._waiting += 1
        try:
            granted = await turn.granted
        except asyncio.CancelledError:
            if turn.granted.cancelled():
                self._waiting -= 1
            else:  # granted in the same moment
                self._release(lane)
            raise
        self._lag = max(self._clock() - granted, _LAG_KEPT * self._lag)

    def _take(self, lane: _Lane) -> None:
        self._count_time()
        self._in_flight += 1
        lane.in_flight += 1

    def _release(self, lane: _Lane) -> None:
        self._count_time()
        self._in_flight -= 1
        lane.in_flight -= 1
        self._grant()

    def _grant(self) -> None:
        """Give free slots to whoever has waited longest and may go."""
        while self._waiting and self._in_flight < self._most:
            heads = [(head, lane) for lane in self._lanes.values() if (head := lane.head()) is not None]
            if not heads:
                return
            turn, lane = min(heads, key=lambda pair: pair[0].number)
            lane.waiting.popleft()
            self._waiting -= 1
            turn.granted.set_result(self._clock())
            self._take(lane)

    def _count_time(self) -> None:
        now = self._clock()
        if self._began < 0:
            self._began = self._counted_to = now
        self._busy += self._in_flight * (now - self._counted_to)
        self._counted_to = now

    def _lane(self, endpoint: str) -> _Lane:
        lane = self._lanes.get(endpoint)
        if lane is None:
            lane = self._lanes[endpoint] = _Lane(EndpointLimit(self._most, self._clock))
        return lane
