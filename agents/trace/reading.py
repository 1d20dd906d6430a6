"""What the payloads of events hold, as records again; what is not there, or of another form, is left out.

Whoever writes an event chooses its payload: an `Experiment` may be the payload itself or a part of it, so
records are looked for at any depth.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar, cast

from pydantic import ValidationError

from glossator.records import (
    Answer,
    Belief,
    Claim,
    Expectation,
    Experiment,
    FeatureInvestigation,
    Hypothesis,
    LlmSpending,
    Record,
    StoredEvent,
    TraceEvent,
    TraceKind,
    Verdict,
)

AnyRecord = TypeVar("AnyRecord", bound=Record)
_DEEPEST = 6
_WINDOW = re.compile(r"window \d+\b[^(]{0,80}\(quantile (\d(?:\.\d+)?)\)")


class Call(NamedTuple):
    """A tool that was called."""

    tool: str
    arguments: Mapping[str, object]


def experiments_in(event: TraceEvent) -> list[Experiment]:
    """Experiments in the payload."""
    return _records(event.payload, Experiment)


def beliefs_in(event: TraceEvent) -> list[Belief]:
    """Beliefs in the payload, in its order."""
    return _records(event.payload, Belief)


def hypotheses_in(event: TraceEvent) -> list[Hypothesis]:
    """Hypotheses in the payload."""
    return _records(event.payload, Hypothesis)


def claims_in(event: TraceEvent) -> list[Claim]:
    """Claims in the payload, with their standing."""
    return _records(event.payload, Claim)


def verdict_in(event: TraceEvent) -> Verdict | None:
    """The verdict in the payload; None where it holds none."""
    return next(iter(_records(event.payload, Verdict)), None)


def call_in(event: TraceEvent) -> Call:
    """The tool that an event speaks of, with its arguments; the name is empty where none is given."""
    payload = fields(event.payload)
    return Call(_text(payload.get("tool")), fields(payload.get("arguments")) or payload)


def expectations_in(event: TraceEvent) -> list[Expectation]:
    """What a call of an experiment expects of its texts, in order; none where it is not one."""
    arguments = call_in(event).arguments
    tests = [fields(t) for t in _items(arguments.get("tests"))]
    said = [*_items(arguments.get("expectations")), *(t.get("expectation", t.get("expected")) for t in tests)]
    known = {e.value: e for e in Expectation}
    return [known[s] for s in said if isinstance(s, str) and s in known]


def facts_in(event: TraceEvent) -> list[str]:
    """What a tool stated, fact by fact, in its words."""
    facts = [fields(fact) for fact in _items(fields(event.payload).get("facts"))]
    return [_text(fact.get("text")) for fact in facts]


def quantiles_in(event: TraceEvent) -> list[float]:
    """Quantiles of firing of the windows that a result shows."""
    return [float(found[1]) for text in facts_in(event) if (found := _WINDOW.match(text))]


def result_in(events: Sequence[StoredEvent]) -> FeatureInvestigation | Answer | None:
    """What the investigation came to; None where it has not finished."""
    ends = [stored.event for stored in events if stored.event.kind is TraceKind.FINISHED]
    return result_of(ends[-1]) if ends else None


def result_of(event: TraceEvent) -> FeatureInvestigation | Answer | None:
    """The result in the payload of an event; None where it holds none."""
    found = _records(event.payload, FeatureInvestigation)
    answers = _records(event.payload, Answer)
    return next(iter([*found, *answers]), None)


def spent_in(events: Sequence[StoredEvent]) -> LlmSpending | None:
    """What it cost: as the result says, else the sum over events; None where nothing was asked."""
    result = result_in(events)
    if result is not None and (result.spending.calls or result.spending.cached):
        return result.spending
    spent = [s.event.spent for s in events if s.event.spent is not None]
    if not any(s.calls or s.cached for s in spent):
        return None
    known = [s.usd for s in spent if s.usd is not None]
    return LlmSpending(
        calls=sum(s.calls for s in spent),
        cached=sum(s.cached for s in spent),
        input_tokens=sum(s.input_tokens for s in spent),
        output_tokens=sum(s.output_tokens for s in spent),
        usd=sum(known) if len(known) == len(spent) else None,
    )


def fields(value: object) -> Mapping[str, object]:
    """The fields of an object; none where it is something else."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _items(value: object) -> list[object]:
    """The parts of a list, or of an object; none of anything else."""
    if isinstance(value, dict):
        return list(cast("dict[str, object]", value).values())
    return cast("list[object]", value) if isinstance(value, list) else []


def _records(value: object, record: type[AnyRecord], deep: int = 0) -> list[AnyRecord]:
    """Everything in `value` that reads as `record`, outermost first."""
    if deep > _DEEPEST:
        return []
    found = fields(value)
    if found and _required(record) <= found.keys():
        try:
            return [record.model_validate(found)]
        except ValidationError:
            pass
    return [one for inner in _items(value) for one in _records(inner, record, deep + 1)]


def _required(record: type[Record]) -> frozenset[str]:
    return frozenset(name for name, field in record.model_fields.items() if field.is_required())
