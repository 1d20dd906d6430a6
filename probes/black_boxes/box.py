"""A function as an agent meets it: a signature and outputs to inputs, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from glossator.errors import ToolError

Value = float | str


class Takes(StrEnum):
    """What a function maps to what."""

    NUMBERS = "numbers"
    """A number to a number."""
    STRINGS = "strings"
    """A text to a text."""
    FEATURE = "feature"
    """A word to an activation from 0 to 1."""
    RELATION = "relation"
    """A word to a word, or `undefined`."""


class Signature(NamedTuple):
    """All that is told beforehand."""

    takes: Takes
    low: float = 0.0
    """Least number that it takes; only for numbers."""
    high: float = 0.0
    """Largest number that it takes."""


class Pair(NamedTuple):
    """One experiment: what was given and what came back."""

    given: Value
    got: Value


class BlackBox:
    """Answers inputs, and counts them. The function is out of sight.

    Args:
        signature: What it takes.
        run: The function.
        inputs: Distinct inputs that it answers at most; a repeated one is answered from memory.
    """

    def __init__(self, signature: Signature, run: Callable[[Value], Value], inputs: int) -> None:
        self.signature, self._left = signature, inputs
        self._known: dict[Value, Value] = {}
        self.__run = run

    @property
    def left(self) -> int:
        """Inputs that it still answers."""
        return self._left

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All experiments so far, in order."""
        return tuple(Pair(*one) for one in self._known.items())

    def ask(self, inputs: Sequence[Value]) -> tuple[Pair, ...]:
        """The outputs to `inputs`; those that do not fit the signature, or the budget, are left out.

        Raises:
            ToolError: A number was given to a function of texts, or the other way round.
        """
        for given in inputs:
            if isinstance(given, str) is (self.signature.takes is Takes.NUMBERS):
                raise ToolError(f"the function takes {self.signature.takes.value}: {given!r} is none")
            fits = isinstance(given, str) or self.signature.low <= given <= self.signature.high
            if given not in self._known and fits and self._left > 0:
                self._known[given] = self.__run(given)
                self._left -= 1
        return tuple(Pair(g, self._known[g]) for g in dict.fromkeys(inputs) if g in self._known)
