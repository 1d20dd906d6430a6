"""Settings: flags over environment over `glossator.toml` over defaults, each with where it came from.

`glossator.toml` is looked for in the working folder and then upwards, unless `--config` (or
`GLOSSATOR_CONFIG`) names a file; paths in it are relative to its folder. Environment variables are
the keys in capitals after `GLOSSATOR_`. A key that does not exist is an error that names the nearest
one. Nothing heavy is imported here.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from platformdirs import user_cache_path, user_data_path
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from glossator.errors import SettingsError, UnknownNameError, listed, without_credentials
from glossator.records import SiteRef

FILE_NAME = "glossator.toml"
ENVIRONMENT_PREFIX = "GLOSSATOR_"
_CONFIG_VARIABLE = "GLOSSATOR_CONFIG"


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


Folder = Annotated[Path, AfterValidator(_absolute)]


def _site(text: str | None) -> str | None:
    try:
        return None if text is None else str(SiteRef.parse(text))
    except UnknownNameError as exc:
        raise ValueError(str(exc)) from exc


def _urls(text: str | None) -> str | None:
    """One URL, or several joined by commas."""
    for url in text.split(",") if text is not None else ():
        if not re.fullmatch(r"https?://[^/\s]\S*", url.strip()):
            raise ValueError("write http://HOST:PORT/v1, or several such URLs joined by commas")
    return text


class Settings(BaseSettings):
    """Everything that can be set. Made by `load_settings`; a field's docstring is its help."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, frozen=True, extra="forbid", use_attribute_docstrings=True
    )

    home: Folder = Field(default_factory=lambda: user_data_path("glossator"))
    """Folder of the ledger, the findings index and activation indexes."""
    cache: Folder = Field(default_factory=lambda: user_cache_path("glossator"))
    """Folder of what can be fetched again."""
    subject: str = Field("starter", min_length=1)
    """The model under study: `starter`, a folder, a GGUF file or a hub id."""
    dictionary: str = Field("starter", min_length=1)
    """Its features: `starter`, a folder of a sparse autoencoder, `neurons:LAYER`, `saelens:RELEASE/ID`."""
    site: Annotated[str | None, AfterValidator(_site)] = None
    """Where the dictionary reads, such as 12.resid; only for folders that do not say."""
    corpus: str = Field("starter", min_length=1)
    """The text: `starter`, a file or folder of text or JSON lines, or `hf:NAME[@CONFIG][:SPLIT[:FIELD]]`."""
    tokens: int = Field(400_000, ge=1)
    """How many tokens of the corpus to index at most."""
    context: int = Field(256, ge=8)
    """Tokens that the subject reads at once."""
    dtype: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """Number format of the subject; `auto` takes the model's own."""
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    """Where the subject runs: `auto`, `cpu`, `cuda` or `cuda:N`."""
    threads: int | None = Field(None, ge=1)
    """CPU threads for the subject; by default what torch chooses."""
    embedder: str = Field("starter", min_length=1)
    """Sentence embedder: `starter`, a folder, or `hashing` (no model; words only)."""
    ledger_url: str | None = None
    """Database of the ledger, such as postgresql+psycopg://…; by default SQLite in `home`."""
    chroma_url: str | None = Field(None, pattern=r"^https?://[^/\s]+")
    """A Chroma server for the findings index; by default embedded in `home`."""
    explainer: str | None = Field(None, min_length=1)
    """Who writes explanations: openai:gpt-5-mini, PROVIDER:MODEL, vllm:MODEL, or a name at `base_url`."""
    scorer: str | None = Field(None, min_length=1)
    """The model that reads explanations; by default the explainer's."""
    investigator: str | None = Field(None, min_length=1)
    """The model that plans investigations; by default the explainer's."""
    judge: str | None = Field(None, min_length=1)
    """The model that compares answers; by default the scorer's."""
    base_url: Annotated[str | None, AfterValidator(_urls)] = None
    """An OpenAI-compatible URL, such as http://127.0.0.1:8000/v1, for plain names; several by comma."""
    api_key_variable: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the environment variable that holds the key for `base_url`; never the key itself."""
    price: str | None = Field(None, pattern=r"^\d+(\.\d+)?/\d+(\.\d+)?$")
    """US dollars per million input and output tokens, such as 0.25/2, where no price is known."""
    llm_slots: int = Field(8, ge=1, le=1024)
    """Requests to models in flight at once, at most; fewer while an endpoint takes fewer."""
    llm_timeout: float = Field(120.0, gt=0)
    """Seconds after which a request to a model is given up."""
    windows_per_prompt: int | None = Field(None, ge=1, le=20)
    """Windows that a reader is shown at once; by default chosen by measured agreement."""
    seed: int = Field(0, ge=0)
    """Seed of everything drawn at random."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed in: `load_settings` merges the sources, to know where each value is from."""
        return (init_settings,)


