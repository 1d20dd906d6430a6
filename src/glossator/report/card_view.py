"""A card as the page's template wants it: texts made safe, tokens marked up, drawings placed.

Strings here are plain text, escaped by the template; `Markup` is used only for token text, which
`token_html` has already escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from glossator.comparison import Comparison, compare_cards
from glossator.records import Baseline, FeatureCard, Score, TokenEffect, Window, predicate_json
from glossator.report.activation_shade import bands, peak_activation, shade
from glossator.report.candidates_view import ComparisonView, comparison_view, flag_words
from glossator.report.causal_view import CausalView, causal_view
from glossator.report.headline import Headline, headline, is_llm
from glossator.report.plots import Histogram, WhiskerPlot, histogram, score_plot, whisker_plot
from glossator.report.role_words import causes_first, causes_words
from glossator.report.token_marks import safe_text, token_html
from glossator.report.wording import (
    EXPLANATION_METHOD_WORDS,
    METHOD_QUESTIONS,
    NEGATIVES_WORDS,
    VERDICT_SIGNS,
    FlagWords,
    activation_words,
    baseline_n_words,
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
    score_name,
    spending_words,
    threshold_words,
    unscored_words,
)

_WINDOWS_AT_ONCE = 5
_OUTPUT_TOKENS = 15
_BRIGHT = 0.55
"""Opacity above which black text reads better than white on the page's dark background."""


class WindowLimits(NamedTuple):
    """How many windows of a card are put on the page."""

    per_band: int = 12
    """Firing windows per band."""
    silent: int = 10
    """Silent windows."""


@dataclass(frozen=True)
class ScoreView:
    """One score in words and as a drawing."""

    name: str
    question: str
    reader: str
    negatives: str
    split: str
    threshold: str
    value: str
    interval: str
    method: str
    counts: str
    reading: str
    """How the reader was asked; empty where it is not asked in words."""
    unscored: str
    baselines: tuple[str, ...]
    evidence: str
    plot: WhiskerPlot | None


@dataclass(frozen=True)
class EffectView:
    """An output token with its bar."""

    token: Markup
    words: str
    percent: float


@dataclass(frozen=True)
class WindowView:
    """A window with its tokens marked up."""

    peak: str
    place: str
    tokens: Markup


@dataclass(frozen=True)
class BandView:
    """The windows of one band; `more` folds away behind the first few."""

    heading: str
    first: tuple[WindowView, ...]
    more: tuple[WindowView, ...]
    left_out: int


@dataclass(frozen=True)
class CellView:
    """A score in the table of features."""

    value: str
    interval: str
    sort: float
    plot: WhiskerPlot | None


@dataclass(frozen=True)
class CardView:
    """One feature."""

    anchor: str
    index: int
    name: str
    label: str
    rejected: bool
    """The label was scored and not accepted."""
    verdict: str
    sign: str
    reason: str
    tried: tuple[str, ...]
    author: str
    method: str
    prompts: str
    explanation_id: str
    predicate: str
    flags: tuple[FlagWords, ...]
    cells: tuple[CellView, ...]
    reader: str
    """The LLM that read the label for the row of the table; empty where it was none."""
    comparison: ComparisonView | None
    """The explanations that were tried; None where no LLM was asked."""
    rejects: str
    """Explanations that were not fit to be scored, by reason."""
    spending: str
    spending_unscored: str
    scores: tuple[ScoreView, ...]
    density: str
    density_sort: float
    firings: str
    maximum: str
    histogram: Histogram | None
    promoted: tuple[EffectView, ...]
    suppressed: tuple[EffectView, ...]
    bands: tuple[BandView, ...]
    silent: tuple[WindowView, ...]
    neighbours: tuple[int, ...]
    evidence: tuple[str, ...]
    index_identity: str
    causes: str
    """What it causes, where its role says that this matters."""
    causes_first: bool
    """Said before what it fires on."""
    causal: CausalView | None
    """What it causes; None where that was not measured."""
    causal_missing: str
    """Why not, where it was asked for."""


