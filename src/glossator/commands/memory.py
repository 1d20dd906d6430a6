"""`glossator memory`: look after what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from glossator.commands.memory_findings import contradictions_command, findings_command
from glossator.commands.result_output import JsonFlag, print_json_line, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = Any

memory_app = typer.Typer(help="Look after the ledger and the findings index.", no_args_is_help=True)
memory_app.command("findings")(findings_command)
memory_app.command("contradictions")(contradictions_command)


@memory_app.command("rebuild")
@with_settings
def rebuild_command(*, effective: EffectiveSettings, as_json: JsonFlag = False) -> None:
    """Make the findings index again from the ledger."""
    from glossator.session import Session

    with Session(effective.settings) as session:
        ledger = session.ledger()
        findings = session.findings()
        added, learnt = findings.rebuild(ledger), findings.n_learnt
        place = str(session.findings_place)
    if wants_json(as_json):
        print_json_line({"labels": added, "learnt": learnt, "findings": place})
    else:
        typer.echo(f"the findings index in {place} holds {added} labels and {learnt} findings")


@memory_app.command("check")
@with_settings
def check_command(*, effective: EffectiveSettings, as_json: JsonFlag = False) -> None:
    """Read all that is stored; says what is damaged and what to do."""
    from glossator.session import Session

    with Session(effective.settings) as session:
        ledger = session.ledger()
        ledger.check()
        counts = ledger.counts()
        labels = len(ledger.labelled_ids())
        place = ledger.where
    if wants_json(as_json):
        print_json_line({"ledger": place, "sound": True, "current_labels": labels, **counts._asdict()})
    else:
        typer.echo(
            f"the ledger {place} is sound: {counts.features} features, {counts.cards} cards, "
            f"{counts.scores} scores, {counts.evidence + counts.dictionary_evidence} pieces of evidence, "
            f"{counts.runs} runs, {counts.investigations} investigations with {counts.trace_events} events, "
            f"{counts.findings} findings; {labels} current labels"
        )
