"""One card in full on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from glossator.comparison import Comparison, compare_cards
from glossator.records import (
    Explanation,
    FeatureCard,
    Score,
    TokenEffect,
    VerdictKind,
    Window,
    predicate_json,
)
from glossator.report.activation_shade import bands, occupied, peak_activation, shade, sparkline
from glossator.report.role_words import causes_first, causes_words
from glossator.report.terminal_causal import render_causal
from glossator.report.terminal_comparison import candidates_table
from glossator.report.token_marks import safe_text, token_text
from glossator.report.wording import (
    EXPLANATION_METHOD_WORDS,
    FLAG_WORDS,
    METRIC_WORDS,
    NEGATIVES_WORDS,
    VERDICT_SIGNS,
    activation_words,
    baseline_words,
    count,
    density_words,
    effect_words,
    examples_unit,
    interval_words,
    number,
    prompt_words,
    reading_words,
    reasons_words,
    rejected,
    spending_words,
    threshold_words,
    unscored_words,
)

VERDICT_STYLES = {
    VerdictKind.ACCEPTED: "green",
    VerdictKind.TENTATIVE: "yellow",
    VerdictKind.ABSTAINED: "dim",
}
_NO_LABEL = "no label"
_WINDOWS_PER_BAND = 4
_SILENT_WINDOWS = 4
_SHADE_RGB = (230, 159, 0)
"""Okabe and Ito's orange, which the usual kinds of colour blindness leave distinct from black and white."""
_DARK_RGB = (24, 24, 24)


def render_card(card: FeatureCard, comparison: Comparison | None = None) -> RenderableType:
    """Everything known of a feature, from the label down to the evidence ids.

    Args:
        card: The feature's card.
        comparison: Of its candidates, with differences; without it their values stand alone.

    """
    sections: list[RenderableType] = [_head(card)]
    if card.candidates:
        sections += [_heading("Explanations tried"), candidates_table(comparison or compare_cards([card]))]
    if card.scores:
        sections += [_heading("Scores"), scores_table(card.scores)]
    if card.causal is not None:
        sections += [_heading("What it causes"), render_causal(card.causal)]
    elif card.causal_missing:
        sections += [_heading("What it causes"), Text(f"not measured: {safe_text(card.causal_missing)}")]
    sections += [_heading("Activation"), _activation(card)]
    if card.promoted or card.suppressed:
        sections += [_heading("Output tokens, change of logit per unit"), _effects(card)]
    sections += _firing_windows(card)
    if card.silent_windows:
        sections.append(_heading("Silent although similar (hard negatives)"))
        sections += [_window_line(w, 0.0) for w in card.silent_windows[:_SILENT_WINDOWS]]
    sections += [_heading("Provenance"), _provenance(card)]
    return Group(*sections)


def scores_table(scores: Sequence[Score]) -> Table:
    """Every score with its interval, counts, negatives, split and baselines."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("score", min_width=17)
    table.add_column("value", min_width=17)
    table.add_column("measured on", ratio=1)
    table.add_column("baselines", style="dim")
    for score in scores:
        table.add_row(_score_cell(score), _value_cell(score), _examples_cell(score), _baselines_cell(score))
    return table


def _score_cell(score: Score) -> Text:
    name = Text(f"{score.method.value} {METRIC_WORDS[score.metric]}\n")
    return name.append(f"by {safe_text(score.reader)}, {score.split.value}", style="dim")


def _value_cell(score: Score) -> Text:
    return Text(number(score.value), style="bold").append(
        f" {interval_words(score.interval)}", style="not bold"
    )


def _examples_cell(score: Score) -> Text:
    shown = Text(f"{count(score.n_positive)} {examples_unit(score)} {threshold_words(score.threshold)}\n")
    shown.append(f"vs {count(score.n_negative)} {NEGATIVES_WORDS[score.negatives]}")
    if reading := reading_words(score):
        shown.append(f"\n{safe_text(reading)}", style="dim")
    if score.unscored:
        shown.append(f"\n{safe_text(unscored_words(score))}", style="yellow")
    return shown


def _baselines_cell(score: Score) -> Text:
    return Text("\n".join(baseline_words(b) for b in score.baselines))


def window_text(window: Window, maximum: float) -> Text:
    """A window with each firing token on a shaded background, its peak underlined."""
    shown = Text(overflow="fold")
    for i, (token, activation) in enumerate(zip(window.tokens, window.activations, strict=False)):
        style = _shade_style(shade(activation, maximum))
        if i == window.peak and activation > 0:
            style += " bold underline"
        shown.append_text(token_text(token, in_running_text=True, style=style))
    return shown


def label_text(card: FeatureCard) -> Text:
    """The card's label, or that it has none; with what it causes where that is the side that matters."""
    fires, causes = _fires_text(card), causes_words(card)
    if not causes:
        return fires
    said = Text(safe_text(causes))
    return Text("\n").join((said, fires) if causes_first(card) else (fires, said))


