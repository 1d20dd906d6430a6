"""A budget that is granted in portions by somebody else, such as a ledger that several workers share.

What is granted is never exceeded, as with any budget; where a call does not fit, more is drawn. What was
granted and not spent is for whoever granted it to take back when this budget's owner has ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from glossator.agents.llm_calls.budget import Budget, Charge, Limits, summed

_A_DRAW = "the end of a draw"
Number = TypeVar("Number", int, float)

Draw = Callable[[Charge, Charge], Limits | None]
"""Given what is spent and what must fit besides, the limits from now on (in all, not what is added; of a kind
that there is plenty of they may fall); None where no more is to be had. Called in a thread, one call at a
time; may block."""


class DrawnBudget(Budget):
    """A `Budget` whose limits grow as calls need room.

    Waiting is as in a `Budget`: where nothing more is granted, a call waits for calls in flight to give
    back what they did not need, and is refused once none is left.
    """

    def __init__(
        self,
        draw: Draw,
        limits: Limits,
        *,
        left: Callable[[], Limits] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A budget with nothing granted yet.

        Args:
            draw: Grants more. What it raises is raised by `reserve`, at all who wait for the draw.
            limits: The whole order, as far as this budget could ever spend of it: which kinds are limited,
                and the seconds, which are kept here and never drawn.
            left: What nobody was granted yet, asked in the same thread after each draw: others draw too.
            clock: Of the seconds.
        """
        super().__init__(Limits(0.0, 0, 0), clock=clock)
        self._draw, self._order, self._begun_with, self._left = draw, limits, limits, left
        self.limits = self._of_the_limited(self.limits)
        self._drawing: asyncio.Task[None] | None = None
        self._refused: Charge | None = None

    @property
    def at_most(self) -> Limits:
        """What this budget could spend in all, if nobody else drew from the order any more."""
        return self._order

    @property
    def is_untouched(self) -> bool:
        """Nothing was spent, here or (as far as draws have told) by others."""
        return super().is_untouched and self._order == self._begun_with

    def _lacking(self, charge: Charge, limits: Limits | None = None) -> str | None:
        """Besides, nothing is set aside while a draw is under way: it may lower what is not asked for."""
        lacking = super()._lacking(charge, limits)
        return lacking or (_A_DRAW if limits is None and self._drawing is not None else None)

    async def _raised(self, charge: Charge) -> bool:
        """Draw, or wait for a draw that is under way; False where no more is to be had for `charge`."""
        if self._drawing is None:
            if self._open > 0 and self._is_refused(charge):
                return False  # until calls in flight give something back, the answer would be the same
            self._drawing = asyncio.ensure_future(self._drawn(summed(self._reserved, charge)))
            self._drawing.add_done_callback(_heard)
        # Whoever is cancelled meanwhile leaves the draw to the others: what is granted must not be lost.
        await asyncio.shield(self._drawing)
        return not self._is_refused(charge)

    async def _drawn(self, needed: Charge) -> None:
        spent = self._spent
        try:
            granted, self._order = await asyncio.to_thread(self._ask, spent, needed)
        finally:
            self._drawing = None
        if granted is None or granted == self.limits:
            self._refused = summed(spent, needed)
        else:
            self.limits, self._refused = granted, None
            self._wake()

    def _ask(self, spent: Charge, needed: Charge) -> _Drawn:
        """In a thread: what is granted from now on, and what could be in all."""
        given = self._draw(spent, needed)
        granted = None if given is None else self._of_the_limited(given)
        now = granted or self.limits
        if self._left is not None:
            return _Drawn(granted, self._of_the_limited(_added(now, self._left())))
        return _Drawn(granted, now if granted is None else _larger(now, self._order))

    def _is_refused(self, charge: Charge) -> bool:
        """Whether what `charge` would bring all to, or less, was refused."""
        if self._refused is None:
            return False
        wanted = summed(summed(self._spent, self._reserved), charge)
        kinds = [k for k in ("calls", "tokens", "usd") if getattr(self._order, k) is not None]
        return all(getattr(wanted, k) >= getattr(self._refused, k) * (1 - 1e-12) for k in kinds)

    def _of_the_limited(self, limits: Limits) -> Limits:
        """`limits` of the kinds that the order limits; the seconds stay its own."""
        order = self._begun_with
        return Limits(
            usd=None if order.usd is None else limits.usd or 0.0,
            tokens=None if order.tokens is None else limits.tokens or 0,
            calls=None if order.calls is None else limits.calls or 0,
            seconds=order.seconds,
        )


class _Drawn(NamedTuple):
    granted: Limits | None
    at_most: Limits


def _added(a: Limits, b: Limits) -> Limits:
    return Limits(
        (a.usd or 0.0) + (b.usd or 0.0), (a.tokens or 0) + (b.tokens or 0), (a.calls or 0) + (b.calls or 0)
    )


def _larger(a: Limits, b: Limits) -> Limits:
    """Of two that limit the same kinds, the larger of each; seconds are the same in both."""
    return Limits(_most(a.usd, b.usd), _most(a.tokens, b.tokens), _most(a.calls, b.calls), a.seconds)


def _most(a: Number | None, b: Number | None) -> Number | None:
    return b if a is None else a if b is None else max(a, b)


def _heard(draw: asyncio.Task[None]) -> None:
    """What a draw raised was raised where it was waited for; nobody may have."""
    if not draw.cancelled():
        draw.exception()
