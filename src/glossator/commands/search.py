"""`glossator search`: labels by meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.result_output import JsonFlag, note, print_json_line, print_rich, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from rich.table import Table

    from glossator.memory.findings_index import Finding
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = Finding = Table = Any


@with_settings
def search_command(
    text: Annotated[str, typer.Argument(help="What the features should be about.")],
    *,
    effective: EffectiveSettings,
    limit: Annotated[int, typer.Option("--limit", "-k", min=1, help="At most how many.")] = 10,
    verdict: Annotated[str | None, typer.Option(help="Only `accepted` or `tentative` labels.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Find labelled features by the meaning of their labels."""
    from glossator.errors import UnknownNameError
    from glossator.session import Session

    if not text.strip():
        raise UnknownNameError("the search text is empty: say what the features should be about")
    if verdict not in (None, "accepted", "tentative"):
        raise UnknownNameError(f"unknown verdict {verdict!r}: search 'accepted' or 'tentative' labels")
    with Session(effective.settings) as session:
        if not session.ledger().labelled_ids():
            seen = session.ledger().counts().features
            found_none = (
                f"none of the {seen} features looked at has a label" if seen else "nothing is labelled yet"
            )
            note(f"{found_none}: label some first, such as glossator label --random 25")
            return
        findings = session.findings()
        report = findings.sync(session.ledger())
        if report.begun_anew:
            note(f"the findings index was made again ({report.begun_anew}): {report.added} labels")
        found = findings.search(text, limit, {"verdict": verdict} if verdict else None)
    if wants_json(as_json):
        for finding in found:
            print_json_line(_plain(finding))
    else:
        print_rich(_table(found))


def _plain(finding: Finding) -> dict[str, Any]:
    return {**finding._asdict(), "feature": str(finding.feature), "verdict": finding.verdict.value}


def _table(found: list[Finding]) -> Table:
    from rich import box
    from rich.table import Table as NewTable
    from rich.text import Text

    table = NewTable("feature", "label", "verdict", "detection", "similarity", box=box.SIMPLE_HEAD)
    for finding in found:
        detection = "–" if finding.detection is None else f"{finding.detection:.2f}"
        cells = (
            str(finding.feature),
            finding.text,
            finding.verdict.value,
            detection,
            f"{finding.similarity:.2f}",
        )
        table.add_row(*(Text(cell) for cell in cells))
    return table
