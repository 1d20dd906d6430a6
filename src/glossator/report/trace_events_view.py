"""Events of a trace, ready to be shown: what each says, and what can be opened beneath it.

Everything here is text that somebody else wrote: the template escapes it, and what could upset a page is
written out before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from glossator.agents.trace.reading import beliefs_in, claims_in, experiments_in, fields, hypotheses_in
from glossator.records import (
    Belief,
    Claim,
    Experiment,
    Outcome,
    StoredEvent,
    TraceEvent,
    TraceKind,
    TriedText,
    predicate_json,
)
from glossator.report.token_marks import plain_token, safe_text
from glossator.report.wording import activation_words, spending_words

_BRIEF = 160
"""Characters of a payload that are shown in a line."""
LONGEST = 20_000
"""Characters of one text that a page shows; the JSON export has all of it."""

_KIND_WORDS = {
    TraceKind.STARTED: "started", TraceKind.NODE: "step", TraceKind.PROMPT: "asked",
    TraceKind.REPLY: "reply", TraceKind.HYPOTHESIS: "hypothesis", TraceKind.TOOL_CALL: "calls",
    TraceKind.TOOL_RESULT: "result", TraceKind.TOOL_ERROR: "error", TraceKind.BELIEF: "belief",
    TraceKind.CLAIM: "claim", TraceKind.VERDICT: "verdict", TraceKind.LIMIT: "limit",
    TraceKind.FINISHED: "finished", TraceKind.FAILED: "failed",
}  # fmt: skip

Named = Callable[[str], str]
"""Puts short names in the place of ids of hypotheses."""


class TriedView(NamedTuple):
    """One text of an experiment."""

    text: str
    why: str
    expected: str
    outcome: str
    agrees: str
    """`right`, `wrong` or `undecided`."""
    activation: str
    percent: float
    """Length of its bar: activation as a share of the experiment's largest, or of twice the threshold."""
    quantile: str
    token: str


class ExperimentView(NamedTuple):
    """An experiment as a table."""

    hypothesis: str
    kind: str
    right: int
    decided: int
    weak: int
    threshold: str
    threshold_percent: float
    rows: tuple[TriedView, ...]


class BeliefView(NamedTuple):
    """One belief as a bar."""

    name: str
    percent: float
    probability: str
    n: int


class TextView(NamedTuple):
    """A text to be opened: a turn of a prompt, an answer, a payload."""

    title: str
    text: str


class FactView(NamedTuple):
    """A fact of a tool, with its evidence."""

    text: str
    evidence: tuple[str, ...]


class ClaimView(NamedTuple):
    """A claim with what it cites."""

    text: str
    standing: str
    evidence: tuple[str, ...]
    struck: tuple[str, ...]
    remark: str


class EventView(NamedTuple):
    """One event."""

    kind: str
    label: str
    words: str
    evidence: tuple[str, ...]
    spent: str
    experiments: tuple[ExperimentView, ...] = ()
    beliefs: tuple[BeliefView, ...] = ()
    claims: tuple[ClaimView, ...] = ()
    facts: tuple[FactView, ...] = ()
    texts: tuple[TextView, ...] = ()
    left_out: str = ""
    """What a tool did not show, and how to see it."""
    brief: str = ""
    """A short payload, in one line; empty where it is long, or shown in another way."""


def event_view(stored: StoredEvent, named: Named) -> EventView:
    """One event, with whatever its payload holds."""
    event = stored.event
    experiments = experiments_in(event) if event.kind is TraceKind.TOOL_RESULT else []
    beliefs = beliefs_in(event) if event.kind is TraceKind.BELIEF else []
    claims = claims_in(event) if event.kind is TraceKind.CLAIM else []
    facts = _facts(event)
    shown = bool(experiments or beliefs or claims or facts)
    brief = "" if shown else _brief(event, named)
    return EventView(
        kind=event.kind.value,
        label=_KIND_WORDS[event.kind],
        words=safe_text(named(event.words)),
        evidence=tuple(map(safe_text, event.evidence)),
        spent="" if event.spent is None else spending_words(event.spent),
        experiments=tuple(experiment_view(e, named) for e in experiments),
        beliefs=tuple(_belief_view(b, named) for b in beliefs),
        claims=tuple(claim_view(c) for c in claims),
        facts=facts,
        left_out=safe_text(str(fields(event.payload).get("left_out") or "")) if facts else "",
        texts=() if shown or brief else _texts(event),
        brief=brief,
    )


