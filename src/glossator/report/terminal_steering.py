"""Steering, ablation and attribution of given texts on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from glossator.agents.causal.steering import CLEAN, STEERED, Continuation, SteeredPrompt, SteeringColumn
from glossator.agents.causal.steering_run import SteeringFindings
from glossator.agents.causal.steering_strength import StrengthUsed
from glossator.report.token_marks import safe_text, token_text
from glossator.report.wording import NOTHING, activation_words

_CONCEPT_STYLE = "black on rgb(230,159,0)"
"""Okabe and Ito's orange, as firing tokens have it on a card."""


def render_steering(findings: SteeringFindings) -> RenderableType:
    """What was added, and each prompt with its continuations."""
    parts: list[RenderableType] = [
        Text(str(findings.feature), style="bold"),
        Text(_strength_words(findings.strength, str(findings.site))),
    ]
    if findings.concept:
        tokens = Text("  ").join(token_text(t, style=_CONCEPT_STYLE) for t in findings.concept)
        parts.append(Text.assemble("raises: ", tokens))
    parts += [_prompt(p, findings) for p in findings.prompts]
    parts.append(Text(_reading_words(findings), style="dim"))
    return Group(*parts)


def _strength_words(strength: StrengthUsed, site: str) -> str:
    turned = "up" if strength.multiple > 0 else "down"
    return (
        f"turned {turned} by {abs(strength.multiple):.3g} times its largest activation "
        f"({activation_words(abs(strength.activation))} units, a vector of length "
        f"{activation_words(strength.norm)} at {site}); next-token KL {strength.kl_validate:.2g} on "
        f"{strength.n_validate} validate prompts"
    )


def _prompt(prompt: SteeredPrompt, findings: SteeringFindings) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("continuation", ratio=1, overflow="fold")
    table.add_column("KL", justify="right")
    table.add_column("perplexity", justify="right")
    if findings.concept:
        table.add_column("concept", justify="right")
    for column in prompt.columns:
        for k, continuation in enumerate(column.continuations):
            cells = [
                Text(column.name if k == 0 else "", style="bold" if column.name == STEERED else ""),
                _continued(continuation, findings.concept),
                Text(_kl_words(column) if k == 0 else ""),
                Text(_large(continuation.perplexity)),
            ]
            share = continuation.concept_share
            table.add_row(*cells, *([Text(f"{share:.0%}")] if share is not None else []))
    return Padding(Group(Text(f"“{safe_text(prompt.prompt)}”", style="bold"), table), (1, 0, 0, 0))


def _kl_words(column: SteeringColumn) -> str:
    return NOTHING if column.name == CLEAN or column.kl is None else f"{column.kl:.2g}"


def _continued(continuation: Continuation, concept: Sequence[str]) -> Text:
    shown = Text(overflow="fold")
    for token in continuation.tokens:
        style = _CONCEPT_STYLE if token in concept else ""
        shown.append_text(token_text(token, in_running_text=True, style=style))
    return shown


def _large(value: float | None) -> str:
    if value is None:
        return "∞"
    return f"{value:.3g}" if value < 1e6 else f"{value:.0e}"


def _reading_words(findings: SteeringFindings) -> str:
    words = (
        "KL: how far the token after the prompt moves, in nats. Perplexity: of the continuation under the "
        "untouched subject; much above clean means broken text. All rows share their random numbers."
    )
    if findings.concept:
        words += " Concept: share of tokens that the feature is known to raise, shaded."
    return words
