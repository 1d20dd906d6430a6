"""Limits on money, tokens, calls and time, kept by reserving before each call.

A call reserves the most that it can cost. What is spent plus what is reserved never exceeds a limit;
a call that finds no room waits for calls in flight to give back what they did not need.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from glossator.errors import BudgetError, BudgetSpent

FORM = "such as 2usd, 500calls, 1Mtokens, 200ktokens, 30min or 2h, several joined by commas"
"""What a budget looks like, for messages and for help."""

_PART = re.compile(
    r"(?P<dollar>\$)?\s*(?P<number>\d+(\.\d+)?|\.\d+)\s*(?P<scale>[kKM])?\s*(?P<unit>[a-z]*)", re.ASCII
)
_SCALES = {"k": 1e3, "K": 1e3, "M": 1e6}
_SECONDS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
}


class _Amount(NamedTuple):
    kind: str
    value: float


@dataclass(frozen=True)
class Limits:
    """What may be spent at most; None is no limit."""

    usd: float | None = None
    tokens: int | None = None
    """Input and output together."""
    calls: int | None = None
    """Requests sent, failed ones among them."""
    seconds: float | None = None
    """From the budget's start; calls in flight then may finish."""

    @classmethod
    def parse(cls, text: str) -> Limits:
        """Read `2usd,500calls,1Mtokens,30min` (also `$2`).

        Raises:
            BudgetError: A part is malformed, zero, negative or given twice; the message says the form.

        """
        found: dict[str, float] = {}
        for part in text.split(","):
            amount = _amount(part.strip(), text)
            if amount.kind in found:
                raise BudgetError(f"budget {text!r} gives {amount.kind} twice: give each once, {FORM}")
            found[amount.kind] = amount.value
        whole = {kind: int(value) for kind, value in found.items() if kind in ("tokens", "calls")}
        return cls(usd=found.get("usd"), seconds=found.get("seconds"), **whole)

    def __str__(self) -> str:
        named = (("usd", self.usd), ("tokens", self.tokens), ("calls", self.calls), ("s", self.seconds))
        return ", ".join(f"{value:g} {unit}" for unit, value in named if value is not None) or "no limit"


def _amount(part: str, text: str) -> _Amount:
    match = _PART.fullmatch(part)
    if match is None:
        raise BudgetError(f"budget {text!r} cannot be read at {part!r}: write amounts with units, {FORM}")
    scale, unit = match["scale"] or "", match["unit"]
    value = float(match["number"]) * _SCALES.get(scale, 1.0)
    kind = _kind(unit, dollar=match["dollar"] is not None, scaled=bool(scale))
    if kind is None:
        raise BudgetError(f"budget {text!r} has no unit that is known at {part!r}: write {FORM}")
    value *= _SECONDS.get(unit, 1.0)
    if value <= 0 or not math.isfinite(value) or (kind in ("tokens", "calls") and value != int(value)):
        raise BudgetError(
            f"budget {text!r} has {part!r}: write amounts above 0, whole ones of calls and tokens, {FORM}"
        )
    return _Amount(kind, value)


def _kind(unit: str, *, dollar: bool, scaled: bool) -> str | None:
    if dollar:
        return "usd" if unit in ("", "usd") and not scaled else None
    if unit == "usd":
        return None if scaled else "usd"
    if unit in ("tokens", "token"):
        return "tokens"
    if unit in ("calls", "call"):
        return "calls"
    return "seconds" if unit in _SECONDS and not scaled else None


class Charge(NamedTuple):
    """What some calls cost, or may cost."""

    calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    """0 where the price is unknown; a limit on money is refused then, see `Budget.limits_money`."""


class Budget:
    """What is spent and reserved, against limits. One event loop; every call reserves and settles once.

    A budget whose limits can be raised overrides `at_most` and `_raised`.
    """

    def __init__(self, limits: Limits | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits or Limits()
        self._clock, self._start = clock, clock()
        self._spent, self._reserved, self._open = Charge(), Charge(), 0
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def spent(self) -> Charge:
        """What settled calls cost."""
        return self._spent

    @property
    def reserved(self) -> Charge:
        """What calls in flight may cost."""
        return self._reserved

    @property
    def at_most(self) -> Limits:
        """What could be spent in all, from the beginning to the end."""
        return self.limits

    @property
    def is_untouched(self) -> bool:
        """Nothing was spent so far."""
        return self._spent.calls == 0

    @property
    def limits_money(self) -> bool:
        """Money is limited, so every price must be known."""
        return self.limits.usd is not None

    def start(self) -> None:
        """Count wall time from now."""
        self._start = self._clock()

    async def reserve(self, charge: Charge) -> None:
        """Set `charge` aside, waiting for calls in flight where these may make room.

        Raises:
            BudgetSpent: It does not fit and nothing in flight can change that.

        """
        while (kind := self._lacking(charge)) is not None:
            if kind != "seconds" and (
                await self._raised(charge) or (kind := self._lacking(charge, self.limits)) is None
            ):
                continue
            if kind == "seconds" or self._open == 0:
                raise BudgetSpent(self._refusal(self._lacking(charge, self.at_most) or kind, charge))
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._reserved = summed(self._reserved, charge)
        self._open += 1

    def settle(self, reserved: Charge, actual: Charge) -> None:
        """Give `reserved` back and book `actual` instead."""
        self._open -= 1
        self._reserved = (
            Charge()
            if self._open == 0  # no rounding is left behind
            else summed(self._reserved, Charge(-reserved.calls, -reserved.tokens, -reserved.usd))
        )
        self._spent = summed(self._spent, actual)
        self._wake()

    async def _raised(self, charge: Charge) -> bool:
        """Whether anything has changed that `charge` may fit now, for want of room."""
        return False

    def _wake(self) -> None:
        """Let those who wait for room look again."""
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)

    def _lacking(self, charge: Charge, limits: Limits | None = None) -> str | None:
        """Which of `limits` (those of now) `charge` would break now; None if it fits."""
        limits, after = limits or self.limits, summed(summed(self._spent, self._reserved), charge)
        if limits.seconds is not None and self._clock() - self._start >= limits.seconds:
            return "seconds"
        if limits.calls is not None and after.calls > limits.calls:
            return "calls"
        if limits.tokens is not None and after.tokens > limits.tokens:
            return "tokens"
        if limits.usd is not None and after.usd > limits.usd * (1 + 1e-9):
            return "usd"
        return None

    def _refusal(self, kind: str, charge: Charge) -> str:
        if kind == "seconds":
            state = f"{self._clock() - self._start:.0f} s of {self.limits.seconds:g} s have passed"
        else:
            shown = {"calls": "{:d} calls", "tokens": "{:d} tokens", "usd": "{:.4f} usd"}[kind]
            spent, limit, wanted = (
                getattr(self._spent, kind), getattr(self.at_most, kind), getattr(charge, kind)
            )  # fmt: skip
            state = (
                f"{shown.format(spent)} of {shown.format(limit)} are spent, and the next call may need "
                f"{shown.format(wanted)}"
            )
        return (
            f"the budget is spent: {state}. Every answer so far is kept: give a larger --budget and repeat "
            "the command, and it goes on from here"
        )


def summed(a: Charge, b: Charge) -> Charge:
    """Both together."""
    return Charge(a.calls + b.calls, a.tokens + b.tokens, a.usd + b.usd)
