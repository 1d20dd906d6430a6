"""`glossator steer`: what a subject says with a feature turned up or down, beside what it says without."""

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
def steer_command(
    feature: Annotated[str, typer.Argument(help="Its index, or SUBJECT/DICTIONARY/INDEX.")],
    prompts: Annotated[list[str], typer.Argument(help="Beginnings to continue, each in quotes.")],
    *,
    effective: EffectiveSettings,
    strength: Annotated[
        str,
        typer.Option(
            help="auto (a next-token KL of 0.33), a KL such as kl=1, or a multiple of the feature's largest "
            "activation such as 2x; a minus turns it down: -1x, kl=-1."
        ),
    ] = "auto",
    length: Annotated[int, typer.Option(min=1, max=512, help="Tokens to generate.")] = 24,
    samples: Annotated[int, typer.Option(min=1, max=20, help="Continuations of each prompt.")] = 1,
    temperature: Annotated[
        float, typer.Option(min=0.0, max=5.0, help="0 always takes the likeliest token.")
    ] = 1.0,
    random: Annotated[
        int, typer.Option(min=0, max=3, help="Random directions of the same norm to compare with.")
    ] = 1,
    positions: Annotated[
        str, typer.Option(help="Which tokens are steered: all, last (of the prompt, and on), or generated.")
    ] = "all",
    as_json: JsonFlag = False,
) -> None:
    """Continue prompts clean, steered, and under a random direction of the same norm."""
    from glossator.agents.causal.steering_run import SteeringAsked, run_steering
    from glossator.causal_session import CausalSession
    from glossator.report.progress import TaskProgress
    from glossator.report.terminal_steering import render_steering
    from glossator.session import Session

    asked = SteeringAsked.checked(
        prompts, strength=strength, tokens=length, samples=samples, temperature=temperature,
        random_directions=random, positions=positions,
    )  # fmt: skip
    with TaskProgress() as progress, Session(effective.settings, progress) as session:
        steered = run_steering(CausalSession(session, "steer", feature).work, asked, progress)
    if wants_json(as_json):
        print_json_line({"evidence": steered.evidence, **steered.findings.model_dump(mode="json")})
    else:
        print_rich(render_steering(steered.findings))
    for remark in steered.findings.remarks:
        note(remark)
    note(f"evidence: {steered.evidence}")
