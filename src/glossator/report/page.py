"""The HTML report: one file that needs nothing else, neither network nor script library.

The page reads without its script; the script only sorts, filters and draws a hovered token's value
on the histogram. A content security policy forbids it to load anything.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from glossator.comparison import Comparison
from glossator.errors import StorageError
from glossator.records import FeatureCard
from glossator.report.card_view import WindowLimits, card_view
from glossator.report.context import ReportContext, ReportTotals, SummaryMean
from glossator.report.plots import whisker_plot
from glossator.report.token_marks import safe_text
from glossator.report.wording import count, reasons_words, signed_words, usd_words, value_words

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
    page = render_report(cards, context, comparisons)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, page.encode())
    except OSError as exc:
        raise StorageError(
            f"could not write the report to {str(path)!r}: {exc.strerror or exc};"
            " free space or name another folder"
        ) from exc
    return path


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
        _environment()
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


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("glossator", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["safe_text"] = safe_text
    environment.filters["count"] = count
    environment.filters["usd"] = usd_words
    environment.filters["reasons"] = reasons_words
    return environment


def _write_whole(path: Path, content: bytes) -> None:
    """Write beside `path`, flush to disk, then rename over it."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
