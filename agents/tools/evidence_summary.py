"""Any evidence in a few lines: what was measured, of what, and what came out. Code writes them all.

The evidence of scores holds ids and outcomes of sealed documents; of those only numbers are told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import ValidationError

from glossator.prompts.fence import neutral
from glossator.records import AnyEvidence, Evidence, EvidenceKind, Experiment

_LONGEST = 240
_WORDS = {
    EvidenceKind.WINDOWS: "windows where it fires",
    EvidenceKind.SILENT_WINDOWS: "windows where it is silent",
    EvidenceKind.STATISTICS: "how often and how strongly it fires",
    EvidenceKind.TOKEN_EFFECTS: "output tokens promoted and suppressed",
    EvidenceKind.NEIGHBOURS: "nearest features",
    EvidenceKind.SCORE: "outcomes behind a score",
    EvidenceKind.STRENGTHS: "strengths matched to next-token KL",
    EvidenceKind.EFFECTS: "what turning it up does to the next token",
    EvidenceKind.CAUSES: "everything causal",
    EvidenceKind.STEERING: "continuations with the feature turned up",
    EvidenceKind.ABLATION: "what a text loses without it",
    EvidenceKind.ATTRIBUTION: "an attribution",
    EvidenceKind.STRESS: "the checks behind a robustness grade",
    EvidenceKind.EXPERIMENT: "texts with what was expected and what they did",
    EvidenceKind.MINIMAL_CONTEXT: "the fewest tokens on which it still fires",
    EvidenceKind.TEXT_ACTIVATIONS: "activations on given texts",
    EvidenceKind.SEARCH: "a search for features",
    EvidenceKind.COMPARISON: "features side by side",
    EvidenceKind.COACTIVATION: "features that fire together with it",
    EvidenceKind.CONCEPT: "features that separate two sets of texts",
    EvidenceKind.LINEAR_PROBE: "a linear probe with its controls",
    EvidenceKind.LABELS: "labels made on request",
    EvidenceKind.RECALL: "what memory held",
    EvidenceKind.IMPORTED: "a label of others, with the scores that they claim",
}


def features_of(evidence: AnyEvidence) -> tuple[int, ...]:
    """The features that evidence speaks of."""
    return (evidence.feature.index,) if isinstance(evidence, Evidence) else evidence.features


def about(evidence: AnyEvidence) -> str:
    """What was measured, of what, by what."""
    named = features_of(evidence)
    of = (
        f"of {'feature' if len(named) == 1 else 'features'} {', '.join(map(str, named[:8]))}" if named else ""
    )
    tool = evidence.recipe.get("tool") or evidence.recipe.get("command")
    by = f", measured by {tool}" if tool else ""
    return f"{evidence.id}: {_WORDS[evidence.kind]} {of}".rstrip() + by


def summary_lines(evidence: AnyEvidence) -> list[str]:
    """What came out, line by line, the most telling first; texts in them are neutralised."""
    payload = evidence.payload
    if evidence.kind is EvidenceKind.SCORE:
        return _score_lines(payload)
    if evidence.kind is EvidenceKind.EXPERIMENT:
        return _experiment_lines(payload)
    if evidence.kind in (EvidenceKind.WINDOWS, EvidenceKind.SILENT_WINDOWS):
        return _window_lines(payload)
    if isinstance(payload, dict):
        rows = payload.get("rows")
        own = [_line({k: v}) for k, v in payload.items() if k != "rows"]
        listed = [_line(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        return [*own, *listed]
    if isinstance(payload, list):
        return [_line(item) if isinstance(item, dict) else _short(item) for item in payload]
    return [_short(payload)]


def _score_lines(payload: Any) -> list[str]:
    """Numbers and counts alone: what an example was is nobody's business."""
    counts = _shape(payload, "")
    return [f"outcomes of sealed examples; their texts stay sealed: {', '.join(counts[:12])}"]


def _shape(value: Any, name: str) -> list[str]:
    if isinstance(value, dict):
        entries = cast("Mapping[str, Any]", value)
        return [line for key, item in entries.items() for line in _shape(item, f"{name} {key}".strip())]
    if isinstance(value, list):
        return [f"{name or 'examples'}: {len(cast('Sequence[object]', value))}"]
    return [f"{name} {value}"] if isinstance(value, int | float) and not isinstance(value, bool) else []


def _experiment_lines(payload: Any) -> list[str]:
    try:
        ran = Experiment.model_validate(payload)
    except ValidationError:
        return [_short(payload)]
    head = (
        f"{ran.right} of {len(ran.tested)} texts as expected, {ran.decided} decided, "
        f"threshold {ran.threshold:.3g}"
    )
    return [
        head,
        *(
            f'expected {t.expected.value}, was {t.outcome.value} at {t.activation:.3g}: "{neutral(t.text)}"'
            for t in ran.tested
        ),
    ]


def _window_lines(payload: Any) -> list[str]:
    lines: list[str] = []
    for row in payload if isinstance(payload, list) else []:
        strongest = max(row["activations"], default=0.0)
        lines.append(
            f"{neutral(str(row['document']))} from token {row['start']}, {row['length']} tokens, fires at "
            f"most {strongest:.3g}"
        )
    return lines


def _line(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {_short(value)}" for key, value in row.items())


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list) and all(isinstance(v, str | int | float) for v in cast("list[object]", value)):
        return neutral(", ".join(str(v) for v in cast("list[object]", value))[:_LONGEST])
    text = value if isinstance(value, str) else str(value)
    return neutral(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
