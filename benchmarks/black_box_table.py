"""Tables of the black-box benchmark: by kind and by arm, with intervals, and the agent against one-shot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from benchmarks.black_box_trial import (
    AGENT,
    EMBEDDED,
    ONE_SHOT,
    RANDOM,
    WITH_MODEL,
    WITHOUT,
    ArmResult,
    FunctionResult,
)
from benchmarks.label_trial_table import Estimate, difference, estimate
from benchmarks.report_form import Row
from glossator.agents.black_box.choice import CHANCE
from glossator.probes.black_boxes.kinds import Kind
from glossator.probes.intervals import wilson


class Measure(NamedTuple):
    """One figure of an arm."""

    name: str
    title: str
    of: Callable[[ArmResult], float | None]
    share: bool
    """Each function is right or wrong: Wilson; else a bootstrap over functions."""


def _above_chance(value: float | None) -> float | None:
    return None if value is None else (value - CHANCE) / (1 - CHANCE)


def _yes(value: bool | None) -> float | None:
    return None if value is None else float(value)


MEASURES = (
    Measure("right", "executable form right", lambda a: _yes(a.right), True),
    Measure("value", "R² / exact / F1", lambda a: a.value, False),
    Measure("choice_model", "choice by the model, above chance", lambda a: _above_chance(a.by_model), False),
    Measure("choice_code", "choice by code, above chance", lambda a: _above_chance(a.by_code), False),
    Measure("second", "both concepts found", lambda a: _yes(a.second_found), True),
    Measure("exception", "exception found", lambda a: _yes(a.exception_found), True),
    Measure("overlap", "overlap with the exception", lambda a: a.exception, False),
)  # fmt: skip


def arms_of(results: Sequence[FunctionResult]) -> list[str]:
    """Arms that there are, the model's first."""
    return [name for name in (*WITH_MODEL, *WITHOUT) if any(r.arm(name) for r in results)]


def values(results: Sequence[FunctionResult], arm: str, measure: Measure) -> list[float | None]:
    """The figure for each function; None where the arm has none."""
    found = (r.arm(arm) for r in results)
    return [None if a is None else measure.of(a) for a in found]


def figure(numbers: Sequence[float | None], *, share: bool) -> Estimate | None:
    """Mean and 95 % interval over functions; None without any."""
    known = [v for v in numbers if v is not None]
    if not share or not known:
        return estimate(known)
    interval = wilson(round(sum(known)), len(known))
    return Estimate(sum(known) / len(known), interval.low, interval.high, len(known))


def markdown(results: Sequence[FunctionResult]) -> str:
    """Two tables: arms over all functions, and kinds by arm."""
    arms = arms_of(results)
    lines = ["| measure | " + " | ".join(arms) + " |", "|---" * (len(arms) + 1) + "|"]
    for measure in MEASURES:
        cells = [_cell(figure(values(results, a, measure), share=measure.share)) for a in arms]
        lines.append(f"| {measure.title} | {' | '.join(cells)} |")
    lines += ["", "| kind | n | measure | " + " | ".join(arms) + " |", "|---" * (len(arms) + 3) + "|"]
    for kind in Kind:
        own = [r for r in results if r.kind is kind]
        for measure in MEASURES if own else ():
            cells = [_cell(figure(values(own, a, measure), share=measure.share)) for a in arms]
            if any(c != "–" for c in cells):
                lines.append(f"| {kind.value} | {len(own)} | {measure.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(found: Estimate | None) -> str:
    return "–" if found is None else f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def _pairs(results: Sequence[FunctionResult]) -> list[tuple[str, str]]:
    compared = [(AGENT, ONE_SHOT), (EMBEDDED, RANDOM)]
    return [pair for pair in compared if set(pair) <= set(arms_of(results))]


def rows_of(results: Sequence[FunctionResult]) -> list[Row]:
    """Paired differences, what it cost, and what was not scored."""
    rows: list[Row] = []
    for mine, theirs in _pairs(results):
        for measure in MEASURES:
            found = difference(values(results, mine, measure), values(results, theirs, measure))
            if found is not None:
                rows.append(Row(f"{mine} - {theirs}: {measure.title}", found.shown("+"), f"n {found.n}"))
    for name in arms_of(results):
        own = [a for r in results if (a := r.arm(name))]
        rows.append(
            Row(
                f"{name}: calls and inputs per function",
                f"{sum(a.calls for a in own) / len(own):.1f}, {sum(a.inputs for a in own) / len(own):.1f}",
                _reasons(own),
            )
        )
    seconds = sum(r.seconds for r in results) / max(1, len(results))
    return [*rows, Row("seconds per function, all arms and the judge", f"{seconds:.1f}")]


def unscored(arms: Sequence[ArmResult]) -> Counter[str]:
    """Unusable answers by reason, and functions without any answer."""
    total = Counter[str]()
    for arm in arms:
        total.update(arm.unscored)
        total["no answer at all"] += arm.form is None
    return +total


def _reasons(arms: Sequence[ArmResult]) -> str:
    found = unscored(arms)
    return "unscored: " + ", ".join(f"{k} {n}" for k, n in found.items()) if found else ""


def keys_of(results: Sequence[FunctionResult]) -> dict[str, JsonValue]:
    """Everything for the last line: by arm, by kind and arm, differences, costs."""
    keys: dict[str, JsonValue] = {}
    groups = {"": list(results)} | {f"{k.value}_": [r for r in results if r.kind is k] for k in Kind}
    for prefix, own in groups.items():
        for arm in arms_of(own):
            for measure in MEASURES:
                found = figure(values(own, arm, measure), share=measure.share)
                if found is not None:
                    keys[f"{prefix}{arm}_{measure.name}"] = found.as_json()
    for mine, theirs in _pairs(results):
        for measure in MEASURES:
            found = difference(values(results, mine, measure), values(results, theirs, measure))
            if found is not None:
                keys[f"{mine}_minus_{theirs}_{measure.name}"] = found.as_json()
    for arm in arms_of(results):
        own_arms = [a for r in results if (a := r.arm(arm))]
        keys[f"{arm}_calls"] = sum(a.calls for a in own_arms)
        keys[f"{arm}_unscored"] = dict(unscored(own_arms))
    return keys
