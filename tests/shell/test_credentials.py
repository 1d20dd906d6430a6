"""Passwords in addresses reach neither what is stored nor what is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from glossator.cli import run
from glossator.errors import SettingsError, StorageError, UserError, without_credentials
from glossator.memory.embedded_texts import chroma_errors
from glossator.memory.findings_index import FindingsIndex
from glossator.memory.labelling_runs import LabellingRunStore
from glossator.memory.ledger_engine import open_server
from glossator.probes.sentence_embedder import HashingEmbedder
from glossator.run_launch import note_start
from glossator.run_placement import InThisProcess
from glossator.run_planning import RunWish, plan_run
from glossator.run_settings import read_settings, run_settings, stored_settings
from glossator.session import Session
from glossator.settings import EffectiveSettings, Settings, load_settings
from tests.shell.run_fixtures import ScriptedWork, install, ledger_of, own_ledger, standing_project
from tests.shell.shell_fixtures import flag_settings

PASSWORD = "open/sesame"
DATABASES = [
    "postgresql://me:open/sesame@h/x",
    "postgresql+psycopg://me:open@sesame@h/x",
    "postgresql://me@h/x?password=open/sesame&sslmode=require",
    "postgresql://h/x?user=me&sslpassword=sesame",
    "postgresql://me:open/sesame@h:port/x",
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return standing_project(tmp_path_factory.mktemp("project"))


@pytest.mark.parametrize("url", DATABASES)
def test_a_password_is_hidden_wherever_it_stands(url: str) -> None:
    for hidden in (without_credentials(url), without_credentials(url, marked=True)):
        assert "sesame" not in hidden
        assert "open" not in hidden
        assert "h" in hidden
    assert without_credentials(hidden, marked=True) == hidden


def test_what_holds_none_stays_as_it_is() -> None:
    plain = "http://a:8000/v1,https://b/v1?version=2, me@example.org, openai:gpt-5-mini, a//b"
    assert without_credentials(plain) == plain
    several = "http://a:1/v1,http://me:open@b/v1"
    assert without_credentials(several) == "http://a:1/v1,http://b/v1"
    assert without_credentials(several, marked=True) == "http://a:1/v1,http://me:***@b/v1"
    assert without_credentials("http://token@b/v1", marked=True) == "http://***@b/v1"
    assert without_credentials("http://b/v1?api_key=abc&v=1") == "http://b/v1?api_key=***&v=1"


@pytest.mark.parametrize("url", DATABASES)
def test_a_plan_holds_no_database_at_all(url: str) -> None:
    settings = Settings.model_validate(
        {"ledger_url": url, "chroma_url": "http://h:1", "base_url": "http://h/v1", "explainer": "m"}
    )
    stored = stored_settings(settings)
    assert "ledger_url" not in stored
    assert "chroma_url" not in stored
    assert stored["base_url"] == "http://h/v1"
    path = settings.model_copy(update={"corpus": "/texts//me@home.txt"})
    assert stored_settings(path)["corpus"] == "/texts//me@home.txt"
    keyed = settings.model_copy(update={"base_url": "http://h/v1?key=sesame"})
    assert "base_url" not in stored_settings(keyed)


def test_a_run_goes_on_with_the_databases_of_here(project: list[str], tmp_path: Path) -> None:
    flags = own_ledger(project, tmp_path / "home")
    there = flag_settings(flags, tmp_path, chroma_url="http://me:sesame@h:1")
    with Session(there) as session:
        planned = plan_run(session, RunWish(features="0-3"))
    here = flag_settings(flags, tmp_path, chroma_url="http://other:1", base_url="http://k:sesame@h/v1")
    effective = EffectiveSettings(here, dict.fromkeys(Settings.model_fields, "default"))
    again = run_settings(planned.plan, effective)
    assert (again.chroma_url, again.base_url) == (here.chroma_url, here.base_url)
    assert again.subject == there.subject


@pytest.mark.parametrize("url", [*DATABASES, "mysql://me:open/sesame@h/x", "postgresql+none://me:open@h"])
def test_a_ledger_is_named_without_its_password(url: str) -> None:
    try:
        name = open_server(url).name
    except UserError as error:
        name = str(error)
    assert "open" not in name
    assert "sesame" not in name


def test_settings_that_are_wrong_are_shown_without_their_password() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"chroma_url": "ftp://me:open/sesame@h"}, environment={})
    assert "sesame" not in str(refused.value)
    assert "ftp://me:***@h" in str(refused.value)
    with pytest.raises(SettingsError) as unread:
        read_settings('{"chroma_url": "ftp://me:open/sesame@h"}')
    assert "sesame" not in str(unread.value)


def test_a_search_index_is_named_without_its_password() -> None:
    with pytest.raises(StorageError) as refused:
        FindingsIndex.connect("http://me:sesame@127.0.0.1:9", HashingEmbedder())
    assert "sesame" not in str(refused.value)
    assert "127.0.0.1:9" in str(refused.value)
    with pytest.raises(StorageError, match="index 'x' does not answer"), chroma_errors("x"):
        raise ConnectionError


def test_what_an_unforeseen_error_says_is_cleaned(tmp_path: Path) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no connection by postgresql://me:open/sesame@h/x, password=sesame")

    place = InThisProcess(Settings.model_validate({"home": str(tmp_path)}), fails)  # pyright: ignore[reportArgumentType]
    place.start("r-1", 1)
    while not (outcomes := place.poll()):
        pass
    assert "RuntimeError: no connection" in outcomes[0].words
    assert "sesame" not in outcomes[0].words


def test_a_run_leaves_no_password_behind(
    project: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    install(ScriptedWork(), monkeypatch)
    home = tmp_path / "home"
    flags = [
        *own_ledger(project, home), "--explainer", "m", "--base-url", "http://me:sesame@127.0.0.1:9/v1",
        "--chroma-url", "http://me:sesame@127.0.0.1:9", "--price", "1/1",
    ]  # fmt: skip
    assert run(["run", "start", "--features", "0-9", "--budget", "1usd", *flags]) == 0
    assert run(["run", "list", *flags]) == 0
    assert run(["run", "status", "--json", *flags]) == 0
    assert run(["run", "report", *flags]) == 0
    said = capsys.readouterr()
    assert "sesame" not in said.out + said.err
    written = [p for p in home.rglob("*") if p.is_file()]
    assert len(written) > 3
    assert not [p for p in written if b"sesame" in p.read_bytes()]


def test_a_command_to_be_notified_by_is_not_repeated(project: list[str], tmp_path: Path) -> None:
    settings = flag_settings(own_ledger(project, tmp_path / "home"), tmp_path)
    with Session(settings) as session:
        planned = plan_run(session, RunWish(features="0-3"))
    with ledger_of(settings.home) as ledger:
        store = LabellingRunStore(ledger)
        note_start(store, planned.id, {"notify": "curl -H 'Bearer sesame' h", "workers": 2})
        (started,) = store.events(planned.id)
        assert started.event.words == "it was ordered with notify, workers 2"
        assert store.plan(planned.id).notify == "curl -H 'Bearer sesame' h"
