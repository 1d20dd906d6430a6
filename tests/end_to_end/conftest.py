"""The index of the starter subject, which is built once: by the first test that needs it."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every home of these tests keeps its indexes."""
    return tmp_path_factory.mktemp("starter-indexes")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, indexes: Path) -> Path:
    """A home with a ledger of its own, for the tests of one file."""
    folder = tmp_path_factory.mktemp("starter-home")
    (folder / "indexes").symlink_to(indexes)
    return folder
