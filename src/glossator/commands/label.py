"""`glossator label`: say what features mean, with evidence and scores, and store it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.result_output import JsonFlag, note, print_rich, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.probes.activation_index import ActivationIndex
    from glossator.records import FeatureCard
    from glossator.report.progress import TaskProgress
    from glossator.session import Session
    from glossator.settings import EffectiveSettings, Settings
else:
    ActivationIndex = EffectiveSettings = FeatureCard = Session = Settings = TaskProgress = Any


@with_settings
def label_command(
    *,
    effective: EffectiveSettings,
    features: Annotated[str | None, typer.Option(help="Which features, such as 0-99,812.")] = None,
    random: Annotated[
        int | None, typer.Option(min=1, help="So many live features, drawn with --seed, instead.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for report.html and cards.jsonl; by default in the home folder."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Label again what is already labelled.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Label features: find out what they mean, score it, store it, and report."""
    from glossator.errors import SettingsError
    from glossator.feature_selection import parse_features
    from glossator.report.progress import TaskProgress as Progress
    from glossator.session import Session as OpenedSession

    if (features is None) == (random is None):
        raise SettingsError("say which features: --features 0-99,812, or --random 25 (one of the two)")
    machine = wants_json(as_json)
    with Progress() as progress, OpenedSession(effective.settings, progress) as session:
        if features is not None:
            parse_features(features, session.n_features())  # before an index is built for nothing
        index = session.index()
        chosen = _chosen(index, features, random, effective.settings.seed)
        cards = _label(session, index, chosen, progress, force=force, machine=machine)
        folder = out or effective.settings.home / "reports"
        _write(cards, folder, effective.settings, index)
        _sync_findings(session)
    if not machine:
        from glossator.report.terminal import cards_table

        print_rich(cards_table(cards))
    note(f"report: {folder / 'report.html'}")


def _chosen(index: ActivationIndex, features: str | None, random: int | None, seed: int) -> list[int]:
    from glossator.feature_selection import draw_features, parse_features

    if features is not None:
        return parse_features(features, index.n_features)
    return draw_features(index.live_features(), random or 1, seed)


def _label(
    session: Session,
    index: ActivationIndex,
    features: list[int],
    progress: TaskProgress,
    *,
    force: bool,
    machine: bool,
) -> list[FeatureCard]:
    from glossator.labelling_run import LabellingRun as Run
    from glossator.report.terminal import card_json_line

    run = Run(session, index, features, force=force)
    if run.n_stored:
        known = f"{run.n_stored} of {len(features)} were labelled before under these settings"
        note(f"{known} (--force labels them again)")
    progress.stage("labelling", "features")
    progress.advance(0, len(features))
    cards: list[FeatureCard] = []
    for finished in run:
        cards.append(finished.card)
        progress.advance(len(cards), len(features))
        if machine:
            typer.echo(card_json_line(finished.card))
    return cards


def _write(cards: list[FeatureCard], folder: Path, settings: Settings, index: ActivationIndex) -> None:
    from datetime import UTC, datetime

    from glossator.probes.atomic_file import written_atomically
    from glossator.report.page import write_report
    from glossator.report.terminal import card_json_line
    from glossator.report_summary import report_context

    tokens = len(index.explore.text)
    context = report_context(cards, settings, tokens=tokens, created=datetime.now(UTC))
    write_report(folder / "report.html", cards, context)
    lines = "".join(card_json_line(card) + "\n" for card in cards)
    with written_atomically(folder / "cards.jsonl") as file:
        file.write(lines.encode())


def _sync_findings(session: Session) -> None:
    from glossator.errors import StorageError

    try:
        session.findings().sync(session.ledger())
    except StorageError as error:  # derived: the next search brings it up to the ledger
        note(f"the labels are stored; the search index was not brought up to date: {error}")
