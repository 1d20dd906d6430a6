"""Answers found and kept without waiting for the disk one by one.

Whatever arrives while one batch is at the disk goes into the next: many answers share a transaction,
and each is on disk before it is handed out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from glossator.agents.llm_calls.token_counts import TokenCounter, TokenTotals
from glossator.errors import StorageError
from glossator.memory.call_store import CallStore, StoredCall

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Entry(Generic[Item, Result]):
    item: Item
    turn: asyncio.Future[Result]


class Batches(Generic[Item, Result]):
    """Runs `work` in a thread over whatever has gathered since its last run."""

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        self._work = work
        self._waiting: list[_Entry[Item, Result]] = []
        self._running: asyncio.Task[None] | None = None

    async def do(self, item: Item) -> Result:
        """The result for `item`; raises what `work` raised for its batch."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Result] = loop.create_future()
        self._waiting.append(_Entry(item, turn))
        if self._running is None or self._running.done():
            self._running = loop.create_task(self._drain())
        return await turn

    async def close(self) -> None:
        """Wait until everything is done."""
        if self._running is not None and not self._running.done():
            await asyncio.wait({self._running})
        self._finish_now()

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                # A plain future of the executor, so that cancelling every task leaves the thread alone.
                work = loop.run_in_executor(None, self._work, [entry.item for entry in batch])
                await asyncio.wait({work})
                _hand_out(batch, work)
        finally:
            self._finish_now()  # only after a cancellation is anything left

    def _finish_now(self) -> None:
        left, self._waiting = self._waiting, []
        if left:
            self._work([entry.item for entry in left])


def _hand_out(batch: Sequence[_Entry[Item, Result]], work: asyncio.Future[Sequence[Result]]) -> None:
    error = work.exception()
    for place, entry in enumerate(batch):
        if entry.turn.done():  # its asker was cancelled
            continue
        if error is not None:
            entry.turn.set_exception(error)
        else:
            entry.turn.set_result(work.result()[place])


class AnswerStore:
    """A `CallStore` for many askers at once.

    The ledger is always asked: another worker may have paid for the answer a moment ago, and been killed.
    What was paid and could not be stored is kept until it can be: while a disk is full, whoever tries again
    and again must not pay again and again.
    """

    def __init__(self, store: CallStore, counter: TokenCounter) -> None:
        self._store, self._counter = store, counter
        self._reads = Batches(self._find)
        self._writes = Batches(self._add)
        self._unstored: dict[str, StoredCall] = {}
        self._refused: dict[str, StoredCall] = {}
        """Of these, what the ledger would not take when that was last tried."""
        self._opened: set[str] = set()
        self._opening: dict[str, asyncio.Future[None]] = {}

    async def open(self, identity: str) -> None:
        """Read what the ledger knows of the endpoint `identity`, once: how estimates fared."""
        if identity in self._opened:
            return
        if (opening := self._opening.get(identity)) is None:
            opening = self._opening[identity] = asyncio.ensure_future(self._open(identity))
        await asyncio.shield(opening)

    async def find(self, key: str) -> StoredCall | None:
        """The stored call with `key`; None where there is none.

        Raises:
            StorageError: it is known, and still cannot be stored.

        """
        if (kept := self._unstored.get(key)) is not None:
            await self.add(kept)
            return kept
        return await self._reads.do(key)

    async def add(self, call: StoredCall) -> None:
        """Store `call`; it is on disk afterwards, also if the asker is cancelled meanwhile."""
        self._unstored[call.key] = call
        await self._writes.do(call)

    async def ready(self) -> None:
        """Return where the next answer could be stored, as far as anybody knows.

        Raises:
            StorageError: an answer that was paid still cannot be stored; nothing more should be paid.

        """
        for call in tuple(self._refused.values())[:1]:
            await self._writes.do(call)

    async def close(self) -> None:
        """Wait for what is on its way to the disk; what could not be stored is tried once more.

        Raises:
            StorageError: it still cannot be stored, and is lost.

        """
        await self._reads.close()
        await self._writes.close()
        left = list(self._unstored.values())
        if not left:
            return
        try:
            await asyncio.to_thread(self._add, left)
        except StorageError as error:
            raise StorageError(f"answers that were paid and are lost now: {len(left)}: {error}") from error

    async def _open(self, identity: str) -> None:
        try:
            totals = await asyncio.to_thread(self._store.totals, identity, self._counter.name)
        finally:
            del self._opening[identity]  # where that failed, whoever comes next tries again
        for t in totals:
            counted = TokenTotals(t.estimated_input, t.input_tokens, t.estimated_output, t.output_tokens)
            self._counter.learn(identity, t.prompt, counted)
        self._opened.add(identity)

    def _find(self, keys: Sequence[str]) -> list[StoredCall | None]:
        found = self._store.find(keys)
        return [found.get(key) for key in keys]

    def _add(self, calls: Sequence[StoredCall]) -> list[None]:
        try:
            self._store.add(calls)
        except StorageError:
            self._refused |= {call.key: call for call in calls}
            raise
        for call in calls:
            self._unstored.pop(call.key, None)
            self._refused.pop(call.key, None)
        return [None] * len(calls)
