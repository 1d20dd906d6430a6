"""How many requests one endpoint takes at once, learnt from how it answers.

Additive growth and multiplicative decrease (AIMD, as TCP has it: https://www.rfc-editor.org/rfc/rfc5681;
factor 0.7 as in https://www.rfc-editor.org/rfc/rfc9438): a rate limit shrinks the limit, at most once per
round trip, since requests that left together are refused together. Latency is watched as a gradient
(https://github.com/Netflix/concurrency-limits): where answers take far longer than usual and no more of
them come, requests stand in a queue at the endpoint, and a few fewer are sent. What is usual is learnt by
kind of question, so that long answers among short ones are no sign of anything.
"""

from __future__ import annotations

from collections.abc import Callable

LEAST = 1
"""Requests that are always allowed."""
AFTER_REFUSAL = 0.7
"""What a rate limit leaves of the limit."""
AFTER_SLOWNESS = 0.9
"""What a window of slow answers leaves of it."""
SLOW = 2.0
"""Times the usual latency from which on answers are slow…"""
SLOW_SECONDS = 1.0
"""…if they are slower by as much: what a busy machine of our own adds is no sign of the endpoint."""
SAME_RATE = 1.1
"""Slow answers at more than this times the usual rate are a larger load that is carried."""
SLOWNESS_LEAVES = 0.25
"""Share of the most below which slow answers alone never bring the limit."""
WINDOW = 16
"""Answers that are looked at together, at least; no fewer than the limit."""
GROWTH = 0.02
"""Share of the most that a round trip adds, at least one request."""
_MEMORY = 500
"""Answers over which usual latencies are averaged."""


class EndpointLimit:
    """The limit of one endpoint. Starts at `most`: an endpoint that answers evenly is never held back."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most, self._clock = most, clock
        self._limit, self._quick_until = float(most), 0.0
        self._decreased_at = -1.0
        self._usual: dict[str, _Mean] = {}
        self._window = _Window(clock())
        self._usual_rate = 0.0

    @property
    def now(self) -> int:
        """Requests allowed at once now."""
        return max(LEAST, int(self._limit + 1e-9))

    def answered(self, kind: str, seconds: float, in_flight: int) -> None:
        """Learn from an answer.

        Args:
            kind: Of question, such as its prompt's name; latencies are compared within it.
            seconds: It took.
            in_flight: Requests at the endpoint when it came, itself among them.
        """
        usual = self._usual.setdefault(kind, _Mean())
        self._window.add(seconds, usual.value if usual.count else seconds)
        usual.add(seconds)
        if 2 * in_flight >= self.now:  # a limit that is not used has not been shown to hold
            self._grow()
        if self._window.count >= max(WINDOW, self.now):
            self._look_at_latency()

    def refused(self, started: float) -> None:
        """Learn from a rate limit that met a request which left at `started`."""
        if started < self._decreased_at:
            return  # it left before the last decrease could tell
        self._limit = max(LEAST, self._limit * AFTER_REFUSAL)
        self._quick_until = 0.0
        self._decreased_at = self._clock()

    def restart(self) -> None:
        """After an outage: from one request, doubling every round trip up to half of what it was."""
        self._quick_until = max(self._quick_until, self._limit / 2)
        self._limit = LEAST
        self._decreased_at = self._clock()
        self._window = _Window(self._clock())

    def _grow(self) -> None:
        step = 1.0 if self._limit < self._quick_until else max(1.0, GROWTH * self._most) / self._limit
        self._limit = min(float(self._most), self._limit + step)

    def _look_at_latency(self) -> None:
        window, self._window = self._window, _Window(self._clock())
        rate = window.count / max(1e-9, self._clock() - window.began)
        slow = window.seconds > SLOW * window.usual and window.excess > SLOW_SECONDS
        if slow and rate <= SAME_RATE * self._usual_rate:
            floor = min(self._limit, SLOWNESS_LEAVES * self._most)
            self._limit = max(LEAST, floor, self._limit * AFTER_SLOWNESS)
        self._usual_rate = rate if not self._usual_rate else 0.9 * self._usual_rate + 0.1 * rate


class _Mean:
    """A mean that forgets after `_MEMORY` values."""

    def __init__(self) -> None:
        self.count, self.value = 0, 0.0

    def add(self, value: float) -> None:
        self.count = min(self.count + 1, _MEMORY)
        self.value += (value - self.value) / self.count


class _Window:
    """Answers that are looked at together: how long they took, and how long was usual for them."""

    def __init__(self, began: float) -> None:
        self.began, self.count, self.seconds, self.usual = began, 0, 0.0, 0.0

    def add(self, seconds: float, usual: float) -> None:
        self.count += 1
        self.seconds += seconds
        self.usual += usual

    @property
    def excess(self) -> float:
        """Seconds beyond the usual, in the mean."""
        return (self.seconds - self.usual) / max(1, self.count)
