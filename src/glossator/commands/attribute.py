"""`glossator attribute`: what a feature adds to the logits by itself, and what made it fire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from glossator.commands.result_output import JsonFlag, note, print_json_line, print_rich, wants_json
from glossator.commands.settings_flags import with_settings

if TYPE_CHECKING:
    from glossator.settings import EffectiveSettings
else:
    EffectiveSettings = Any


@with_settings
def attribute_command(
    feature: Annotated[str, typer.Argument(help="Its index, or SUBJECT/DICTIONARY/INDEX.")],
    *,
    effective: EffectiveSettings,
    text: Annotated[str, typer.Option(help="The text.")],
    token: Annotated[
        str | None,
        typer.Option(help="The output token to ask about, such as noon; by default each next one."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a feature's direct effect on a token's logit, and the heads that made it fire."""
    from glossator.agents.causal.ablation_run import checked_text, run_attribution
    from glossator.causal_session import CausalSession
    from glossator.report.progress import TaskProgress
    from glossator.report.terminal_ablation import render_attribution
    from glossator.session import Session

    text = checked_text(text)
    with TaskProgress() as progress, Session(effective.settings, progress) as session:
        causal = CausalSession(session, "attribute", feature)
        found = run_attribution(causal.work, text, token)
    if wants_json(as_json):
        about = {"evidence": found.evidence, "feature": causal.ref.model_dump(mode="json")}
        print_json_line({**about, **found.findings.model_dump(mode="json")})
    else:
        print_rich(render_attribution(causal.ref, found.findings))
    if not any(t.activation > 0 for t in found.findings.tokens):
        note(f"feature {causal.ref.index} is silent on this text, so it adds nothing anywhere")
    note(f"evidence: {found.evidence}")
