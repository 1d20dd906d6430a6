"""One feature: what is known of it, and where it fires."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from glossator.agents.feature_evidence import window_payload
from glossator.agents.tools.known_labels import called, known_labels
from glossator.agents.tools.measuring import number, of_feature, paged, percent, require_feature, tool_of
from glossator.agents.tools.tool import AnyTool, Fact, ToolResult
from glossator.agents.tools.workbench import Workbench
from glossator.errors import ToolError
from glossator.probes.split_view import OpenView
from glossator.probes.windows import WindowBatch, firing_windows, to_windows
from glossator.prompts.fence import marked, neutral
from glossator.records import EvidenceKind, FeatureCard, Record, Score, Split, Window

CARD, WINDOWS = "feature_card", "windows"
TOP_TOKENS = 8


class FeatureCardAsked(Record):
    """What `feature_card` is given."""

    feature: int
    """The feature's number."""


class WindowsAsked(Record):
    """What `windows` is given."""

    feature: int
    """The feature's number."""
    split: Literal["explore", "validate"] = "explore"
    """Which texts: `explore` for looking, `validate` for checking a guess on other texts."""
    low: float = 0.0
    """Peaks at or above this quantile of the feature's own firings, 0 to 1."""
    high: float = 1.0
    """Peaks at or below this quantile."""
    page: int = 1
    """Which ten windows, strongest first, from 1."""


class TopToken(NamedTuple):
    """A token that a feature fires on."""

    token: str
    share: float
    """Of the feature's activation on `explore`."""


def feature_tools(bench: Workbench) -> list[AnyTool]:
    """The tools of this module over one bench."""
    return [
        tool_of(
            CARD,
            "What is known of one feature: its label and verdict with the reason, how often it fires, and on "
            "which tokens. Works for features that are not labelled, too.",
            FeatureCardAsked,
            lambda given: feature_card(bench, given),
        ),
        tool_of(
            WINDOWS,
            "Texts of the corpus where one feature fires, strongest first, with the firing tokens marked "
            "<<so>>. Choose weak firings with a low quantile range.",
            WindowsAsked,
            lambda given: windows(bench, given),
        ),
    ]


def top_tokens(bench: Workbench, feature: int, k: int = TOP_TOKENS) -> list[TopToken]:
    """The tokens that most of a feature's activation on `explore` lies on, most first."""
    view = bench.index.explore
    firings = view.firings(feature)
    ids, place = np.unique(view.text.ids[firings.position], return_inverse=True)
    mass = np.bincount(place, weights=firings.activation, minlength=len(ids))
    order = np.argsort(-mass, kind="stable")[:k]
    total, texts = float(mass.sum()), view.text.vocabulary.texts
    return [TopToken(texts[int(ids[i])], float(mass[i]) / total) for i in order]


def feature_card(bench: Workbench, given: FeatureCardAsked) -> ToolResult:
    """Label, verdict, statistics and top tokens of one feature."""
    feature = require_feature(bench, given.feature)
    card = bench.ledger.latest_card(bench.ref(feature))
    stats, tokens = bench.index.statistics, top_tokens(bench, feature)
    payload = {
        "label": card.explanation.text if card is not None and card.explanation is not None else "",
        "verdict": "" if card is None else card.verdict.kind.value,
        "reason": "" if card is None else card.verdict.reason,
        "density": number(stats.density[feature]),
        "n_firings": int(stats.count[feature]),
        "max_activation": number(stats.max[feature]),
        "rows": [{"token": t.token, "share": number(t.share)} for t in tokens],
    }
    evidence = of_feature(bench, feature, EvidenceKind.STATISTICS, CARD, given, payload)
    fires = (
        f"feature {feature} fires on {percent(stats.density[feature])} of the tokens of explore "
        f"({stats.count[feature]:,} times), at most {stats.max[feature]:.3g}"
        if stats.count[feature]
        else f"feature {feature} never fires on explore: it is dead on this corpus"
    )
    told = [_verdict_words(bench, feature, card), fires]
    if tokens:
        listed = ", ".join(f'"{neutral(t.token)}" {percent(t.share)}' for t in tokens)
        told.append(f"feature {feature} has most of its activation on {listed}")
    facts = [Fact(words, evidence.id, (feature,)) for words in told]
    if card is not None:
        facts += [
            Fact(_score_words(feature, s), s.evidence, (feature,)) for s in card.scores if s.evidence
        ]  # fmt: skip
    return ToolResult(tuple(facts), (evidence,))


