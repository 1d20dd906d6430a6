"""`glossator evidence`: what stands behind a cited id, and the same measured again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.result_output import JsonFlag, print_json_line, print_rich, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.agents.tools.rerun import Rerun
    from glossator.memory.citations import Citations
    from glossator.records import AnyEvidence, Window
    from glossator.session import Session
    from glossator.settings import EffectiveSettings
else:
    AnyEvidence = Citations = EffectiveSettings = Rerun = Session = Window = Any

NOT_REPRODUCED = 1


@with_settings
def evidence_command(
    id: Annotated[str, typer.Argument(help="The id, such as e-3f9a1c204b77, or its beginning.")],
    *,
    effective: EffectiveSettings,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Measure it again and compare; exit code 1 where it differs.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Open evidence: what was measured, how, and what came out."""
    from glossator.agents.tools.stored_windows import stored_windows
    from glossator.memory.citations import citations, find_evidence
    from glossator.memory.investigation_store import InvestigationStore
    from glossator.report.progress import TaskProgress
    from glossator.session import Session

    with TaskProgress() as progress, Session(effective.settings, progress) as session:
        found = find_evidence(InvestigationStore(session.ledger()), id)
        cited = citations(session.ledger(), found)
        index = None if session.passport() is None else session.index(build=False)
        windows = None if index is None else stored_windows(index, found)
        again = _again(session, found) if rerun else None
    if wants_json(as_json):
        print_json_line(_plain(found, cited, again))
    else:
        _print(found, cited, windows, again)
    if again is not None and not again.reproduced:
        raise typer.Exit(NOT_REPRODUCED)


def _again(session: Session, evidence: AnyEvidence) -> Rerun:
    import asyncio

    from glossator.agents.tools.catalogue import catalogue
    from glossator.agents.tools.rerun import rerun
    from glossator.workbench import open_workbench

    bench = open_workbench(session)
    return asyncio.run(rerun(bench, evidence, catalogue(bench)))


def _plain(evidence: AnyEvidence, cited: Citations, again: Rerun | None) -> dict[str, Any]:
    shown = {
        "evidence": evidence.model_dump(mode="json"),
        "cited": {
            "cards": list(cited.cards),
            "findings": [f.model_dump(mode="json") for f in cited.findings],
            "investigations": list(cited.investigations),
        },
    }
    if again is None:
        return shown
    fresh = None if again.fresh is None else again.fresh.model_dump(mode="json")
    told = {"differences": list(again.differences), "reason": again.reason, "fresh": fresh}
    return {**shown, "rerun": {"reproduced": again.reproduced, **told}}


def _print(
    evidence: AnyEvidence, cited: Citations, windows: tuple[Window, ...] | None, again: Rerun | None
) -> None:
    from glossator.report.terminal_evidence import render_evidence, render_rerun

    print_rich(render_evidence(evidence, cited, windows))
    if again is not None:
        print_rich(render_rerun(evidence, again))
