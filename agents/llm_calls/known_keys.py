"""Which calls are in the ledger, in 8 bytes a call: a long run knows millions.

Keys are SHA-256; their first 60 bits stand for them. Two that share those (one pair among 10^9 calls, by
the birthday bound) cost a look into the ledger, never a wrong answer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

import numpy as np

_DIGITS = 15
_FRESH_LEAST, _FRESH_SHARE = 4096, 16
"""Fresh keys are sorted into the others once there are so many, and one for so many of the others."""


class KnownKeys:
    """A growing set of keys in hex."""

    def __init__(self) -> None:
        self._sorted = np.empty(0, np.uint64)
        self._fresh: set[int] = set()

    def __contains__(self, key: str) -> bool:
        short = int(key[:_DIGITS], 16)
        if short in self._fresh:
            return True
        # numpy's search lets go of the interpreter, and then waits for whatever thread is computing.
        place = bisect_left(self._sorted, short)
        return place < len(self._sorted) and int(self._sorted[place]) == short

    def __len__(self) -> int:
        return len(self._sorted) + len(self._fresh)

    def add(self, key: str) -> None:
        """Take in a key."""
        if key not in self:
            self._fresh.add(int(key[:_DIGITS], 16))
            if len(self._fresh) >= max(_FRESH_LEAST, len(self._sorted) // _FRESH_SHARE):
                self._sort_in()

    def update(self, keys: Iterable[str]) -> None:
        """Take in many."""
        self._fresh.update(int(key[:_DIGITS], 16) for key in keys)
        self._sort_in()

    def _sort_in(self) -> None:
        fresh = np.fromiter(self._fresh, np.uint64, len(self._fresh))
        self._sorted = np.union1d(self._sorted, fresh)
        self._fresh = set()