def _fires_text(card: FeatureCard) -> Text:
    if card.explanation is None:
        return Text(_NO_LABEL, style="dim italic")
    if rejected(card):
        return Text(f"rejected: {safe_text(card.explanation.text)}", style="dim italic")
    return Text(safe_text(card.explanation.text))


def verdict_text(card: FeatureCard) -> Text:
    """The verdict with its sign, so that colour is not needed."""
    kind = card.verdict.kind
    return Text(f"{VERDICT_SIGNS[kind]} {kind.value}", style=VERDICT_STYLES[kind])


def _shade_style(opacity: float) -> str:
    """A background between dark grey and orange; black text where it is bright."""
    if opacity <= 0:
        return ""
    red, green, blue = (round(d + opacity * (c - d)) for c, d in zip(_SHADE_RGB, _DARK_RGB, strict=True))
    return f"{'black' if opacity > 0.5 else 'white'} on rgb({red},{green},{blue})"


def _head(card: FeatureCard) -> RenderableType:
    lines = [label_text(card), Text.assemble(verdict_text(card), "  ", Text(safe_text(card.verdict.reason)))]
    lines[0].stylize("bold")
    if card.verdict.tried:
        lines.append(Text("Tried:", style="dim"))
        lines += [Text(f"  {i}. {safe_text(what)}") for i, what in enumerate(card.verdict.tried, 1)]
    if card.explanation is not None:
        for flag in card.explanation.flags:
            lines.append(Text(f"⚑ {FLAG_WORDS[flag].name}: {FLAG_WORDS[flag].meaning}", style="yellow"))
        if card.explanation.predicate is not None:
            lines.append(Text(f"Rule: {safe_text(predicate_json(card.explanation.predicate))}", style="dim"))
        lines.append(Text(_authorship(card.explanation), style="dim"))
    style = VERDICT_STYLES[card.verdict.kind]
    return Panel(Group(*lines), title=Text(str(card.feature)), title_align="left", border_style=style)


def _authorship(explanation: Explanation) -> str:
    method = EXPLANATION_METHOD_WORDS[explanation.method]
    asked = f", asked with {safe_text(prompt_words(explanation.prompts))}" if explanation.prompts else ""
    return f"By {safe_text(explanation.author)}, {method}{asked} ({explanation.id})"


def _heading(words: str) -> RenderableType:
    return Padding(Text(words, style="bold"), (1, 0, 0, 0))


def _activation(card: FeatureCard) -> RenderableType:
    facts = Text(
        f"fires on {density_words(card.density)} of tokens · {count(card.n_firings)} firings"
        f" · maximum {activation_words(card.max_activation)}"
    )
    edges, counts = occupied(card)
    if not counts:
        return facts
    bars = Text(sparkline(counts), style="rgb(230,159,0)")
    ends = (f"{activation_words(edges[0])} ", f" {activation_words(edges[-1])}  (log–log)")
    return Group(facts, Text.assemble((ends[0], "dim"), bars, (ends[1], "dim")))


def _effects(card: FeatureCard) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, effects in (("promoted", card.promoted), ("suppressed", card.suppressed)):
        grid.add_row(name, _effect_list(effects))
    return grid


def _effect_list(effects: Iterable[TokenEffect]) -> Text:
    items = [
        Text.assemble(token_text(e.token, style="bold"), (f" {effect_words(e)}", "dim")) for e in effects
    ]
    return Text("   ").join(items)


def _firing_windows(card: FeatureCard) -> list[RenderableType]:
    """The strongest windows of each band."""
    lines: list[RenderableType] = []
    for band in bands(card):
        share = "" if band.share is None else f", about {100 * band.share:.2g} % of firings"
        interval = f"{activation_words(band.low)}–{activation_words(band.high)}"
        lines.append(_heading(f"Fires at {interval}{share}"))
        lines += [_window_line(w, card.max_activation) for w in band.windows[:_WINDOWS_PER_BAND]]
        left = len(band.windows) - _WINDOWS_PER_BAND
        if left > 0:
            lines.append(Text(f"       and {left} more", style="dim"))
    return lines or [_heading("No firing windows")]


def _window_line(window: Window, maximum: float) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=6, justify="right", style="dim")
    grid.add_column(overflow="fold")
    peak = peak_activation(window)
    grid.add_row(activation_words(peak) if peak > 0 else "silent", window_text(window, maximum))
    return grid


def _provenance(card: FeatureCard) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    grid.add_row("neighbours", Text(", ".join(map(str, card.neighbours)) or "none"))
    grid.add_row("evidence", Text(", ".join(card.evidence) or "none"))
    grid.add_row("index", Text(safe_text(card.index_identity)))
    if card.rejected:
        unfit = f"explanations that were not fit to be scored: {safe_text(reasons_words(card.rejected))}"
        grid.add_row("rejected", Text(unfit))
    if card.spending is not None:
        grid.add_row("LLM calls", Text(spending_words(card.spending)))
        if card.spending.unscored:
            reasons = safe_text(reasons_words(card.spending.unscored))
            grid.add_row("", Text(f"without a usable answer: {reasons}", style="yellow"))
    return grid
