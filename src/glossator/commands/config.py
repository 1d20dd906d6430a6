"""`glossator config`: the settings in effect and where each came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glossator.commands.result_output import JsonFlag, print_json_line, print_rich, wants_json
from glossator.commands.settings_flags import with_settings
from glossator.errors import without_credentials

if TYPE_CHECKING:
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = Any


@with_settings
def config_command(*, effective: EffectiveSettings, as_json: JsonFlag = False) -> None:
    """Print the settings in effect, and where each came from.

    Flags win over GLOSSATOR_* variables, these over glossator.toml, that over defaults.
    """
    values = {key: _shown(value) for key, value in effective.settings.model_dump(mode="json").items()}
    if wants_json(as_json):
        for key, value in values.items():
            print_json_line({"key": key, "value": value, "from": effective.origin[key]})
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table("setting", "value", "from", box=box.SIMPLE_HEAD)
    for key, value in values.items():
        table.add_row(key, Text("" if value is None else str(value)), Text(effective.origin[key]))
    print_rich(table)


def _shown(value: object) -> object:
    """A value that may be pasted anywhere: passwords in URLs are hidden."""
    return without_credentials(value, marked=True) if isinstance(value, str) else value
