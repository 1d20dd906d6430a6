"""`glossator export`: the current cards of the dictionary as files that other programs read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.out_folder import out_folder
from glossator.commands.result_output import JsonFlag, note, print_json_line, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.exports.context import ExportReport
    from glossator.records import FeatureCard
    from glossator.session import Session
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = ExportReport = FeatureCard = Session = Any


@with_settings
def export_command(
    kind: Annotated[str, typer.Argument(metavar="neuronpedia|delphi|jsonl|csv", help="The format.")],
    *,
    effective: EffectiveSettings,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder to write: new, empty, or an earlier export, which is replaced.", callback=out_folder
        ),
    ],
    features: Annotated[
        str | None, typer.Option(help="Only these features, such as 0-99,812; by default all labelled.")
    ] = None,
    model_id: Annotated[str, typer.Option(help="Neuronpedia's id of the model; by default its name.")] = "",
    source_set: Annotated[
        str, typer.Option(help="Neuronpedia's source set; by default from the dictionary's name.")
    ] = "",
    creator: Annotated[str, typer.Option(help="Id of the Neuronpedia user who is named as author.")] = "",
    hookpoint: Annotated[
        str, typer.Option(help="Delphi's name of the site, such as layers.12.mlp; by default from the site.")
    ] = "",
    with_evidence: Annotated[
        bool, typer.Option("--with-evidence", help="Neuronpedia: write the evidence of labels as well.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Export labels, scores and activations: Neuronpedia's layout, Delphi's folders, JSON lines or CSV."""
    from glossator.errors import SettingsError, UnknownNameError, listed
    from glossator.exports.context import ExportKind
    from glossator.exports.export import export_cards
    from glossator.exports.session_context import export_context
    from glossator.feature_selection import parse_features
    from glossator.session import Session

    if kind not in [k.value for k in ExportKind]:
        raise SettingsError(f"unknown format {kind!r}: known are {listed(k.value for k in ExportKind)}")
    with Session(effective.settings) as session:
        wanted = set(parse_features(features, session.n_features())) if features else None
        names = session.names()
        if names not in session.ledger().dictionaries():
            raise UnknownNameError(
                f"nothing of {names.subject}/{names.dictionary} is labelled yet: glossator label --random 25"
            )
        context = export_context(session, ExportKind(kind)).model_copy(
            update={
                "model_id": model_id, "source_set": source_set, "hookpoint": hookpoint,
                "with_evidence": with_evidence, **({"creator": creator} if creator else {}),
            }
        )  # fmt: skip
        report = export_cards(
            ExportKind(kind), out, _cards(session, wanted), evidence=session.ledger().evidence,
            context=context,
        )  # fmt: skip
    _say(report, out, machine=wants_json(as_json))


def _cards(session: Session, wanted: set[int] | None) -> Iterator[FeatureCard]:
    names = session.names()
    for stored in session.ledger().cards(names.subject, names.dictionary):
        if wanted is None or stored.card.feature.index in wanted:
            yield stored.card


def _say(report: ExportReport, out: Path, *, machine: bool) -> None:
    if machine:
        print_json_line(report.model_dump(mode="json"))
        return
    typer.echo(f"{report.features} features, {report.labels} labels that stand: {out}")
    for file in report.files:
        typer.echo(f"  {file}")
    for reason, count in report.left_out.items():
        note(f"left out: {f'{count} ' if count else ''}{reason}")