class EffectiveSettings(NamedTuple):
    """Settings, and where each of them came from."""

    settings: Settings
    origin: Mapping[str, str]
    """Key to `flag`, `environment`, the path of a file, or `default`."""


def load_settings(
    flags: Mapping[str, object] | None = None,
    *,
    config: Path | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> EffectiveSettings:
    """Settings from flags, environment, file and defaults, in that order.

    Args:
        flags: Values from the command line; None values are flags that were not given.
        config: The file of settings; must exist.
        folder: Where to start looking for `glossator.toml`; the working folder by default.
        environment: Variables instead of the process's own.

    Raises:
        SettingsError: A key is unknown, a value is out of range, or a file cannot be read.

    """
    variables = os.environ if environment is None else environment
    file = _find_file(config, folder or Path.cwd(), variables)
    from_file = {} if file is None else _read_file(file)
    from_environment = _read_environment(variables)
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    _refuse_unknown(given, "flag")
    origin = dict.fromkeys(Settings.model_fields, "default")
    origin |= dict.fromkeys(from_file, str(file)) | dict.fromkeys(from_environment, "environment")
    origin |= dict.fromkeys(given, "flag")
    try:
        settings = Settings.model_validate({**from_file, **from_environment, **given})
    except ValidationError as error:
        raise SettingsError(_explained(error, origin)) from error
    return EffectiveSettings(settings, origin)


def _find_file(config: Path | None, folder: Path, variables: Mapping[str, str]) -> Path | None:
    named = config or (Path(variables[_CONFIG_VARIABLE]) if variables.get(_CONFIG_VARIABLE) else None)
    if named is not None:
        if not named.is_file():
            raise SettingsError(
                f"there is no file of settings {str(named)!r}: make it, or leave --config away"
            )
        return named
    folders = (folder.absolute(), *folder.absolute().parents)
    return next((f / FILE_NAME for f in folders if (f / FILE_NAME).is_file()), None)


def _read_file(file: Path) -> dict[str, object]:
    try:
        content: dict[str, object] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"the settings in {str(file)!r} cannot be read: {error}") from error
    _refuse_unknown(content, str(file))
    return {key: beside(file, key, value) for key, value in content.items()}


def beside(file: Path, key: str, value: object) -> object:
    """Paths in a file of settings are relative to that file, wherever the command is run."""
    if not isinstance(value, str):
        return value
    relative = value.startswith(("./", "../", ".\\", "..\\"))
    if relative or (key in ("home", "cache") and not value.startswith("~")):
        return str(file.absolute().parent / value)
    return value


def _read_environment(variables: Mapping[str, str]) -> dict[str, object]:
    kept = {k: v for k, v in variables.items() if k.upper().startswith(ENVIRONMENT_PREFIX)}
    names = {
        k.upper().removeprefix(ENVIRONMENT_PREFIX).lower() for k in kept if k.upper() != _CONFIG_VARIABLE
    }
    _refuse_unknown(dict.fromkeys(names), "environment")
    source = EnvSettingsSource(Settings)
    source.env_vars = {k.lower(): v for k, v in kept.items()}
    return source()


def _refuse_unknown(given: Mapping[str, object], where: str) -> None:
    known = list(Settings.model_fields)
    for key in given:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.5)
            name = f"{ENVIRONMENT_PREFIX}{key.upper()}" if where == "environment" else key
            hint = f"did you mean {near[0]!r}?" if near else f"known are {listed(known, limit=len(known))}"
            raise SettingsError(f"unknown setting {name!r} ({where}): {hint}")


def _explained(error: ValidationError, origin: Mapping[str, str]) -> str:
    first = error.errors()[0]
    key = str(first["loc"][0]) if first["loc"] else "settings"
    reason = first["msg"].removeprefix("Value error, ")
    given = without_credentials(repr(first["input"]), marked=True)
    return f"setting {key!r} is {given} ({origin.get(key, '?')}): {reason}"