def _verdict_words(bench: Workbench, feature: int, card: FeatureCard | None) -> str:
    if card is None:
        return f"feature {feature} is not labelled: nobody has looked at it yet"
    said = called(known_labels(bench, [feature]), feature)
    if card.index_identity != bench.index.identity:
        said += ", measured on another index than this one"
    author = "" if card.explanation is None else f", by {card.explanation.author}"
    return f"{said}{author}: {neutral(card.verdict.reason)}"


def _score_words(feature: int, score: Score) -> str:
    what = (
        f"feature {feature}, {score.method.value} score of its label ({score.metric.value}, {score.reader})"
    )
    if score.value is None:
        reasons = ", ".join(f"{why}: {n}" for why, n in score.unscored.items())
        return f"{what}: could not be measured ({reasons or 'no answers'})"
    around = "" if score.interval is None else f" [{score.interval.low:.2f}, {score.interval.high:.2f}]"
    negatives = score.negatives.value.replace("_", " ")
    return (
        f"{what}: {score.value:.2f}{around} on {score.split.value}, against {negatives}, "
        f"n = {score.n_positive} + {score.n_negative}"
    )


def windows(bench: Workbench, given: WindowsAsked) -> ToolResult:
    """Windows whose peak lies between two quantiles of the feature's own firings.

    Raises:
        ToolError: no such feature, quantiles that are none, or a feature that never fires there.

    """
    feature = require_feature(bench, given.feature)
    if not 0 <= given.low < given.high <= 1:
        raise ToolError(f"quantiles {given.low:g} to {given.high:g} are no range: 0 <= low < high <= 1")
    view = bench.index.explore if given.split == "explore" else bench.index.validate
    strength = np.sort(view.firings(feature).activation)
    if not len(strength):
        raise ToolError(f"feature {feature} never fires on {given.split}")
    found = _between(view, feature, strength, given)
    page = paged(range(len(found)), given.page, "windows")
    shown = to_windows(view, feature, found.take(np.asarray(page.rows, dtype=np.int64)))
    evidence = of_feature(
        bench, feature, EvidenceKind.WINDOWS, WINDOWS, given, window_payload(shown),
        split=Split(given.split).value, found=page.total,
    )  # fmt: skip
    facts = tuple(
        Fact(_window_words(w, strength, number), evidence.id, (feature,))
        for number, w in enumerate(shown, page.first)
    )
    return ToolResult(facts, (evidence,), page.left_out)


def _between(
    view: OpenView, feature: int, strength: Float[np.ndarray, " firings"], given: WindowsAsked
) -> WindowBatch:
    """All windows with their peak in the range, strongest first."""
    low, high = np.quantile(strength, [given.low, given.high])
    above = np.nextafter(np.float32(low), np.float32(0)) if given.low > 0 else 0.0
    batch = firing_windows(
        view, feature, threshold=float(above), n=len(strength), seed=0, sampling="top"
    )  # fmt: skip
    return batch.take(batch.activation <= np.float32(high))


def _window_words(window: Window, strength: Float[np.ndarray, " firings"], number: int) -> str:
    peak = window.activations[window.peak]
    quantile = np.searchsorted(strength, peak) / len(strength)
    text = marked(window.tokens, [a > 0 for a in window.activations])
    return (
        f'window {number}, {window.split.value}: fires {peak:.3g} (quantile {quantile:.2f}) on "'
        f'{neutral(window.tokens[window.peak])}" in: {text}'
    )
