"""Adding up what calls cost, for a whole run and for parts of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from glossator.agents.llm_calls.chat import UnscoredReason
from glossator.records import LlmSpending


class Paid(NamedTuple):
    """One call that was made (or, in an estimate, would be)."""

    input_tokens: int
    output_tokens: int
    usd: float | None
    """None where the price is unknown."""


class Meter:
    """What was asked within one scope."""

    def __init__(self) -> None:
        self._calls = self._cached = self._input = self._output = 0
        self._usd: float | None = 0.0
        self._unscored: Counter[str] = Counter()

    def paid(self, call: Paid) -> None:
        """Count a call."""
        self._calls += 1
        self._input += call.input_tokens
        self._output += call.output_tokens
        self._usd = None if self._usd is None or call.usd is None else self._usd + call.usd

    def cached(self) -> None:
        """Count an answer that was there already."""
        self._cached += 1

    def unscored(self, reason: UnscoredReason) -> None:
        """Count a call without a usable answer."""
        self._unscored[str(reason)] += 1

    @property
    def spending(self) -> LlmSpending:
        """The sums so far; money is None once a call of unknown price is among them."""
        return LlmSpending(
            calls=self._calls,
            cached=self._cached,
            input_tokens=self._input,
            output_tokens=self._output,
            usd=self._usd,
            unscored=dict(sorted(self._unscored.items())),
        )


class _Scope(NamedTuple):
    owner: object
    meter: Meter


_scopes: ContextVar[tuple[_Scope, ...]] = ContextVar("glossator_llm_meters", default=())


@contextmanager
def metered(owner: object) -> Generator[Meter]:
    """A meter for everything that is asked of `owner` inside, also by tasks that are started inside."""
    meter = Meter()
    token = _scopes.set((*_scopes.get(), _Scope(owner, meter)))
    try:
        yield meter
    finally:
        _scopes.reset(token)


def meters_of(owner: object) -> list[Meter]:
    """The meters of the scopes that the running code is in, outermost first."""
    return [scope.meter for scope in _scopes.get() if scope.owner is owner]
