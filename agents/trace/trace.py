"""Writes an investigation's events to the ledger as they happen, and tells whoever listens.

An event is on disk before listeners hear of it. A step that runs again after a kill gives its events the
same names, so they are stored once; listeners hear them again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import cast

from pydantic import JsonValue

from glossator.memory.investigation_store import InvestigationStore
from glossator.records import AnyEvidence, LlmSpending, TraceEvent, TraceKind

Listener = Callable[[TraceEvent], None]


class StepTrace:
    """The events of one step."""

    def __init__(self, trace: Trace, step: str) -> None:
        self._trace, self.step, self._number = trace, step, 0
        self._held: list[TraceEvent] = []

    def add(
        self,
        kind: TraceKind,
        words: str,
        payload: object = None,
        *,
        evidence: Sequence[str] = (),
        spent: LlmSpending | None = None,
        later: bool = False,
    ) -> None:
        """Write one event down; `payload` is plain JSON. With `later`, together with the next event."""
        event = TraceEvent(
            step=self.step, number=self._number, kind=kind, words=words, payload=cast("JsonValue", payload),
            evidence=tuple(evidence), spent=spent,
        )  # fmt: skip
        self._number += 1
        if later:
            self._held.append(event)
        else:
            held, self._held = self._held, []
            self._trace.write(*held, event)

    def flush(self) -> None:
        """Write down what waits for a next event."""
        held, self._held = self._held, []
        if held:
            self._trace.write(*held)


class Trace:
    """The trace of one investigation."""

    def __init__(
        self, store: InvestigationStore, investigation: str, run: str, listeners: Sequence[Listener] = ()
    ) -> None:
        """A trace that writes to `store`.

        Args:
            store: where events and evidence go.
            investigation: its id.
            run: the ledger's run that pays and measures.
            listeners: told of every event, in order, on the thread that wrote it.
        """
        self.store, self.investigation, self.run = store, investigation, run
        self._listeners = tuple(listeners)

    @contextmanager
    def at(self, step: str, *, told_at_once: bool = True) -> Generator[StepTrace]:
        """The events of `step`; begins with the event that it begins, which may wait for the next one."""
        events = StepTrace(self, step)
        events.add(TraceKind.NODE, step, later=not told_at_once)
        try:
            yield events
        finally:
            events.flush()

    def keep(self, evidence: Sequence[AnyEvidence]) -> tuple[str, ...]:
        """Store evidence before anything cites it; returns its ids."""
        self.store.save_evidence(self.run, evidence)
        return tuple(e.id for e in evidence)

    def write(self, *events: TraceEvent) -> None:
        """Store events, all in one transaction, and tell the listeners."""
        self.store.append(self.investigation, events)
        for event in events:
            for listener in self._listeners:
                listener(event)
