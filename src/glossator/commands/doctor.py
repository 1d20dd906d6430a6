"""`glossator doctor`: what is installed, found and reachable, and what to do about what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from glossator.commands.result_output import JsonFlag, print_json_line, print_rich, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from rich.table import Table

    from glossator.installation_state import Finding
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = Finding = Table = Any


@with_settings
def doctor_command(*, effective: EffectiveSettings, as_json: JsonFlag = False) -> None:
    """Look at the installation; exit code 1 if something essential is broken."""
    from glossator.installation_state import State, examine
    from glossator.session import Session

    with Session(effective.settings) as session:
        found = list(examine(session))
    if wants_json(as_json):
        for finding in found:
            print_json_line(finding.model_dump(mode="json"))
    else:
        print_rich(_table(found))
    if any(finding.state is State.BROKEN for finding in found):
        raise typer.Exit(1)


def _table(found: list[Finding]) -> Table:
    from rich import box
    from rich.table import Table as NewTable
    from rich.text import Text

    styles = {"ok": "green", "missing": "yellow", "broken": "bold red"}
    table = NewTable("part", "state", box=box.SIMPLE_HEAD)
    for heading in ("found", "what to do"):
        table.add_column(heading, overflow="fold")
    for finding in found:
        state = Text(finding.state.value, style=styles[finding.state.value])
        table.add_row(finding.part, state, Text(finding.detail), Text(finding.what_to_do))
    return table
