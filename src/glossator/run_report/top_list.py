"""The few largest of many, kept while they pass by, and how many passed."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Generic, TypeVar

_Entry = TypeVar("_Entry")


class TopList(Generic[_Entry]):
    """Keeps the `keep` entries with the largest size; of equal ones those with the smaller number."""

    def __init__(self, keep: int) -> None:
        self._keep, self._order = keep, 0
        self._heap: list[tuple[float, int, int, _Entry]] = []
        self.passed = 0
        """Entries that were offered."""

    def offer(self, size: float, number: int, make: Callable[[], _Entry]) -> None:
        """Offer an entry; it is made only if it is kept, at least for now."""
        self.passed += 1
        if len(self._heap) == self._keep and (size, -number) <= self._heap[0][:2]:
            return
        self._order += 1
        entry = (size, -number, self._order, make())
        if len(self._heap) < self._keep:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heapreplace(self._heap, entry)

    def entries(self) -> tuple[_Entry, ...]:
        """What was kept, largest first."""
        return tuple(entry for _, _, _, entry in sorted(self._heap, key=lambda e: e[:3], reverse=True))
