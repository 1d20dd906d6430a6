"""`glossator stress`: how far a feature's causal claim holds, as a grade with everything that fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.result_output import JsonFlag, note, print_json_line, print_rich, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = Any


@with_settings
def stress_command(
    feature: Annotated[str, typer.Argument(help="Its index, or SUBJECT/DICTIONARY/INDEX.")],
    *,
    effective: EffectiveSettings,
    out: Annotated[Path | None, typer.Option(help="Folder for an HTML page with plots.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Test again what is stored.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put a feature's effect to the test: layers, strengths, contexts, rivals, lookalikes."""
    from glossator.causal_session import CausalSession
    from glossator.effects_run import write_page
    from glossator.report.progress import TaskProgress
    from glossator.report.terminal_causal import render_stress
    from glossator.session import Session
    from glossator.stress_run import run_stress

    with TaskProgress() as progress, Session(effective.settings, progress) as session:
        causal = CausalSession(session, "stress", feature, embedder=True)
        found = run_stress(causal, progress, force=force)
        page = None if out is None else write_page(causal, out, "stress", found.findings, found.report)
    if wants_json(as_json):
        print_json_line({"evidence": found.evidence, **found.report.model_dump(mode="json")})
    else:
        print_rich(render_stress(found.report))
    if found.label is None:
        note("the feature has no label, so what a label means could not be tested")
    if found.from_ledger:
        note("tested before under these settings (--force tests again)")
    if page is not None:
        note(f"page: {page}")
    note(f"evidence: {found.evidence}")
