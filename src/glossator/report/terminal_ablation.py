"""Ablation and attribution of a given text on a terminal: one row a token."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from glossator.agents.causal.ablation import AblatedToken, AblationFindings, LostPredictions
from glossator.agents.causal.attribution import AttributionFindings, FiringSources, HeadShare
from glossator.probes.interventions.intervention import Ablation
from glossator.records import FeatureRef, TokenShift
from glossator.report.token_marks import token_text
from glossator.report.wording import NOTHING, activation_words, number

_BY_WORDS = {
    Ablation.ZERO: "set to 0",
    Ablation.MEAN: "set to its mean over explore",
    Ablation.RESAMPLE: "given a value drawn from explore",
}
_NOTICED = 0.05
"""Nats from which on a difference is set in bold."""


def render_ablation(feature: FeatureRef, by: Ablation, findings: AblationFindings) -> RenderableType:
    """Totals, a row a token, and the next tokens that lose most."""
    n, lost = findings.n_firing, findings.ablated - findings.clean
    head = (
        f"{_BY_WORDS[by]} at the {n} of {len(findings.tokens)} tokens where it fires: mean loss "
        f"{findings.clean:.3f} → {findings.ablated:.3f} nats a token ({lost:+.3f})"
    )
    table = _token_table("activation", "loss", "without", "difference")
    for token in findings.tokens:
        table.add_row(
            token_text(token.token), _activation(token), Text(number(token.clean)),
            Text(number(token.ablated)), _difference(token),
        )  # fmt: skip
    parts: list[RenderableType] = [Text(str(feature), style="bold"), Text(head), _below(table)]
    parts += [_below(_predictions(p, findings)) for p in findings.predictions]
    words = "Loss: nats of the token given those before it. A positive difference: the feature helped."
    if any(t.activation > 0 and not t.touched for t in findings.tokens):
        words += " A first token (marked ·) is never changed: it is an attention sink."
    parts.append(Padding(Text(words, style="dim"), (1, 0, 0, 0)))
    return Group(*parts)


def render_attribution(feature: FeatureRef, findings: AttributionFindings) -> RenderableType:
    """A row a token with the feature's direct effect, then heads and sources where there are any."""
    asked = (
        Text("direct effect on the logit of each next token")
        if findings.target is None
        else Text.assemble("direct effect on the logit of ", token_text(findings.target, style="bold"))
    )
    headings = ("activation", "effect") if findings.target else ("activation", "next token", "effect")
    table = _token_table(*headings)
    for token in findings.tokens:
        target = [] if findings.target else [token_text(token.target) if token.target else Text(NOTHING)]
        effect = NOTHING if token.effect is None else f"{token.effect:+.3f}" if token.activation else "0"
        table.add_row(
            token_text(token.token), Text(_activation_words(token.activation)), *target, Text(effect)
        )
    parts: list[RenderableType] = [Text(str(feature), style="bold"), asked, _below(table)]
    if findings.sources is not None:
        parts += _sources(findings.sources)
    words = (
        "Effect: what the feature adds to the logit straight through the residual stream, less the mean over "
        "all tokens, with norms held as they are. What later layers make of it is left out: steer and ablate "
        "measure that."
    )
    parts.append(Padding(Text(words, style="dim"), (1, 0, 0, 0)))
    return Group(*parts)


def _token_table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("token", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "next token" else "right")
    return table


def _activation(token: AblatedToken) -> Text:
    shown = Text(_activation_words(token.activation))
    return shown if token.touched or token.activation == 0 else shown.append(" ·")


def _activation_words(activation: float) -> str:
    return activation_words(activation) if activation > 0 else ""


def _difference(token: AblatedToken) -> Text:
    difference = token.difference
    if difference is None:
        return Text(NOTHING)
    if abs(difference) < 0.0005:
        return Text("0")
    return Text(f"{difference:+.3f}", style="bold" if abs(difference) >= _NOTICED else "")


def _predictions(prediction: LostPredictions, findings: AblationFindings) -> RenderableType:
    token = findings.tokens[prediction.position]
    title = Text.assemble(
        "after ", token_text(token.token, style="bold"),
        f" ({prediction.position + 1} of {len(findings.tokens)}, activation "
        f"{activation_words(token.activation)}) the next token moves by {prediction.kl:.2g} nats",
    )  # fmt: skip
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    grid.add_row("less likely", _shifts(prediction.lost))
    grid.add_row("more likely", _shifts(prediction.gained))
    return Group(title, grid)


def _shifts(shifts: Iterable[TokenShift]) -> Text:
    items = [
        Text.assemble(token_text(s.token, style="bold"), (f" {_share(s.clean)}→{_share(s.steered)}", "dim"))
        for s in shifts
    ]
    return Text("   ").join(items) if items else Text(NOTHING)


def _share(probability: float) -> str:
    percent = 100 * probability
    return f"{percent:.1f}%" if percent >= 0.1 else "<0.1%"


def _sources(sources: FiringSources) -> list[RenderableType]:
    title = Text.assemble(
        "why it fires at ", token_text(sources.token, style="bold"), f" (token {sources.position + 1}): "
        f"pre-activation {sources.preactivation:+.3f} = heads "
        f"{sources.preactivation - sources.bias:+.3f} and bias {sources.bias:+.3f}",
    )  # fmt: skip
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("head", justify="right")
    table.add_column("brings", justify="right")
    table.add_column("from (with attention)", ratio=1, overflow="fold")
    for head in sources.heads:
        table.add_row(Text(str(head.head)), Text(f"{head.contribution:+.3f}"), _head_sources(head))
    table.add_row(Text("others"), Text(f"{sources.other_heads:+.3f}"), Text(""))
    return [_below(title), table]


def _head_sources(head: HeadShare) -> Text:
    items = [
        Text.assemble(
            token_text(s.token, style="bold"), f" {s.contribution:+.3f} ", (f"({s.attention:.0%})", "dim")
        )
        for s in head.sources
    ]
    return Text("   ").join(items)


def _below(what: RenderableType) -> RenderableType:
    return Padding(what, (1, 0, 0, 0))
