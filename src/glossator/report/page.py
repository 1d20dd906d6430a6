"""The HTML report: one file that needs nothing else, neither network nor script library.

The page reads without its script; the script only sorts, filters and draws a hovered token's value
on the histogram. A content security policy forbids it to load anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from glossator.comparison import Comparison
from glossator.records import FeatureCard
from glossator.report.card_view import WindowLimits, card_view
from glossator.report.context import ReportContext, ReportTotals, SummaryMean
from glossator.report.page_file import environment, write_page
from glossator.report.plots import whisker_plot
from glossator.report.wording import signed_words, value_words

__all__ = ["ReportContext", "ReportTotals", "SummaryMean", "render_report", "write_report"]

_MANY = 100
"""Above so many cards each shows fewer windows, so that a browser can still open the page."""


def write_report(
    path: Path,
    cards: Sequence[FeatureCard],
    context: ReportContext,
    comparisons: Iterable[Comparison] = (),
) -> Path:
    """Write the report to `path`, whole or not at all, and give `path` back.

    Args:
        path: Where to; an older report there is replaced.
        cards: The features.
        context: What is not about one feature.
        comparisons: Of some of these features; they add paired differences to the candidates.

    Raises:
        StorageError: If the folder cannot be made or the file cannot be written.

    """
    return write_page(path, render_report(cards, context, comparisons))


def render_report(
    cards: Sequence[FeatureCard], context: ReportContext, comparisons: Iterable[Comparison] = ()
) -> str:
    """The report as HTML."""
    compared = {str(c.feature): c for c in comparisons}
    anchors = _anchors(cards)
    limits = WindowLimits() if len(cards) <= _MANY else WindowLimits(per_band=2, silent=2)
    views = [
        card_view(card, anchor, limits, compared.get(str(card.feature)))
        for card, anchor in zip(cards, anchors, strict=True)
    ]
    at = {card.feature.index: anchor for card, anchor in zip(reversed(cards), reversed(anchors), strict=True)}
    means = [
        (m, value_words(m.value, m.interval), whisker_plot(m.name, m.value, m.interval))
        for m in context.means
    ]
    differences = [(m, signed_words(m.value, m.interval)) for m in context.differences]
    page = (
        environment()
        .get_template("page.jinja")
        .render(context=context, cards=views, anchors=at, means=means, differences=differences)
    )
    return page.encode("utf-8", "replace").decode()


def _anchors(cards: Sequence[FeatureCard]) -> list[str]:
    """`f812` for feature 812; a number behind it where another dictionary has the same."""
    seen: dict[int, int] = {}
    anchors: list[str] = []
    for card in cards:
        index = card.feature.index
        seen[index] = seen.get(index, 0) + 1
        anchors.append(f"f{index}" if seen[index] == 1 else f"f{index}-{seen[index]}")
    return anchors
