"""An investigation, ready to be shown as a page: what it came to, what was believed, and every step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from glossator.agents.investigator.told_apart import told_apart
from glossator.agents.trace.audit import AuditFlag
from glossator.agents.trace.reading import fields, hypotheses_in, result_in, spent_in
from glossator.memory.investigation_store import StoredInvestigation
from glossator.records import Answer, FeatureInvestigation, Hypothesis, StoredEvent, TraceKind
from glossator.report.belief_plot import BeliefPlot, belief_plot
from glossator.report.token_marks import safe_text
from glossator.report.trace_events_view import ClaimView, EventView, claim_view, event_view, events_by_step
from glossator.report.wording import number, spending_words, value_words

_ID = re.compile(r"\bh-[0-9a-f]{12}\b")
_OPEN_STEPS = 60
"""Above so many steps they are closed at first, so that a browser can still open the page."""


class Row(NamedTuple):
    """One line of facts."""

    name: str
    value: str


class FlagView(NamedTuple):
    """A flag of the audit, with a link to its step."""

    kind: str
    words: str
    step: str
    anchor: str


class HypothesisView(NamedTuple):
    """A hypothesis in the table."""

    name: str
    colour: int
    text: str
    origin: str
    author: str
    probability: str
    percent: float
    state: str
    """`leads`, `refuted` or empty."""


class ResultView(NamedTuple):
    """What it came to."""

    label: str
    verdict: str
    """`accepted`, `tentative`, `abstained`, or empty for a request."""
    reason: str
    rows: tuple[Row, ...]
    claims: tuple[ClaimView, ...]
    notes: tuple[str, ...]


class StepView(NamedTuple):
    """One step with its events."""

    name: str
    anchor: str
    at: str
    words: str
    open: bool
    troubled: bool
    events: tuple[EventView, ...]


class TraceView(NamedTuple):
    """The page."""

    title: str
    subtitle: str
    state: str
    rows: tuple[Row, ...]
    flags: tuple[FlagView, ...]
    result: ResultView | None
    hypotheses: tuple[HypothesisView, ...]
    plot: BeliefPlot | None
    steps: tuple[StepView, ...]
    produced: frozenset[str]
    """Evidence ids that have an anchor in the timeline."""


def trace_view(
    stored: StoredInvestigation, events: Sequence[StoredEvent], flags: Sequence[AuditFlag]
) -> TraceView:
    """The whole investigation, finished or not."""
    hypotheses = {
        h.id: h for s in events if s.event.kind is TraceKind.HYPOTHESIS for h in hypotheses_in(s.event)
    }
    names = {identity: f"H{n}" for n, identity in enumerate(hypotheses, 1)}
    result = result_in(events)
    steps = _step_views(events, names)
    anchors = {step.name: step.anchor for step in steps}
    plot = belief_plot([s.event for s in events], names)
    return TraceView(
        title=safe_text(stored.asked),
        subtitle=f"{'Feature' if stored.kind == 'feature' else 'Request'} investigation {stored.id}",
        state=stored.state,
        rows=tuple(_rows(stored, events)),
        flags=tuple(_flag_view(f, names, anchors) for f in flags),
        result=_result_view(result),
        hypotheses=_hypothesis_views(hypotheses, names, plot, result),
        plot=plot,
        steps=steps,
        produced=frozenset(
            i for step in steps for e in step.events if e.kind in _PRODUCES for i in e.evidence
        ),
    )


_PRODUCES = (TraceKind.TOOL_RESULT.value,)


def short_names(text: str, names: dict[str, str]) -> str:
    """`text` with the short names of hypotheses in the place of their ids."""
    return _ID.sub(lambda found: names.get(found[0], found[0]), text)


def seconds_of(events: Sequence[StoredEvent]) -> float:
    """Seconds from the first event to the last, as the ledger's clock has them."""
    if not events:
        return 0.0
    first, last = (datetime.fromisoformat(events[i].at) for i in (0, -1))
    return (last - first).total_seconds()


def who_decides(events: Sequence[StoredEvent]) -> str:
    """The proposer or planner: of the result, else of the start; empty where neither says."""
    result = result_in(events)
    if isinstance(result, FeatureInvestigation):
        return result.proposer
    if isinstance(result, Answer):
        return result.planner.value
    started = [fields(s.event.payload) for s in events if s.event.kind is TraceKind.STARTED]
    return next((str(p[k]) for p in started for k in ("proposer", "planner") if p.get(k)), "")


