"""An investigation as one HTML page that needs nothing else, and as JSON for programs.

The page has no script; a content security policy forbids it to load anything.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import glossator
from glossator.agents.trace.audit import AuditFlag
from glossator.agents.trace.reading import result_in
from glossator.memory.investigation_store import StoredInvestigation
from glossator.records import StoredEvent
from glossator.report.page_file import environment, write_page
from glossator.report.trace_view import trace_view


def write_trace_page(
    path: Path, stored: StoredInvestigation, events: Sequence[StoredEvent], flags: Sequence[AuditFlag]
) -> Path:
    """Write the page to `path`, whole or not at all, and give `path` back.

    Raises:
        StorageError: If the folder cannot be made or the file cannot be written.

    """
    return write_page(path, render_trace_page(stored, events, flags))


def render_trace_page(
    stored: StoredInvestigation, events: Sequence[StoredEvent], flags: Sequence[AuditFlag]
) -> str:
    """The page as HTML: what it came to, the audit, beliefs, and every step."""
    page = environment().get_template("trace_page.jinja")
    html = page.render(view=trace_view(stored, events, flags), version=glossator.__version__)
    return html.encode("utf-8", "replace").decode()


def trace_json(stored: StoredInvestigation, events: Sequence[StoredEvent], flags: Sequence[AuditFlag]) -> str:
    """The whole trace: the investigation, its audit, its result, and every event as it is stored."""
    result = result_in(events)
    whole = {
        "investigation": {**stored._asdict(), "names": stored.names._asdict()},
        "audit": [f.model_dump(mode="json") for f in flags],
        "result": None if result is None else result.model_dump(mode="json"),
        "events": [s.model_dump(mode="json") for s in events],
    }
    return json.dumps(whole, indent=1)