def experiment_view(experiment: Experiment, named: Named) -> ExperimentView:
    """Every text, also those that spoke against the hypothesis."""
    top = max([2 * experiment.threshold, *(t.activation for t in experiment.tested)], default=0.0) or 1.0
    return ExperimentView(
        hypothesis=safe_text(named(experiment.hypothesis)),
        kind=experiment.kind.value.replace("_", " "),
        right=experiment.right,
        decided=experiment.decided,
        weak=len(experiment.tested) - experiment.decided,
        threshold=activation_words(experiment.threshold),
        threshold_percent=_percent(experiment.threshold / top),
        rows=tuple(_tried_view(t, top) for t in experiment.tested),
    )


def claim_view(claim: Claim) -> ClaimView:
    """A claim of an answer, with ids that were struck out."""
    return ClaimView(
        safe_text(claim.text), claim.standing.value, tuple(map(safe_text, claim.evidence)),
        tuple(map(safe_text, claim.struck)), safe_text(claim.remark),
    )  # fmt: skip


def _tried_view(tried: TriedText, top: float) -> TriedView:
    decided = tried.outcome is not Outcome.WEAK
    agrees = ("right" if tried.outcome.value == tried.expected.value else "wrong") if decided else "undecided"
    return TriedView(
        text=safe_text(tried.text),
        why=safe_text(tried.why),
        expected=tried.expected.value,
        outcome=tried.outcome.value,
        agrees=agrees,
        activation=activation_words(tried.activation) if tried.activation else "0",
        percent=_percent(tried.activation / top),
        quantile=f"{tried.quantile:.2f}" if tried.activation else "–",
        token=plain_token(tried.token) if tried.token else "",
    )


def _belief_view(belief: Belief, named: Named) -> BeliefView:
    name, percent = safe_text(named(belief.hypothesis)), _percent(belief.probability)
    return BeliefView(name, percent, f"{belief.probability:.2f}", belief.n)


def _facts(event: TraceEvent) -> tuple[FactView, ...]:
    listed = fields(event.payload).get("facts")
    if event.kind is not TraceKind.TOOL_RESULT or not isinstance(listed, list):
        return ()
    found = [fields(f) if isinstance(f, dict) else {"text": f} for f in listed]  # pyright: ignore[reportUnknownVariableType]
    return tuple(_fact(f) for f in found)


def _fact(fact: object) -> FactView:
    said = fields(fact)
    cited = said.get("evidence")
    return FactView(
        safe_text(str(said.get("text", ""))), (safe_text(cited),) if isinstance(cited, str) else ()
    )


def _brief(event: TraceEvent, named: Named) -> str:
    """The payload in one line, where it is short; the tool's name is in the words already."""
    if event.kind in (TraceKind.PROMPT, TraceKind.REPLY, TraceKind.HYPOTHESIS, TraceKind.VERDICT):
        return ""
    payload = fields(event.payload)
    told = {k: v for k, v in payload.items() if k != "tool"}
    line = ", ".join(f"{k}: {json.dumps(v, ensure_ascii=False)}" for k, v in told.items())
    return safe_text(named(line)) if len(line) <= _BRIEF else ""


def _texts(event: TraceEvent) -> tuple[TextView, ...]:
    """What can be opened: the turns of a prompt, what a model said, a predicate, or the payload as it is."""
    payload = fields(event.payload)
    turns, said = payload.get("turns"), payload.get("said")
    if event.kind is TraceKind.PROMPT and isinstance(turns, list):
        shown = [fields(t) for t in turns]  # pyright: ignore[reportUnknownVariableType]
        return tuple(_shown(str(t.get("role", "")), str(t.get("content", ""))) for t in shown)
    if event.kind is TraceKind.REPLY and isinstance(said, list):
        return tuple(_shown("said", str(text)) for text in said)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if event.kind is TraceKind.HYPOTHESIS and (found := hypotheses_in(event)):
        rules = [h.predicate for h in found if h.predicate is not None]
        return tuple(_shown("as a rule", _json(predicate_json(rule))) for rule in rules)
    if event.payload is None or not (set(fields(event.payload)) - {"tool"}):
        return ()
    return (_shown("payload", _json(event.payload)),)


def _shown(title: str, text: str) -> TextView:
    """`text` by lines, each made safe; cut where it is very long."""
    lines = "\n".join(safe_text(line) for line in text[:LONGEST].split("\n"))
    left = len(text) - LONGEST
    more = f"\n… {left:,} more characters: glossator investigations export ID --json FILE" if left > 0 else ""
    return TextView(safe_text(title), lines + more)


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


def _percent(share: float) -> float:
    return round(100 * min(max(share, 0.0), 1.0), 2)


def events_by_step(events: Sequence[StoredEvent]) -> dict[str, list[StoredEvent]]:
    """Events under their steps, both in order; a step that was gone on with later stands where it began."""
    steps: dict[str, list[StoredEvent]] = {}
    for stored in events:
        steps.setdefault(stored.event.step, []).append(stored)
    return steps
