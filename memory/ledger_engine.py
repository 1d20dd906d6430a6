"""Opening the ledger's database: a SQLite file, or a PostgreSQL server.

SQLite runs in WAL mode with full foreign keys; writers wait for each other (`BEGIN IMMEDIATE` and a
busy timeout), readers never wait. A file that is damaged is never written to.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, create_engine, event, exc, func, inspect, select
from sqlalchemy.engine import URL, make_url

from glossator.errors import BusyError, MissingExtraError, SettingsError, StorageError, without_credentials
from glossator.memory.ledger_faults import BUSY_SECONDS, corrupt, storage_errors
from glossator.memory.ledger_tables import ADDED_IN, SCHEMA_VERSION, SchemaRow, Table
from glossator.memory.open_databases import OPENING, is_open_here, keep_in_mind

_PATIENCE = {"connect_timeout": 10, "tcp_user_timeout": 30_000}
"""Seconds for a connection to a server, and milliseconds for its answer on the wire: less than a lease."""
_CHECK_ON_OPEN_BYTES = 32 * 2**20
"""Ledgers up to this size are checked page by page whenever they are opened."""


def open_sqlite(path: Path) -> Engine:
    """An engine for the SQLite file `path`, made with its folder where missing.

    Raises:
        CorruptFileError: The file is truncated or not a database; it is not touched.
        StorageError: The folder or the file cannot be written.

    """
    where = str(path)
    with storage_errors(where), OPENING:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not is_open_here(path):
            _refuse_damaged(path)
        engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _prepare_connection)
        event.listen(engine, "begin", _begin)
        _make_durable(engine, path)
        keep_in_mind(engine, path)
    return engine


class Server(NamedTuple):
    """A database server, and how messages name it."""

    engine: Engine
    name: str
    """Its URL without the password."""


def open_server(url: str) -> Server:
    """The database server at `url`, such as `postgresql+psycopg://user@host/glossator`.

    Raises:
        SettingsError: `url` is no URL of PostgreSQL.
        MissingExtraError: its driver is not installed.

    """
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        shown = without_credentials(url, marked=True)
        raise SettingsError(f"ledger_url {shown!r} is not a database URL: {error}") from error
    name = without_credentials(parsed.render_as_string(hide_password=True), marked=True)
    if parsed.get_backend_name() != "postgresql":
        raise SettingsError(
            f"ledger_url {name!r} is not supported: give a file, sqlite:///FILE or postgresql://…"
        )
    try:
        return Server(_server_engine(parsed), name)
    except (ModuleNotFoundError, exc.NoSuchModuleError) as error:
        raise MissingExtraError(
            f"ledger_url {name!r} needs a driver that is not installed ({error}): "
            "pip install 'psycopg[binary]' "
            "and write postgresql+psycopg://…"
        ) from error


def _server_engine(url: URL) -> Engine:
    """An engine with few connections, so that many workers fit, which notices that the server is gone."""
    patience = {name: value for name, value in _PATIENCE.items() if name not in url.query}
    engine = create_engine(
        url, pool_pre_ping=True, pool_size=4, max_overflow=4, pool_timeout=BUSY_SECONDS, connect_args=patience
    )
    event.listen(engine, "connect", _bound_waits)
    return engine


def _bound_waits(connection: Any, _record: object) -> None:
    """A lock is waited for as long as in SQLite: its holder may be a process that was halted."""
    cursor = connection.cursor()
    cursor.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
    cursor.close()
    connection.commit()


@contextmanager
def reading(engine: Engine, where: str) -> Generator[Connection]:
    """A read transaction: one moment of the ledger."""
    with storage_errors(where), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine, where: str) -> Generator[Connection]:
    """A write transaction: all of it is stored, or nothing."""
    with (
        storage_errors(where),
        engine.connect().execution_options(glossator_writes=True) as connection,
        connection.begin(),
    ):
        yield connection


def alone_on_server(connection: Connection, what: str) -> None:
    """Let one transaction at a time go on under the name `what`; a SQLite writer is alone anyway."""
    if connection.dialect.name == "postgresql":
        lock = func.pg_advisory_xact_lock(func.hashtextextended(f"glossator {what}", 0))
        connection.execute(select(lock))


def schema_version(connection: Connection) -> int | None:
    """The version of the tables; None where there are none yet."""
    if not inspect(connection).has_table(SchemaRow.__tablename__):
        return None
    return connection.execute(select(func.max(SchemaRow.version))).scalar_one()


def refuse_newer(version: int | None, where: str) -> None:
    """Raise `StorageError` if the tables are of a version that this Glossator does not know."""
    if version is not None and version > SCHEMA_VERSION:
        raise StorageError(
            f"the ledger {where!r} was written by a newer Glossator (schema {version}; this one reads up to "
            f"{SCHEMA_VERSION}): upgrade Glossator, or set --home to another folder"
        )


def add_missing_tables(connection: Connection, where: str) -> None:
    """Make all tables, or those that an older ledger lacks; inside the caller's write transaction.

    Another process may have been first: what is there is looked at under the write lock.
    """
    alone_on_server(connection, "tables")
    version = schema_version(connection)
    refuse_newer(version, where)
    if version is None:
        Table.metadata.create_all(connection)
        return
    added = [t for v, tables in sorted(ADDED_IN.items()) if v > version for t in tables]
    Table.metadata.create_all(connection, tables=[Table.metadata.tables[t.__tablename__] for t in added])


def page_check(engine: Engine, where: str) -> None:
    """Check every page of a SQLite ledger; raises `CorruptFileError` with what SQLite says."""
    if engine.dialect.name != "sqlite":
        return
    with reading(engine, where) as connection:
        said = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
    if said != "ok":
        raise corrupt(where, said)


def _refuse_damaged(path: Path) -> None:
    """Look at the header before SQLite does, which would read a truncated file half-way."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise corrupt(str(path), "it does not start like a SQLite file")
    page = struct.unpack(">H", header[16:18])[0]
    expected = (65536 if page == 1 else page) * struct.unpack(">I", header[28:32])[0]
    wal = path.with_name(path.name + "-wal")
    # A checkpoint that was killed leaves a short file, whose missing pages are still in the WAL.
    if path.stat().st_size < expected and not (wal.exists() and wal.stat().st_size > 0):
        raise corrupt(str(path), f"it has {path.stat().st_size} bytes of {expected}")


def _make_durable(engine: Engine, path: Path) -> None:
    try:
        # Switching to WAL ignores the busy timeout, so two first processes would trip each other.
        with (
            FileLock(path.with_name(path.name + ".lock"), timeout=BUSY_SECONDS),
            engine.connect() as connection,
        ):
            if connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() != "wal":
                connection.rollback()
                raw = connection.connection.dbapi_connection
                assert raw is not None
                raw.execute("PRAGMA journal_mode = WAL")  # refused inside a transaction
    except Timeout as error:
        raise BusyError(f"the ledger {str(path)!r} is being made by another process: try again") from error
    if path.stat().st_size <= _CHECK_ON_OPEN_BYTES:
        page_check(engine, str(path))


def _prepare_connection(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin` says, not at the first INSERT
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("glossator_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
