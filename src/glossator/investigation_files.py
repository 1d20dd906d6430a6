"""Files of investigations beside the ledger: checkpoints of their graphs, and a lock for each.

Checkpoints are a convenience, not the truth: without them an investigation starts again from the beginning,
finds every answer of a model in the ledger and measures the rest anew.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from glossator.errors import BusyError, StorageError

if TYPE_CHECKING:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver


@contextmanager
def held(home: Path, identity: str) -> Generator[None]:
    """Keeps other processes of this machine from the investigation `identity`.

    Raises:
        BusyError: another process is at it.
        StorageError: the folder cannot be written.

    """
    folder = home / "investigations"
    lock = FileLock(folder / f"{identity}.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BusyError(
            f"another process is at the investigation {identity}: wait for it, or stop it first"
        ) from error
    except OSError as error:
        raise StorageError(f"{str(folder)!r} cannot be written ({error}): set --home") from error
    try:
        yield
    finally:
        lock.release()


@asynccontextmanager
async def checkpoints(home: Path) -> AsyncGenerator[AsyncSqliteSaver]:
    """Where graphs keep how far they are."""
    # Else a checkpoint could name any callable, and reading it would import that.
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver as Saver

    home.mkdir(parents=True, exist_ok=True)
    async with Saver.from_conn_string(str(home / "checkpoints.sqlite")) as saver:
        yield saver
