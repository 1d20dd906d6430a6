"""`glossator effects`: what a feature does to the next token, explained and scored."""

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
def effects_command(
    feature: Annotated[str, typer.Argument(help="Its index, or SUBJECT/DICTIONARY/INDEX.")],
    *,
    effective: EffectiveSettings,
    out: Annotated[Path | None, typer.Option(help="Folder for an HTML page with plots.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Measure again what is stored.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Measure what a feature causes: strengths, tokens that rise and fall, scores, its role."""
    from glossator.causal_session import CausalSession
    from glossator.effects_run import run_effects, write_page
    from glossator.report.progress import TaskProgress
    from glossator.report.terminal_causal import render_causal
    from glossator.session import Session

    with TaskProgress() as progress, Session(effective.settings, progress) as session:
        causal = CausalSession(session, "effects", feature, embedder=True)
        found = run_effects(causal, progress, force=force)
        page = None if out is None else write_page(causal, out, "effects", found.findings, None)
    if wants_json(as_json):
        about = {"evidence": found.evidence, "feature": causal.ref.model_dump(mode="json")}
        print_json_line({**about, **found.findings.model_dump(mode="json")})
    else:
        print_rich(render_causal(found.findings))
    if found.from_ledger:
        note("measured before under these settings (--force measures again)")
    if page is not None:
        note(f"page: {page}")
    note(f"evidence: {found.evidence}")
