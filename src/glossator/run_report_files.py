"""The report of a labelling run as files: a page and Markdown, in the run's folder or elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glossator.run_folder import RunFolder
from glossator.session import Session

if TYPE_CHECKING:
    from glossator.records import Contradiction, FeatureNames, RunReport
else:
    Contradiction = FeatureNames = RunReport = Any

PAGE, TEXT = "report.html", "report.md"
MOST_CLAIMS = 5_000
"""Accepted labels up to which those that contradict each other are looked for: they are compared in pairs."""


def write_run_report(session: Session, run: str, folder: RunFolder) -> Sequence[str]:
    """Write the report of `run` into its folder; returns what to say of it."""
    folder.make()
    report = run_report(session, run)
    return write_report_files(report, folder.path)


def write_report_files(report: RunReport, folder: Path) -> Sequence[str]:
    """Write `report` into `folder`; returns its summary in lines, and where it is.

    Raises:
        StorageError: the folder cannot be made or written.

    """
    from glossator.report.page_file import write_page
    from glossator.report.run_lines import report_lines
    from glossator.report.run_markdown import run_report_markdown
    from glossator.report.run_page import write_run_page

    page = write_run_page(folder / PAGE, report)
    write_page(folder / TEXT, run_report_markdown(report))
    return [*report_lines(report), f"report: {page}"]


def run_report(session: Session, run: str, earlier: str = "") -> RunReport:
    """What `run` came to, with all that can be said of it here; `earlier` is a run to compare with.

    `session` must be of the run's settings, for whatever index and dictionary they lead to.
    """
    from glossator.memory.labelling_runs import LabellingRunStore
    from glossator.memory_session import contradiction_ground
    from glossator.run_report import ledger_run_report

    plan = LabellingRunStore(session.ledger()).plan(run)
    ground = contradiction_ground(session)
    return ledger_run_report(
        session.ledger(),
        run,
        directions=ground.directions,
        explore=ground.explore,
        embed=None if ground.embedder is None else ground.embedder.embed,
        contradictions=_contradictions(session, plan.names, ground),
        earlier=earlier,
        seed=session.settings.seed,
    )


def _contradictions(session: Session, names: FeatureNames, ground: Any) -> Sequence[Contradiction] | None:
    from glossator.agents.memory_use.contradictions import find_contradictions
    from glossator.agents.memory_use.meanings import gather_claims

    claims = gather_claims(session.ledger(), names)
    if len(claims.accepted) > MOST_CLAIMS:
        return None
    return find_contradictions(claims, ground) if claims.accepted else ()
