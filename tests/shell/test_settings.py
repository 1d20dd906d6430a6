from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from glossator.errors import SettingsError
from glossator.settings import load_settings


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "glossator.toml").write_text(text)
    return folder


def test_flags_beat_environment_beats_file_beats_defaults(tmp_path: Path) -> None:
    folder = write(tmp_path, "seed = 1\ntokens = 11\ncontext = 111\n")
    environment = {"GLOSSATOR_TOKENS": "22", "GLOSSATOR_CONTEXT": "222", "OTHER": "x"}
    settings, origin = load_settings({"context": 333, "dtype": None}, folder=folder, environment=environment)
    assert (settings.seed, settings.tokens, settings.context) == (1, 22, 333)
    assert settings.dtype == "auto"
    file = str(tmp_path / "glossator.toml")
    assert {k: origin[k] for k in ("seed", "tokens", "context", "dtype")} == {
        "seed": file, "tokens": "environment", "context": "flag", "dtype": "default",
    }  # fmt: skip


def test_the_file_is_found_upwards_and_its_paths_are_beside_it(tmp_path: Path) -> None:
    write(tmp_path, 'home = "kept"\nsubject = "./model"\ndictionary = "starter"\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    settings = load_settings(folder=below, environment={}).settings
    assert settings.home == tmp_path / "kept"
    assert settings.subject == str(tmp_path / "model")
    assert settings.dictionary == "starter"
    write(tmp_path / "a", "seed = 5\n")
    assert load_settings(folder=below, environment={}).settings.seed == 5  # the nearest file counts


def test_a_named_file_is_taken_and_must_exist(tmp_path: Path) -> None:
    named = tmp_path / "other.toml"
    named.write_text("seed = 9\n")
    write(tmp_path, "seed = 1\n")
    assert load_settings(folder=tmp_path, environment={}, config=named).settings.seed == 9
    environment = {"GLOSSATOR_CONFIG": str(named)}
    assert load_settings(folder=tmp_path, environment=environment).settings.seed == 9
    with pytest.raises(SettingsError, match=r"no file of settings .*gone"):
        load_settings(config=tmp_path / "gone.toml", environment={})


@pytest.mark.parametrize(
    ("flags", "text", "environment", "message"),
    [
        ({"tokes": 1}, "", {}, r"'tokes' \(flag\): did you mean 'tokens'"),
        ({}, "sed = 1", {}, r"'sed' .*toml\): did you mean 'seed'"),
        ({}, "", {"GLOSSATOR_DEVISE": "cpu"}, r"'GLOSSATOR_DEVISE' \(environment\): did you mean 'device'"),
        ({}, "zzzzz = 1", {}, r"known are .*'threads'"),
        ({}, "[nested]\nseed = 1", {}, "unknown setting 'nested'"),
        ({"tokens": 0}, "", {}, r"'tokens' is 0 \(flag\): .*greater than or equal to 1"),
        ({}, "", {"GLOSSATOR_SEED": "many"}, r"'seed' is 'many' \(environment\): .*integer"),
        ({}, 'device = "tpu"', {}, "'device' is 'tpu'"),
        ({"dtype": "int8"}, "", {}, "'bf16'"),
        ({}, "seed = = 1", {}, "cannot be read"),
        ({}, "", {"GLOSSATOR_CHROMA_URL": "localhost:8000"}, "chroma_url"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, flags: dict[str, object], text: str, environment: dict[str, str], message: str
) -> None:
    write(tmp_path, text)
    with pytest.raises(SettingsError, match=message):
        load_settings(flags, folder=tmp_path, environment=environment)


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "glossator.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(folder=tmp_path, environment={})


def test_reading_settings_imports_nothing_heavy() -> None:
    code = (
        "import sys, glossator.settings as s; s.load_settings(environment={});"
        "print([m for m in ('torch', 'transformers', 'chromadb', 'sqlalchemy', 'numpy') if m in sys.modules])"
    )
    source = str(Path(sys.modules["glossator"].__file__ or "").parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": source}
    )
    assert done.stdout.strip() == "[]", done.stderr
