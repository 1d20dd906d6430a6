"""Saying again and again that a worker lives, from a thread of its own.

The beats are started by the event loop, so that a worker whose loop hangs is taken for lost.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from glossator.errors import LeaseLost, StorageError
from glossator.memory.run_workers import LEASE_SECONDS, Amount, RunWorkers
from glossator.records import WorkerLoad

_log = logging.getLogger(__name__)


class Heartbeat:
    """The life of one worker in the ledger. For one event loop."""

    def __init__(
        self,
        workers: RunWorkers,
        *,
        every: float = 5.0,
        lease: float = LEASE_SECONDS,
        gone: Callable[[str, int], bool] = lambda host, process: False,
    ) -> None:
        """A worker that has not begun.

        Args:
            workers: the workers of its run.
            every: seconds between two beats.
            lease: seconds until it counts as lost after a beat.
            gone: which other workers cannot be running any more.
        """
        self._workers, self._every, self._lease, self._gone = workers, every, lease, gone
        self._spares_until = float("-inf")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="glossator-beat")

    async def begin(self, host: str, process: int) -> str:
        """Note a new worker; returns its id."""
        begin = partial(self._workers.begin, host, process, self._lease)
        return await asyncio.get_running_loop().run_in_executor(self._thread, begin)

    async def beat_on(
        self, spent: Callable[[], Amount], load: Callable[[], WorkerLoad], on_lost: Callable[[str], None]
    ) -> None:
        """Say that it lives and take for lost those that did not, until cancelled or lost itself."""
        while True:
            await asyncio.sleep(self._every)
            beat = partial(self._beat, spent(), load())
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, beat)
            except LeaseLost as error:
                on_lost(str(error))
                return
            except StorageError as error:  # whoever stores ends runs into it too, and says so
                _log.warning("no beat was stored: %s", error)

    async def end(self, worker: str, spent: Amount, why: str) -> None:
        """Give back what `worker` holds; where that cannot be written, it runs out by itself."""
        end = partial(self._workers.end, worker, spent, why)
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, end)
        except StorageError as error:
            _log.warning("the end of worker %s could not be stored: %s", worker, error)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _beat(self, spent: Amount, load: WorkerLoad) -> None:
        if not self._workers.beat(load.worker, spent, load, self._lease):
            # The machine slept, or nothing could be written: the others get time to say that they live, too.
            self._spares_until = time.monotonic() + self._lease
        # After its own beat: while nothing can be written, nobody may be taken for lost for that.
        silent = time.monotonic() >= self._spares_until
        self._workers.reap(self._gone, sparing=load.worker, silent=silent)
