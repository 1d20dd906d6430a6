"""How right a form is, by executing it beside the truth on inputs that are kept for scoring."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from glossator.probes.black_boxes.box import Value
from glossator.probes.black_boxes.concepts import (
    CONCEPTS,
    RELATIONS,
    held_out_words,
    parts_of_concepts,
    parts_of_relations,
)
from glossator.probes.black_boxes.disturbance import rng_of
from glossator.probes.black_boxes.draw_strings import draw_texts
from glossator.probes.black_boxes.forms import Form
from glossator.probes.black_boxes.generate import HiddenFunction
from glossator.probes.black_boxes.numeric_form import ExceptionInterval, NumericForm
from glossator.probes.black_boxes.string_form import StringForm
from glossator.probes.black_boxes.text_form import UNDEFINED, NamedConcept, RelationForm, TextForm

R2_BAR, F1_BAR, FOUND_BAR = 0.9, 0.9, 0.6
_POINTS, _TEXTS = 403, 24
_HALF = 0.5


class Grade(NamedTuple):
    """What executing a form shows. None where the truth has no such thing."""

    value: float
    """Centred R² on a grid, share of held-out texts that come out exactly, or F1 on held-out words."""
    right: bool
    """R² above 0.9, all texts, F1 at least 0.9."""
    second_found: bool | None = None
    """Both concepts are among what it fires on."""
    exception: float | None = None
    """Intersection over union of the intervals, or F1 of the exempt words within the concept."""
    exception_found: bool | None = None
    """`exception` is at least 0.5 for intervals, 0.6 for words (silence on everything reaches 0.5)."""


def grade(form: Form, truth: HiddenFunction, asked: Collection[Value] = ()) -> Grade:
    """Grade `form` against the truth.

    Args:
        form: The answer.
        truth: The function.
        asked: Inputs of experiments; texts and words among them are not scored on.
    """
    told = truth.form
    if isinstance(told, NumericForm):
        return _numeric(form, truth, told)
    if isinstance(told, StringForm):
        return _strings(form, truth, asked)
    return _features(form, told, asked) if isinstance(told, TextForm) else _relations(form, told, asked)


def centred_r2(truth: np.ndarray, said: np.ndarray) -> float:
    """1 - residual over variance. Of a constant: 1 within a hundredth of its size (or 0.1), else 0."""
    error, variance = float(np.mean((truth - said) ** 2)), float(np.var(truth))
    if variance < 1e-9:
        return float(error**0.5 <= max(0.1, 0.01 * abs(float(truth.mean()))))
    return 1 - error / variance


def _numeric(form: Form, truth: HiddenFunction, told: NumericForm) -> Grade:
    signature = truth.signature
    x = np.linspace(signature.low, signature.high, _POINTS)
    wanted = np.array([float(truth.undisturbed(float(v))) for v in x])
    said = np.array([_as_number(form.answer(float(v))) for v in x])
    value = centred_r2(wanted, said)
    if told.exception is None:
        return Grade(value, value > R2_BAR)
    found = form.exception if isinstance(form, NumericForm) else None
    overlap = 0.0 if found is None else interval_overlap(found, told.exception)
    return Grade(value, value > R2_BAR, exception=overlap, exception_found=overlap >= _HALF)


def _as_number(value: Value) -> float:
    return float(value) if isinstance(value, float) else 0.0


def interval_overlap(a: ExceptionInterval, b: ExceptionInterval) -> float:
    """Intersection over union."""
    shared = max(0.0, min(a.high, b.high) - max(a.low, b.low))
    union = (a.high - a.low) + (b.high - b.low) - shared
    return shared / union if union > 0 else 0.0


def _strings(form: Form, truth: HiddenFunction, asked: Collection[Value]) -> Grade:
    texts = [t for t in draw_texts(rng_of(truth.name, "held-out texts"), 2 * _TEXTS) if t not in asked][
        :_TEXTS
    ]
    share = float(np.mean([form.answer(t) == truth.undisturbed(t) for t in texts]))
    return Grade(share, share == 1.0)


def _features(form: Form, told: TextForm, asked: Collection[Value]) -> Grade:
    words = [w for part in parts_of_concepts() for w in held_out_words(part) if w not in asked]
    said = {w: isinstance(form, TextForm) and form.fires(w) for w in words}
    value = f1({w for w in words if said[w]}, {w for w in words if told.fires(w)})
    names = [c.name for c in told.concepts if isinstance(c, NamedConcept)]
    others = [w for w in words if not told.fires(w)]
    clean = not others or float(np.mean([said[w] for w in others])) < 0.2
    second = clean and all(_recall(said, n) >= _HALF for n in names) if len(names) > 1 else None
    if told.exempt is None:
        return Grade(value, value >= F1_BAR, second)
    exempt = set(held_out_words(told.exempt))
    own = {w for p in CONCEPTS[names[0]] for w in held_out_words(f"{names[0]}/{p}")} & set(words)
    region = f1({w for w in own if not said[w]}, exempt & own)
    return Grade(value, value >= F1_BAR, second, region, region >= FOUND_BAR)


def _recall(said: dict[str, bool], concept: str) -> float:
    own = [said[w] for p in CONCEPTS[concept] for w in held_out_words(f"{concept}/{p}") if w in said]
    return float(np.mean(own)) if own else 0.0


def _relations(form: Form, told: RelationForm, asked: Collection[Value]) -> Grade:
    words = [w for part in parts_of_relations() for w in held_out_words(part) if w not in asked]
    said = {w: form.answer(w) for w in words}
    right = {w for w in words if said[w] == told.answer(w) != UNDEFINED}
    given = {w for w in words if said[w] != UNDEFINED}
    wanted = {w for w in words if told.answer(w) != UNDEFINED}
    value = 2 * len(right) / (len(given) + len(wanted)) if given or wanted else 0.0
    if told.exempt is None:
        return Grade(value, value >= F1_BAR)
    own = {w for p in RELATIONS[told.relation] for w in held_out_words(f"{told.relation}/{p}")} & set(words)
    region = f1({w for w in own if said[w] == UNDEFINED}, set(held_out_words(told.exempt)) & own)
    found = region >= FOUND_BAR and bool(right)
    return Grade(value, value >= F1_BAR, None, region, found)


def f1(said: set[str], wanted: set[str]) -> float:
    """Of two sets; 0 where both are empty."""
    return 2 * len(said & wanted) / (len(said) + len(wanted)) if said or wanted else 0.0
