"""`glossator memory findings` and `contradictions`: what was learnt, and where it does not agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.result_output import JsonFlag, note, print_json_line, print_rich, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from rich.table import Table

    from glossator.memory.finding_store import StoredFinding
    from glossator.records import Contradiction
    from glossator.settings import EffectiveSettings
else:
    Contradiction = EffectiveSettings = StoredFinding = Table = Any


@with_settings
def findings_command(
    *,
    effective: EffectiveSettings,
    feature: Annotated[int | None, typer.Option(min=0, help="Only what was learnt of this feature.")] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="Only `meaning`, `facet`, `exception`, `refuted`, `effect`, `relation` or `concept`."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """List what investigations learnt, refuted claims among it, newest first."""
    from glossator.agents.memory_use.same_text import deduplicated
    from glossator.memory.finding_store import FindingStore
    from glossator.memory_session import remembered_names
    from glossator.session import Session

    kinds = [] if kind is None else [_kind(kind)]
    with Session(effective.settings) as session:
        names = remembered_names(session)
        store = FindingStore(session.ledger())
        stored = [] if names is None else store.all(names, kinds=kinds, feature=feature)
    found = deduplicated(stored)
    if not found:
        note("nothing like that was learnt yet: glossator investigate FEATURE")
    elif wants_json(as_json):
        for one in found:
            print_json_line(_plain(one))
    else:
        print_rich(_table(found))


@with_settings
def contradictions_command(*, effective: EffectiveSettings, as_json: JsonFlag = False) -> None:
    """List findings and labels that cannot both be right, each with its evidence."""
    from glossator.agents.memory_use.contradictions import find_contradictions
    from glossator.agents.memory_use.meanings import gather_claims
    from glossator.memory_session import contradiction_ground, remembered_names
    from glossator.session import Session

    found: tuple[Contradiction, ...] = ()
    with Session(effective.settings) as session:
        names = remembered_names(session)
        if names is not None and (claims := gather_claims(session.ledger(), names)).accepted:
            if session.passport() is None:
                note("no index: neither the tokens where claims hold nor directions are compared")
            found = find_contradictions(claims, contradiction_ground(session))
    if not found:
        note("no contradictions were found")
    elif wants_json(as_json):
        for one in found:
            print_json_line(one.model_dump(mode="json"))
    else:
        for one in found:
            print_rich(_words(one))


def _kind(text: str) -> Any:
    from glossator.errors import UnknownNameError
    from glossator.records import FindingKind

    try:
        return FindingKind(text)
    except ValueError as error:
        known = ", ".join(k.value for k in FindingKind)
        raise UnknownNameError(f"unknown kind {text!r}: findings are of kind {known}") from error


def _plain(stored: StoredFinding) -> dict[str, Any]:
    found = stored.finding.model_dump(mode="json")
    return {**found, "investigations": list(stored.investigations), "at": stored.at}


def _table(found: tuple[StoredFinding, ...]) -> Table:
    from rich import box
    from rich.table import Table as NewTable
    from rich.text import Text

    from glossator.report.token_marks import safe_text

    table = NewTable("features", "kind", "finding", box=box.SIMPLE_HEAD)
    for heading in ("evidence", "found by"):  # ids that are cut cannot be opened
        table.add_column(heading, no_wrap=True, min_width=14)
    for stored in found:
        finding = stored.finding
        kind = f"{finding.kind.value}, {finding.verdict}" if finding.verdict else finding.kind.value
        cells = (
            ", ".join(map(str, finding.features)) or "–",
            kind,
            safe_text(finding.text),
            _first(finding.evidence),
            _first(stored.investigations),
        )
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _first(ids: Sequence[str]) -> str:
    """The first id, and how many more there are; all of them are in the JSON."""
    return ids[0] if len(ids) == 1 else f"{ids[0]}\n+ {len(ids) - 1} more" if ids else "–"


def _words(one: Contradiction) -> Any:
    from rich.text import Text

    from glossator.report.token_marks import safe_text

    return Text(f"• {safe_text(one.words)}")
