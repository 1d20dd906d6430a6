"""`glossator investigations`: those of the ledger listed, one shown, gone on with, or exported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from glossator.commands.result_output import JsonFlag, note, print_json_line, print_rich, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.investigation_reading import ListedInvestigation, ReadInvestigation
    from glossator.memory.investigation_store import InvestigationStore, StoredInvestigation
    from glossator.session import Session
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = InvestigationStore = ListedInvestigation = ReadInvestigation = Session = Any
    StoredInvestigation = Any

Identity = Annotated[str, typer.Argument(metavar="ID", help="Its id, or how it begins.")]


class _ListsByDefault(TyperGroup):
    """Without the name of a command, `list` is meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


investigations_app = typer.Typer(
    cls=_ListsByDefault, help="List, show, resume and export investigations; without a command: list."
)


@investigations_app.command("list")
@with_settings
def list_command(
    *,
    effective: EffectiveSettings,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most how many, newest first.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List investigations: what was asked, how they stand, what they came to and cost."""
    from glossator.investigation_reading import list_investigations
    from glossator.report.terminal_investigations import investigations_table
    from glossator.session import Session

    with Session(effective.settings) as session:
        listed = list_investigations(_store(session), limit)
    if not listed:
        note("nothing was investigated yet: glossator investigate FEATURE")
    elif wants_json(as_json):
        for one in listed:
            print_json_line(_plain_listed(one))
    else:
        print_rich(investigations_table(listed))


@investigations_app.command("show")
@with_settings
def show_command(identity: Identity, *, effective: EffectiveSettings, as_json: JsonFlag = False) -> None:
    """Show one: what it came to, what was believed, its steps, and what an audit of its trace says."""
    from glossator.session import Session

    with Session(effective.settings) as session:
        _show(session, identity, as_json)


@investigations_app.command("resume")
@with_settings
def resume_command(identity: Identity, *, effective: EffectiveSettings, as_json: JsonFlag = False) -> None:
    """Go on with one that was interrupted or failed, exactly where it was; then show it."""
    from glossator.session import Session

    with Session(effective.settings) as session:
        stored = _store(session).find(identity)
        if _is_over(session, stored):
            note(f"{stored.id} is finished: nothing is left to do")
        else:
            _resume(session, stored)
        _show(session, stored.id, as_json)


@investigations_app.command("export")
@with_settings
def export_command(
    identity: Identity,
    *,
    effective: EffectiveSettings,
    html: Annotated[
        Path | None, typer.Option("--html", help="File for a page that needs nothing else.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for every event and the result, for programs.")
    ] = None,
) -> None:
    """Write one to a file, whole: as a page to read, or as JSON."""
    from glossator.errors import UserError
    from glossator.investigation_reading import read_investigation
    from glossator.report.page_file import write_page as write_file
    from glossator.report.trace_page import trace_json, write_trace_page
    from glossator.session import Session

    if html is None and json_file is None:
        raise UserError("nowhere to write: give --html FILE, --json FILE, or both")
    with Session(effective.settings) as session:
        read = read_investigation(_store(session), identity)
    if html is not None:
        write_trace_page(html, *read)
    if json_file is not None:
        write_file(json_file, trace_json(*read) + "\n")
    note("; ".join(f"wrote {str(path)!r}" for path in (html, json_file) if path is not None))


def _is_over(session: Session, stored: StoredInvestigation) -> bool:
    """Finished, and not by a limit that cut an answer short."""
    from glossator.agents.trace.reading import result_in
    from glossator.records import Answer

    if stored.state != "finished":
        return False
    result = result_in(_store(session).events(stored.id))
    return not (isinstance(result, Answer) and result.stopped)


def _resume(session: Session, stored: StoredInvestigation) -> None:
    from glossator.investigation_resume import resume_investigation
    from glossator.report.terminal_trace import TraceLines

    resume_investigation(session, stored, [TraceLines()])


def write_page(session: Session, identity: str, file: Path) -> None:
    """Write the page of one investigation."""
    from glossator.investigation_reading import read_investigation
    from glossator.report.trace_page import write_trace_page

    write_trace_page(file, *read_investigation(_store(session), identity))


def _store(session: Session) -> InvestigationStore:
    from glossator.memory.investigation_store import InvestigationStore as Store

    return Store(session.ledger())


def _show(session: Session, identity: str, as_json: bool) -> None:
    from glossator.investigation_reading import read_investigation
    from glossator.report.terminal_investigations import render_investigation

    read = read_investigation(_store(session), identity)
    if wants_json(as_json):
        print_json_line(_plain(read))
    else:
        print_rich(render_investigation(read))


def _plain(read: ReadInvestigation) -> dict[str, Any]:
    from glossator.agents.trace.reading import result_in, spent_in
    from glossator.investigation_reading import ListedInvestigation as Listed

    spent = spent_in(read.events)
    return {
        **_plain_listed(Listed(read.stored, result_in(read.events))),
        "continues": read.stored.continues,
        "events": len(read.events),
        "spending": None if spent is None else spent.model_dump(mode="json"),
        "audit": [flag.model_dump(mode="json") for flag in read.flags],
    }


def _plain_listed(one: ListedInvestigation) -> dict[str, Any]:
    stored, result = one.stored, one.result
    return {
        "id": stored.id,
        "kind": stored.kind,
        "subject": stored.names.subject,
        "dictionary": stored.names.dictionary,
        "asked": stored.asked,
        "state": stored.state,
        "at": stored.at,
        "usd": None if result is None else result.spending.usd,
        "result": None if result is None else result.model_dump(mode="json"),
    }
