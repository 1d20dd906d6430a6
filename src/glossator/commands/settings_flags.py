"""Every setting as a flag of a command, kept apart from `Settings` so that help needs no pydantic."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = Any


class SettingFlag(NamedTuple):
    """A flag that overrides a setting."""

    key: str
    type: type
    help: str


SETTING_FLAGS = (
    SettingFlag("subject", str, "The model under study: `starter`, a folder, a GGUF file or a hub id."),
    SettingFlag(
        "dictionary",
        str,
        "Its features: `starter`, a folder of a sparse autoencoder, `neurons:LAYER`, `saelens:RELEASE/ID`.",
    ),
    SettingFlag(
        "site", str, "Where the dictionary reads, such as 12.resid; only for folders that do not say."
    ),
    SettingFlag(
        "corpus",
        str,
        "The text: `starter`, a file or folder of text or JSON lines, or `hf:NAME[@CONFIG][:SPLIT[:FIELD]]`.",
    ),
    SettingFlag("tokens", int, "How many tokens of the corpus to index at most."),
    SettingFlag("context", int, "Tokens that the subject reads at once."),
    SettingFlag("dtype", str, "Number format of the subject; `auto` takes the model's own."),
    SettingFlag("device", str, "Where the subject runs: `auto`, `cpu`, `cuda` or `cuda:N`."),
    SettingFlag("threads", int, "CPU threads for the subject; by default what torch chooses."),
    SettingFlag(
        "embedder", str, "Sentence embedder: `starter`, a folder, or `hashing` (no model; words only)."
    ),
    SettingFlag("home", Path, "Folder of the ledger, the findings index and activation indexes."),
    SettingFlag("cache", Path, "Folder of what can be fetched again."),
    SettingFlag(
        "ledger_url",
        str,
        "Database of the ledger, such as postgresql+psycopg://…; by default SQLite in `home`.",
    ),
    SettingFlag("chroma_url", str, "A Chroma server for the findings index; by default embedded in `home`."),
    SettingFlag(
        "explainer",
        str,
        "Who writes explanations: openai:gpt-5-mini, PROVIDER:MODEL, vllm:MODEL, or a name at `base_url`.",
    ),
    SettingFlag("scorer", str, "The model that reads explanations; by default the explainer's."),
    SettingFlag("investigator", str, "The model that plans investigations; by default the explainer's."),
    SettingFlag("judge", str, "The model that compares answers; by default the scorer's."),
    SettingFlag(
        "base_url",
        str,
        "An OpenAI-compatible URL, such as http://127.0.0.1:8000/v1, for plain names; several by comma.",
    ),
    SettingFlag(
        "api_key_variable",
        str,
        "Name of the environment variable that holds the key for `base_url`; never the key itself.",
    ),
    SettingFlag(
        "price",
        str,
        "US dollars per million input and output tokens, such as 0.25/2, where no price is known.",
    ),
    SettingFlag(
        "llm_slots",
        int,
        "Requests to models in flight at once, at most; fewer while an endpoint takes fewer.",
    ),
    SettingFlag("llm_timeout", float, "Seconds after which a request to a model is given up."),
    SettingFlag(
        "windows_per_prompt",
        int,
        "Windows that a reader is shown at once; by default chosen by measured agreement.",
    ),
    SettingFlag("seed", int, "Seed of everything drawn at random."),
)

_CONFIG_HELP = "File of settings; by default the nearest glossator.toml upwards."


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` a flag for every setting; it gets them as the keyword `effective`."""

    @functools.wraps(command)
    def with_flags(**arguments: Any) -> None:
        from glossator.settings import load_settings

        config: Path | None = arguments.pop("config")
        flags = {flag.key: arguments.pop(flag.key) for flag in SETTING_FLAGS}
        effective: EffectiveSettings = load_settings(flags, config=config)
        command(**arguments, effective=effective)

    own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "effective"]
    added = [_parameter(flag.key, flag.type, flag.help) for flag in SETTING_FLAGS]
    parameters = [*own, *added, _parameter("config", Path, _CONFIG_HELP)]
    # What typer reads: the command's own parameters and one for each setting.
    setattr(with_flags, "__signature__", inspect.Signature(parameters, return_annotation=None))  # noqa: B010
    with_flags.__annotations__ = {p.name: p.annotation for p in parameters}
    delattr(with_flags, "__wrapped__")
    return with_flags


def _parameter(key: str, kind: type, text: str) -> inspect.Parameter:
    option = typer.Option(
        f"--{key.replace('_', '-')}", help=text, rich_help_panel="Settings", show_default=False
    )
    annotation = Annotated[kind | None, option]
    return inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
