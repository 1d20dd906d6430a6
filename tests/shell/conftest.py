"""A tiny project whose runs do scripted work in this process, for tests that ask for `flags` and `work`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shell.run_fixtures import ScriptedWork, install, own_ledger, standing_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return standing_project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ScriptedWork:
    monkeypatch.chdir(tmp_path)
    scripted = ScriptedWork()
    install(scripted, monkeypatch)
    return scripted


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def flags(project: list[str], home: Path) -> list[str]:
    return own_ledger(project, home)
