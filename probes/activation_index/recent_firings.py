"""Firings read lately, kept: labelling one feature asks for those of the same few features many times.

At 10^9 tokens an index has thousands of shards, and putting a feature's firings together takes longer than
most of what is measured on them. Bounded by bytes, so a dense feature drops others rather than memory.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from glossator.probes.split_view import Firings

MOST_BYTES = 32 * 2**20


class RecentFirings:
    """Firings by feature, those asked for longest ago dropped first. For any thread."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._bytes = most_bytes, 0
        self._kept: OrderedDict[int, Firings] = OrderedDict()
        self._lock = Lock()

    def get(self, feature: int) -> Firings | None:
        """What is kept of `feature`; None where nothing is."""
        with self._lock:
            found = self._kept.get(feature)
            if found is not None:
                self._kept.move_to_end(feature)
            return found

    def keep(self, feature: int, firings: Firings) -> Firings:
        """Keep `firings`, from now on read-only, unless they are more than all that may be kept."""
        for column in firings:
            column.setflags(write=False)
        size = _size(firings)
        if size > self._most:
            return firings
        with self._lock:
            replaced = self._kept.pop(feature, None)
            self._kept[feature] = firings
            self._bytes += size - (0 if replaced is None else _size(replaced))
            while self._bytes > self._most:
                self._bytes -= _size(self._kept.popitem(last=False)[1])
        return firings


def _size(firings: Firings) -> int:
    return firings.position.nbytes + firings.activation.nbytes
