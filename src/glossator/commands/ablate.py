"""`glossator ablate`: what a text loses without a feature, token by token."""

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
def ablate_command(
    feature: Annotated[str, typer.Argument(help="Its index, or SUBJECT/DICTIONARY/INDEX.")],
    *,
    effective: EffectiveSettings,
    text: Annotated[str, typer.Option(help="The text, of at least two tokens.")],
    by: Annotated[
        str,
        typer.Option(
            help="What the feature gets where it fires: zero; the mean of its activations on explore; or "
            "resample, one of them drawn at random."
        ),
    ] = "zero",
    as_json: JsonFlag = False,
) -> None:
    """Take a feature away from a text, and show what each token loses."""
    from glossator.agents.causal.ablation_run import ablation_by, checked_text, run_ablation
    from glossator.causal_session import CausalSession
    from glossator.report.progress import TaskProgress
    from glossator.report.terminal_ablation import render_ablation
    from glossator.session import Session

    kind, text = ablation_by(by), checked_text(text)
    with TaskProgress() as progress, Session(effective.settings, progress) as session:
        causal = CausalSession(session, "ablate", feature)
        found = run_ablation(causal.work, text, kind)
    if wants_json(as_json):
        about = {"evidence": found.evidence, "feature": causal.ref.model_dump(mode="json"), "by": by}
        print_json_line({**about, **found.findings.model_dump(mode="json")})
    else:
        print_rich(render_ablation(causal.ref, kind, found.findings))
    if found.findings.n_firing == 0:
        note(f"feature {causal.ref.index} is silent on this text, so there is nothing to take away")
    note(f"evidence: {found.evidence}")
