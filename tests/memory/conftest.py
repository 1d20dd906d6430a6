"""Every kind of database that a ledger may be kept in, for tests that ask for `place` or `any_ledger`."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from glossator.memory.ledger import Ledger
from tests.memory.postgres_server import PostgresServer, fresh_place, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    server = None if request.param == "sqlite" else request.getfixturevalue("postgres")
    return fresh_place(request.param, tmp_path, server)


@pytest.fixture
def any_ledger(place: str) -> Generator[Ledger]:
    with Ledger.open(place) as ledger:
        yield ledger
