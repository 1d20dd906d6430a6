"""Events of an investigation on a terminal, one line each, as they happen."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from glossator.records import TraceEvent, TraceKind
from glossator.report.token_marks import safe_text

_SIGNS = {
    TraceKind.STARTED: ("▶", "bold"),
    TraceKind.NODE: ("·", "dim"),
    TraceKind.PROMPT: ("→", "dim"),
    TraceKind.REPLY: ("←", "cyan"),
    TraceKind.HYPOTHESIS: ("?", "yellow"),
    TraceKind.TOOL_CALL: ("»", "blue"),
    TraceKind.TOOL_RESULT: ("=", "green"),
    TraceKind.TOOL_ERROR: ("!", "red"),
    TraceKind.BELIEF: ("≈", "yellow"),
    TraceKind.CLAIM: ("•", "bold"),
    TraceKind.VERDICT: ("✓", "bold"),
    TraceKind.LIMIT: ("■", "red"),
    TraceKind.FINISHED: ("■", "bold"),
    TraceKind.FAILED: ("✗", "bold red"),
}
_QUIET = {TraceKind.NODE, TraceKind.PROMPT, TraceKind.CLAIM}
"""Said by what comes next: a tool call, a reply, the answer."""
_SHOWN_IDS = 2


class TraceLines:
    """A listener that prints; to stderr unless told otherwise."""

    def __init__(self, console: Console | None = None, *, every: bool = False) -> None:
        """Prints on `console`; with `every`, steps and prompts that say nothing by themselves, too."""
        self._console, self._every = console or Console(stderr=True), every

    def __call__(self, event: TraceEvent) -> None:
        """Print one event."""
        if self._every or event.kind not in _QUIET:
            self._console.print(event_line(event), no_wrap=True, overflow="ellipsis", crop=True)


def event_line(event: TraceEvent) -> Text:
    """A sign for the kind, the words, ids of evidence, and what it cost."""
    sign, style = _SIGNS[event.kind]
    line = Text(f"{sign} ", style=style)
    line.append(safe_text(event.words.replace("\n", " ")), style="dim" if event.kind in _QUIET else "")
    if event.evidence and event.kind is not TraceKind.CLAIM:
        ids = " ".join(event.evidence[:_SHOWN_IDS])
        line.append(f"  {ids}{' …' if len(event.evidence) > _SHOWN_IDS else ''}", style="dim")
    if event.spent is not None and event.spent.calls and event.kind is not TraceKind.FINISHED:
        line.append(f"  {event.spent.input_tokens}+{event.spent.output_tokens} tokens", style="dim")
    return line
