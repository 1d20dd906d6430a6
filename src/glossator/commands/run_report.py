"""`glossator run report`: what a labelling run came to, as a page, as Markdown, or exported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.out_folder import out_folder
from glossator.commands.result_output import note
from glossator.commands.run_control import Identity
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.exports.context import ExportReport
    from glossator.records import FeatureCard
    from glossator.session import Session
    from glossator.settings import EffectiveSettings, Settings
else:
    EffectiveSettings = ExportReport = FeatureCard = Session = Settings = Any


@with_settings
def report_command(
    identity: Identity = None,
    *,
    effective: EffectiveSettings,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for report.html and report.md; by default the run's own.", callback=out_folder
        ),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(metavar="EARLIER", help="An earlier run to compare with, feature by feature."),
    ] = None,
    export: Annotated[
        str | None,
        typer.Option(
            metavar="jsonl|csv|neuronpedia|delphi",
            help="Export the run's cards as well, into a folder of that name.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one line of JSON.")] = False,
) -> None:
    """Report what a run came to, at any time: coverage, scores, what holds, what is odd, the bill."""
    from glossator.exports.staged_folder import refuse_foreign
    from glossator.memory.labelling_runs import LabellingRunStore
    from glossator.run_folder import RunFolder
    from glossator.run_launch import find_run
    from glossator.run_report_files import run_report, write_report_files
    from glossator.run_settings import run_settings
    from glossator.session import Session as OpenedSession

    kind = _kind(export)
    with OpenedSession(effective.settings) as session:
        store = LabellingRunStore(session.ledger())
        run = find_run(store, identity)
        earlier = find_run(store, compare) if compare else ""
        settings: Settings = run_settings(store.plan(run), effective)
    folder = out or RunFolder.of(effective.settings.home, run).path
    if kind is not None:
        refuse_foreign(folder / str(kind))  # before the report is written
    with OpenedSession(settings) as session:
        report = run_report(session, run, earlier)
        lines = write_report_files(report, folder)
        exported = None if kind is None else _exported(session, run, kind, folder / str(kind))
    if as_json:
        typer.echo(report.model_dump_json())
    else:
        typer.echo("\n".join(lines))
    if exported is not None:
        note(f"{exported.features} features exported: {folder / str(kind)}")
        for reason, n in exported.left_out.items():
            note(f"left out: {f'{n} ' if n else ''}{reason}")


def _kind(text: str | None) -> Any:
    """The format that `text` names; raises `SettingsError` naming all."""
    if text is None:
        return None
    from glossator.commands.run_start import one_of
    from glossator.exports.context import ExportKind

    return one_of(ExportKind, text, "--export")


def _exported(session: Session, run: str, kind: Any, folder: Path) -> ExportReport:
    from glossator.exports.export import export_cards
    from glossator.exports.session_context import export_context

    ledger = session.ledger()
    return export_cards(
        kind, folder, _cards(session, run), evidence=ledger.evidence, context=export_context(session, kind)
    )


def _cards(session: Session, run: str) -> Iterator[FeatureCard]:
    """The cards of the run's features by their numbers, those among them that it had already."""
    from glossator.memory.work_queue import WorkQueue

    items = sorted(WorkQueue(session.ledger(), run).items(), key=lambda item: item.feature.index)
    ids = [item.card for item in items if item.card is not None]
    return (stored.card for stored in session.ledger().cards_by_id(ids))