def card_view(
    card: FeatureCard, anchor: str, limits: WindowLimits, comparison: Comparison | None = None
) -> CardView:
    """`card` for the template, to be found at `#anchor`; `comparison` adds differences to its candidates."""
    explanation, shown = card.explanation, headline(card)
    candidates = comparison or compare_cards([card])
    return CardView(
        anchor=anchor,
        index=card.feature.index,
        name=safe_text(str(card.feature)),
        label=safe_text(explanation.text) if explanation else "",
        rejected=rejected(card),
        verdict=card.verdict.kind.value,
        sign=VERDICT_SIGNS[card.verdict.kind],
        reason=safe_text(card.verdict.reason),
        tried=tuple(map(safe_text, card.verdict.tried)),
        author=safe_text(explanation.author) if explanation else "",
        method=EXPLANATION_METHOD_WORDS[explanation.method] if explanation else "",
        prompts=safe_text(prompt_words(explanation.prompts)) if explanation else "",
        explanation_id=explanation.id if explanation else "",
        predicate=_predicate_words(card),
        flags=flag_words(explanation.flags) if explanation else (),
        cells=_cells(shown),
        reader=_llm_reader(shown),
        comparison=comparison_view(candidates) if card.candidates else None,
        rejects=safe_text(reasons_words(card.rejected)),
        spending=spending_words(card.spending) if card.spending else "",
        spending_unscored=safe_text(reasons_words(card.spending.unscored)) if card.spending else "",
        scores=tuple(map(_score_view, card.scores)),
        density=density_words(card.density),
        density_sort=card.density if math.isfinite(card.density) else -1.0,
        firings=count(card.n_firings),
        maximum=activation_words(card.max_activation),
        histogram=histogram(card),
        promoted=_effects(card.promoted),
        suppressed=_effects(card.suppressed),
        bands=_bands(card, limits.per_band),
        silent=tuple(_window(w, card.max_activation) for w in card.silent_windows[: limits.silent]),
        neighbours=card.neighbours,
        evidence=tuple(map(safe_text, card.evidence)),
        index_identity=safe_text(card.index_identity),
        causes=safe_text(causes_words(card)),
        causes_first=causes_first(card),
        causal_missing=safe_text(card.causal_missing),
        causal=causal_view(card.causal, explanation) if card.causal else None,
    )


def window_markup(window: Window, maximum: float) -> Markup:
    """A window's tokens as spans; a firing one has its opacity, its activation as title, and a class."""
    spans: list[str] = []
    for i, (token, activation) in enumerate(zip(window.tokens, window.activations, strict=False)):
        shown = token_html(token, in_running_text=True)
        opacity = shade(activation, maximum)
        if opacity == 0:
            spans.append(f"<span>{shown}</span>")
            continue
        classes = "f" + (" b" if opacity > _BRIGHT else "") + (" p" if i == window.peak else "")
        value = activation_words(activation)
        spans.append(f'<span class="{classes}" style="--a:{opacity:.2f}" title="{value}">{shown}</span>')
    return Markup("".join(spans))


def _predicate_words(card: FeatureCard) -> str:
    if card.explanation is None or card.explanation.predicate is None:
        return ""
    return safe_text(predicate_json(card.explanation.predicate))


def _llm_reader(shown: Headline) -> str:
    score = shown.detection_random
    return safe_text(score.reader) if score is not None and is_llm(score.reader) else ""


def _cells(shown: Headline) -> tuple[CellView, ...]:
    return tuple(_cell(s) for s in (shown.detection_random, shown.detection_hard, shown.f1, shown.shuffled))


def _cell(measured: Score | Baseline | None) -> CellView:
    if measured is None or measured.value is None:
        return CellView(number(None), "", -1.0, None)
    plot = whisker_plot("value", measured.value, measured.interval)
    interval = interval_words(measured.interval)
    n = baseline_n_words(measured) if isinstance(measured, Baseline) else ""
    words = f"{interval}, {n}" if n else interval
    return CellView(number(measured.value), words, measured.value, plot)


def _score_view(score: Score) -> ScoreView:
    unit = examples_unit(score)
    return ScoreView(
        name=score_name(score),
        question=METHOD_QUESTIONS[score.method],
        reader=safe_text(score.reader),
        negatives=NEGATIVES_WORDS[score.negatives],
        split=score.split.value,
        threshold=threshold_words(score.threshold),
        value=number(score.value),
        interval=interval_words(score.interval),
        method=safe_text(score.interval.method) if score.interval else "",
        counts=f"{count(score.n_positive)} firing, {count(score.n_negative)} silent {unit}",
        reading=safe_text(reading_words(score)),
        unscored=safe_text(unscored_words(score)),
        baselines=tuple(baseline_words(b) for b in score.baselines),
        evidence=score.evidence or "",
        plot=score_plot(score),
    )


def _effects(effects: Sequence[TokenEffect]) -> tuple[EffectView, ...]:
    top = max((abs(e.effect) for e in effects if math.isfinite(e.effect)), default=0.0) or 1.0
    return tuple(
        EffectView(
            Markup(token_html(e.token)),
            effect_words(e),
            round(100 * min(abs(e.effect) / top, 1.0), 1) if math.isfinite(e.effect) else 0.0,
        )
        for e in effects[:_OUTPUT_TOKENS]
    )


def _bands(card: FeatureCard, limit: int) -> tuple[BandView, ...]:
    views: list[BandView] = []
    for band in bands(card):
        share = "" if band.share is None else f" · about {100 * band.share:.2g} % of firings"
        shown = [_window(w, card.max_activation) for w in band.windows[:limit]]
        heading = f"Peak {activation_words(band.low)} to {activation_words(band.high)}{share}"
        first, more = tuple(shown[:_WINDOWS_AT_ONCE]), tuple(shown[_WINDOWS_AT_ONCE:])
        views.append(BandView(heading, first, more, len(band.windows) - len(shown)))
    return tuple(views)


def _window(window: Window, maximum: float) -> WindowView:
    peak = peak_activation(window)
    place = f"document {safe_text(window.document)}, {window.split.value}, token {count(window.start)}"
    return WindowView(activation_words(peak) if peak > 0 else "0", place, window_markup(window, maximum))
