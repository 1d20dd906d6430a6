"""The report of a labelling run, written into its folder."""

from __future__ import annotations

from collections.abc import Sequence

from glossator.run_folder import RunFolder
from glossator.session import Session


def write_run_report(session: Session, run: str, folder: RunFolder) -> Sequence[str]:
    """Write the report of `run`; returns what to say of it."""
    return ()
