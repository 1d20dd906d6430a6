from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import glossator
from glossator.cli import app, run
from glossator.commands.settings_flags import SETTING_FLAGS
from glossator.settings import Settings

SOURCE = str(Path(glossator.__file__).parent.parent)
HEAVY = "('torch', 'transformers', 'chromadb', 'sqlalchemy', 'sklearn', 'scipy', 'pydantic_settings')"


def glossator_process(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": SOURCE} | extra
    command = [sys.executable, "-m", "glossator", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def processor_seconds(*arguments: str) -> float:
    """What a Python takes of the processor, whatever else the machine does."""
    before = os.times()
    environment = os.environ | {"PYTHONPATH": SOURCE}
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True, env=environment)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def test_every_setting_is_a_flag_with_its_help() -> None:
    fields = {name: field.description for name, field in Settings.model_fields.items()}
    assert {flag.key: flag.help for flag in SETTING_FLAGS} == fields


def test_help_imports_nothing_heavy_and_answers_at_once() -> None:
    code = (
        "import sys; from glossator.cli import run; run(['--help']); run(['label', '--help']);"
        f"print('heavy:', [m for m in {HEAVY} if m in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": SOURCE}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "heavy: []" in done.stdout, done.stdout + done.stderr
    assert "label" in glossator_process("--help").stdout
    own = min(processor_seconds("-m", "glossator", "--help") for _ in range(3))
    tools = min(processor_seconds("-c", "import pydantic, rich.console, typer") for _ in range(3))
    assert own < 4.5 * tools, (
        "it is about 2.7 times what these three take; with an ORM or torch it is more than 5"
    )


def test_commands_are_listed_and_the_version_is_told() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    for command in ("doctor", "label", "show", "search", "memory", "config"):
        assert command in shown
    assert CliRunner().invoke(app, ["--version"]).stdout == f"glossator {glossator.__version__}\n"


def test_config_names_where_each_setting_comes_from(tmp_path: Path) -> None:
    (tmp_path / "glossator.toml").write_text("seed = 3\n")
    arguments = ["config", "--config", str(tmp_path / "glossator.toml"), "--tokens", "7"]
    arguments += ["--ledger-url", "postgresql://me:secret@host/glossator"]
    done = glossator_process(*arguments, GLOSSATOR_CONTEXT="99")
    found = {line["key"]: (line["value"], line["from"]) for line in map(json.loads, done.stdout.splitlines())}
    assert found["tokens"] == (7, "flag")
    assert found["context"] == (99, "environment")
    assert found["seed"] == (3, str(tmp_path / "glossator.toml"))
    assert found["ledger_url"][0] == "postgresql://me:***@host/glossator"
    assert found["device"] == ("auto", "default")
    assert found.keys() == Settings.model_fields.keys()


def test_errors_are_one_message_without_a_traceback() -> None:
    done = glossator_process("config", "--tokens", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("glossator: setting 'tokens' is 0 (flag)")
    assert len(done.stderr.splitlines()) == 1
    done = glossator_process("config", GLOSSATOR_TOKNS="1")
    assert done.returncode == 2
    assert "did you mean 'tokens'" in done.stderr
    done = glossator_process("search")
    assert done.returncode == 2
    assert "Missing argument" in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"'{sys.executable}' -m glossator config | head -n 1"
    environment = os.environ | {"PYTHONPATH": SOURCE}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_ctrl_c_exits_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("glossator.settings.load_settings", interrupted)
    assert run(["config"]) == 130
    assert "what was finished is stored" in capsys.readouterr().err


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert run(["memory", "check", "--home", str(tmp_path / "file")]) == 3
    assert "--home" in capsys.readouterr().err


def test_a_damaged_ledger_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"not a database" * 100)
    for command in (["memory", "check"], ["search", "cats"], ["memory", "rebuild"]):
        assert run([*command, "--embedder", "hashing", "--home", str(tmp_path)]) == 3
        assert "is damaged" in capsys.readouterr().err
    assert run(["doctor", "--home", str(tmp_path), "--cache", str(tmp_path)]) == 1
    report = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["part"] for line in report if line["state"] == "broken" and "ledger" in line["part"]] == [
        "ledger"
    ]
