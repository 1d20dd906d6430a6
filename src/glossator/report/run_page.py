"""The report of a labelling run as one HTML page that needs nothing else: no network, no script.

Its size does not grow with the run: lists are bounded, and single features are opened with `glossator show`.
"""

from __future__ import annotations

from pathlib import Path

import glossator
from glossator.records import RunReport
from glossator.report.page_file import environment, write_page
from glossator.report.run_document import RunDocument, Tile
from glossator.report.run_feature_sections import (
    alike_section,
    contradictions_section,
    ranked_section,
    surprises_section,
)
from glossator.report.run_lines import report_lines
from glossator.report.run_outcome_sections import (
    abstentions_section,
    cost_section,
    coverage_section,
    history_section,
)
from glossator.report.run_score_sections import (
    discovery_section,
    earlier_section,
    embedded_section,
    scores_section,
)
from glossator.report.wording import count

READING = (
    "Brackets hold the 95 % interval of an estimate; n is what it rests on. Medians have intervals by order"
    " statistics, means by a bootstrap over features. Features of one dictionary share texts, so that both"
    " are a little too narrow. Counts of features are counts, not estimates, and have no interval.",
    "Detection asks whether a reader who knows only the label can tell windows where the feature fires from"
    " silent ones; random negatives are silent windows drawn anywhere, hard ones look alike. The predicate's"
    " scores run the label's rule over every token. Shuffled is the same measurement with labels of other"
    " features, empty with none, embedded analyst with the label that rules find without a model; the dashed"
    " line is guessing. Answers that could not be scored are counted by reason and enter no score.",
)


def write_run_page(path: Path, report: RunReport) -> Path:
    """Write the page to `path`, whole or not at all, and give `path` back.

    Raises:
        StorageError: If the folder cannot be made or the file cannot be written.

    """
    return write_page(path, render_run_report(report))


def render_run_report(report: RunReport) -> str:
    """The page as HTML."""
    page = environment().get_template("run_page.jinja")
    html = page.render(document=run_document(report), version=glossator.__version__)
    return html.encode("utf-8", "replace").decode()


def run_document(report: RunReport) -> RunDocument:
    """The report in words and tables, whatever it is dressed as."""
    names = report.plan.names
    sections = (
        coverage_section(report),
        discovery_section(report),
        scores_section(report),
        embedded_section(report),
        ranked_section(report),
        surprises_section(report),
        abstentions_section(report),
        alike_section(report),
        contradictions_section(report),
        cost_section(report),
        earlier_section(report),
        history_section(report),
    )
    return RunDocument(
        title=f"Labelling run {report.run}",
        subtitle=" · ".join((*names, report.plan.selection, report.plan.depth.value)),
        tiles=_tiles(report),
        summary=report_lines(report)[1:],
        sections=tuple(s for s in sections if s is not None),
        reading=READING,
    )


def _tiles(report: RunReport) -> tuple[Tile, ...]:
    counts, verdicts = report.coverage.counts, report.coverage.verdicts
    earlier = report.coverage.earlier_cards
    return (
        Tile(count(counts.total), "features"),
        *(Tile(count(verdicts.get(v, 0)), v, v) for v in ("accepted", "tentative", "abstained")),
        Tile(count(len(report.discovery.holding)), f"hold at q {report.discovery.q:g}"),
        Tile(count(counts.failed), "failed"),
        Tile(
            count(counts.skipped), f"skipped, {count(earlier)} with an earlier card" if earlier else "skipped"
        ),
        Tile(count(counts.left), "left"),
    )
