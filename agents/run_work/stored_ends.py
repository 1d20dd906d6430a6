"""What became of features on its way to the ledger: many in one transaction, and patience with a full disk.

What was computed stays in memory until it is stored. While that fails nothing new should be begun
(`in_trouble`); after the patience is over it is given up, and the answers behind it are in the ledger.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from glossator.agents.llm_calls.answer_store import Batches
from glossator.errors import BusyError, CorruptFileError, LeaseLost, StorageError
from glossator.memory.card_rows import card_rows
from glossator.memory.work_queue import Ended, WorkQueue
from glossator.records import ItemState

_NOT_PASSING = (LeaseLost, CorruptFileError)
"""What no waiting mends."""


@dataclass(frozen=True)
class StoragePatience:
    """How long a ledger is waited for that cannot be written. Times in seconds."""

    total: float = 3600.0
    first_wait: float = 1.0
    """It doubles."""
    longest_wait: float = 60.0
    at_the_end: float = 10.0
    """Of all that, what is left once the worker is asked to end."""

    def waits(self) -> list[float]:
        """One wait after another until the patience is over."""
        waits: list[float] = []
        while sum(waits) < self.total:
            waits.append(min(self.longest_wait, self.first_wait * 2.0 ** len(waits)))
        return waits


class _Stored(NamedTuple):
    """What came of storing one end."""

    held: bool
    error: StorageError | None = None


class StoredEnds:
    """Stores what becomes of features. For one event loop."""

    def __init__(
        self,
        queue: WorkQueue,
        patience: StoragePatience,
        on_trouble: Callable[[StorageError], Awaitable[None]],
    ) -> None:
        """`on_trouble` is told whenever a stretch of failures begins."""
        self._queue, self._patience, self._on_trouble = queue, patience, on_trouble
        self._batches: Batches[Ended, _Stored] = Batches(self._store)
        self.failing = 0
        """How many wait for the ledger to be writable again."""
        self._failing_since = 0.0

    @property
    def in_trouble(self) -> bool:
        """The ledger could not be written when that was last tried."""
        return self.failing > 0

    @property
    def is_waited_for_enough(self) -> bool:
        """For a worker that is asked to end, the ledger could not be written for long enough."""
        return self.in_trouble and time.monotonic() - self._failing_since > self._patience.at_the_end

    async def store(self, ended: Ended) -> bool:
        """Store `ended`; False where the worker no longer holds the feature, and nothing was stored.

        Raises:
            StorageError: the patience is over.
        """
        return await self.patiently(lambda: self._stored(ended))

    async def patiently(self, work: Callable[[], Awaitable[bool]]) -> bool:
        """What `work` gives, tried again while it says that the ledger cannot be written."""
        waits = self._patience.waits()
        try:
            return await work()
        except _NOT_PASSING:
            raise
        except StorageError as error:
            if not self.failing:
                await self._on_trouble(error)
        if not self.failing:
            self._failing_since = time.monotonic()
        self.failing += 1
        try:
            return await self._again(work, waits)
        finally:
            self.failing -= 1

    async def _again(self, work: Callable[[], Awaitable[bool]], waits: Sequence[float]) -> bool:
        for wait in waits[:-1]:
            await asyncio.sleep(wait)
            try:
                return await work()
            except _NOT_PASSING:
                raise
            except StorageError:
                continue
        await asyncio.sleep(waits[-1] if waits else 0.0)
        return await work()

    async def close(self) -> None:
        """Wait for what is on its way."""
        await self._batches.close()

    async def _stored(self, ended: Ended) -> bool:
        stored = await self._batches.do(ended)
        if stored.error is not None:
            raise stored.error
        return stored.held

    def _store(self, batch: Sequence[Ended]) -> list[_Stored]:
        """In a thread: together, or one by one where that fails, so that one bad card harms no other."""
        try:
            return [_Stored(held) for held in self._queue.end(batch)]
        except BusyError as error:  # that took a minute, and says nothing of single cards
            return [_Stored(held=False, error=error)] * len(batch)
        except StorageError as error:
            if len(batch) == 1:
                return [self._alone(batch[0], error)]
        return [one for ended in batch for one in self._store([ended])]

    def _alone(self, ended: Ended, error: StorageError) -> _Stored:
        why = _unstorable(ended)
        if not why:
            return _Stored(held=False, error=error)
        failed = Ended(ended.lease, ItemState.FAILED, reason=why, spending=ended.spending)
        return self._store([failed])[0]


def _unstorable(ended: Ended) -> str:
    """Why no ledger takes the card; empty where it would be stored."""
    if ended.card is None:
        return ""
    try:
        card_rows(ended.card, ended.evidence)
    except StorageError as error:
        return str(error)
    return ""
