"""`glossator models`: which model speaks in each role, what it costs, what it can do, whether it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from glossator.commands.result_output import JsonFlag, note, print_json_line, print_rich, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from rich.table import Table

    from glossator.agents.llm_calls.chat import Role
    from glossator.agents.llm_calls.endpoint_probe import Probed
    from glossator.agents.llm_calls.model_spec import ModelSpec
    from glossator.agents.llm_calls.prices import Price
    from glossator.settings import EffectiveSettings, Settings
else:
    EffectiveSettings = ModelSpec = Price = Probed = Role = Settings = Table = Any

_WITHOUT = (
    "no model is set: Glossator then labels without an LLM, by its embedded analyst. To add one: "
    "--explainer openai:gpt-5-mini (with OPENAI_API_KEY set), or --base-url http://127.0.0.1:8000/v1 "
    "--explainer MODEL, or --explainer vllm:REPO_OR_FOLDER; `explainer = …` in glossator.toml keeps it"
)
_USER_ERROR, _NO_ANSWER = 2, 5


class Tested(NamedTuple):
    """A model that was tried, or could not be opened."""

    price: Price | None
    probed: Probed | None
    error: str
    refused: bool


@with_settings
def models_command(*, effective: EffectiveSettings, as_json: JsonFlag = False) -> None:
    """Show the model of each role and ask each once; exit code 2 or 5 if one does not answer."""
    import asyncio

    from glossator.llm_roles import role_models

    models = role_models(effective.settings)
    if not models:
        note(_WITHOUT)
        return
    tested = asyncio.run(_try_all(models, effective.settings))
    if wants_json(as_json):
        for role, spec in models.items():
            print_json_line(_line(role, spec, tested[spec]))
    else:
        print_rich(_table(models, tested))
    if any(t.error for t in tested.values()):
        refused = any(t.refused for t in tested.values())
        raise typer.Exit(_USER_ERROR if refused else _NO_ANSWER)


async def _try_all(models: Mapping[Role, ModelSpec], settings: Settings) -> dict[ModelSpec, Tested]:
    """Each model once, all at the same time."""
    import asyncio

    different = list(dict.fromkeys(models.values()))
    done = await asyncio.gather(*(_try(spec, settings) for spec in different))
    return dict(zip(different, done, strict=True))


async def _try(spec: ModelSpec, settings: Settings) -> Tested:
    from glossator.agents.llm_calls.endpoint_probe import probe
    from glossator.agents.llm_calls.open_endpoint import open_endpoint
    from glossator.agents.llm_calls.prices import Price as GivenPrice
    from glossator.agents.llm_calls.prices import Prices, listed_price
    from glossator.errors import UserError

    try:
        endpoint = open_endpoint(spec, timeout=settings.llm_timeout)
    except UserError as exc:
        given = None if settings.price is None else GivenPrice.parse(settings.price)
        return Tested(given or listed_price(str(spec), spec.name), None, str(exc), refused=True)
    try:
        price = Prices(settings.price).of(endpoint)
        probed = await probe(endpoint)
    finally:
        await endpoint.close()
    return Tested(price, probed, probed.error, probed.refused)


def _where(spec: ModelSpec) -> str:
    from glossator.errors import without_credentials

    if spec.base_url is not None:
        return without_credentials(spec.base_url)
    return "this process" if spec.provider == "vllm" else spec.provider


def _line(role: Role, spec: ModelSpec, tested: Tested) -> dict[str, object]:
    price, probed = tested.price, tested.probed
    answered = probed is not None and probed.reply is not None
    return {
        "role": role.value,
        "model": str(spec),
        "endpoint": _where(spec),
        "usd_per_million_input_tokens": None if price is None else price.input,
        "usd_per_million_output_tokens": None if price is None else price.output,
        "schema": probed.capabilities.schema if probed is not None and answered else None,
        "logprobs": probed.capabilities.logprobs if probed is not None and answered else None,
        "seconds": round(probed.seconds, 3) if probed is not None and answered else None,
        "error": tested.error or None,
    }


def _table(models: Mapping[Role, ModelSpec], tested: Mapping[ModelSpec, Tested]) -> Table:
    from rich import box
    from rich.table import Table as NewTable
    from rich.text import Text

    table = NewTable("role", box=box.SIMPLE_HEAD)
    for heading in ("model", "endpoint", "$ per M in/out", "schema", "logprobs", "test"):
        table.add_column(heading, overflow="fold")
    for role, spec in models.items():
        line, price = _line(role, spec, tested[spec]), tested[spec].price
        table.add_row(
            role.value,
            Text(str(spec)),
            Text(_where(spec)),
            "unknown" if price is None else f"{price.input:g}/{price.output:g}",
            *(_yes_or_no(line[key]) for key in ("schema", "logprobs")),
            Text(str(line["error"]), "red") if line["error"] else Text(f"{line['seconds']} s", "green"),
        )
    return table


def _yes_or_no(value: object) -> str:
    return "?" if value is None else "yes" if value else "no"