def _rows(stored: StoredInvestigation, events: Sequence[StoredEvent]) -> list[Row]:
    result, spent = result_in(events), spent_in(events)
    seconds = result.seconds if result is not None and result.seconds else seconds_of(events)
    role = "Proposer" if stored.kind == "feature" else "Planner"
    rows = [
        Row("Subject", safe_text(f"{stored.names.subject} · {stored.names.dictionary}")),
        Row("Begun", stored.at.replace("T", " ")),
        Row(role, safe_text(who_decides(events)) or "not said"),
        Row("Time", f"{seconds:.1f} s"),
        Row("Cost", "no model was asked" if spent is None else spending_words(spent)),
        Row("Trace", f"{len(events)} events in {len(events_by_step(events))} steps"),
    ]
    return [*rows, Row("Goes on with", stored.continues)] if stored.continues else rows


def _flag_view(flag: AuditFlag, names: dict[str, str], anchors: dict[str, str]) -> FlagView:
    step = safe_text(flag.step)
    return FlagView(flag.kind.value, safe_text(short_names(flag.words, names)), step, anchors.get(step, ""))


def _step_views(events: Sequence[StoredEvent], names: dict[str, str]) -> tuple[StepView, ...]:
    steps = events_by_step(events)
    opened = len(steps) <= _OPEN_STEPS
    views: list[StepView] = []
    for place, (name, own) in enumerate(steps.items(), 1):
        shown = tuple(
            event_view(s, lambda text: short_names(text, names))
            for s in own
            if s.event.kind is not TraceKind.NODE
        )
        trouble = any(e.kind in (TraceKind.TOOL_ERROR.value, TraceKind.FAILED.value) for e in shown)
        words = shown[-1].words if shown else "nothing was noted"
        at = own[0].at[11:19]
        is_open = opened and bool(shown)
        views.append(StepView(safe_text(name), f"step-{place}", at, words, is_open, trouble, shown))
    return tuple(views)


def _hypothesis_views(
    hypotheses: dict[str, Hypothesis],
    names: dict[str, str],
    plot: BeliefPlot | None,
    result: FeatureInvestigation | Answer | None,
) -> tuple[HypothesisView, ...]:
    refuted = set(result.refuted) if isinstance(result, FeatureInvestigation) else set[str]()
    lines = {line.name: line for line in plot.lines} if plot else {}
    last = {name: float(line.dots[-1].words.rsplit(" ", 1)[1]) for name, line in lines.items()}
    leading = max(last, key=lambda name: last[name]) if last else ""
    views: list[HypothesisView] = []
    all_of_them = list(hypotheses.values())
    for identity, one in hypotheses.items():
        name = names[identity]
        state = "refuted" if identity in refuted else "leads" if name == leading else ""
        colour = lines[name].colour if name in lines else 0
        believed = last.get(name)
        views.append(
            HypothesisView(
                name, colour, safe_text(told_apart(one, all_of_them)), one.origin.value,
                safe_text(one.author),
                "–" if believed is None else f"{believed:.2f}", 100 * (believed or 0.0), state,
            )
        )  # fmt: skip
    return tuple(sorted(views, key=lambda v: -v.percent))


def _result_view(result: FeatureInvestigation | Answer | None) -> ResultView | None:
    if result is None:
        return None
    return _answer_view(result) if isinstance(result, Answer) else _feature_view(result)


def _feature_view(result: FeatureInvestigation) -> ResultView:
    rows = [Row("Stopped", result.stopped.value)]
    if result.f1 is not None:
        rows.append(Row("F1 on sealed texts", value_words(result.f1, result.f1_interval)))
    if result.baseline_f1 is not None:
        rows.append(Row("F1 of the embedded one-shot label", number(result.baseline_f1)))
    rows += [
        Row("Facet", f"{safe_text(f.text)}: {f.share:.0%} of firing windows, precision {f.precision:.0%}")
        for f in result.facets
    ]
    rows += [Row("Exception", f"{safe_text(e.text)} (n = {e.n})") for e in result.exceptions]
    rows += [
        Row("Minimal context", f"“{safe_text(m.kept)}” keeps {m.share:.0%} of “{safe_text(m.text)}”")
        for m in result.minimal
    ]
    rows += [Row("Tried", safe_text(words)) for words in result.verdict.tried]
    said = safe_text(result.explanation.text) if result.explanation else ""
    return ResultView(said, result.verdict.kind.value, safe_text(result.verdict.reason), tuple(rows), (), ())


def _answer_view(answer: Answer) -> ResultView:
    rows = [Row("Tried", safe_text(t)) for t in answer.tried]
    rows += [Row("Left out", safe_text(t)) for t in answer.left_out]
    rows += [Row("Stopped", safe_text(answer.stopped))] if answer.stopped else []
    notes = tuple(f"Contradicts what is stored: {safe_text(c.words)}" for c in answer.contradictions)
    label = "" if answer.enough else "Not enough evidence to answer"
    return ResultView(label, "", "", tuple(rows), tuple(claim_view(c) for c in answer.claims), notes)
