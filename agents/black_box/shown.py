"""How experiments are shown to a model: short, fenced, the telling ones first where there are too many."""

from __future__ import annotations

from collections.abc import Sequence

from glossator.probes.black_boxes.box import Pair, Signature, Value
from glossator.probes.black_boxes.numeric_form import NumericForm
from glossator.probes.black_boxes.solver import Fit
from glossator.probes.black_boxes.string_form import StringForm
from glossator.probes.black_boxes.text_form import NamedConcept, RelationForm, TextForm
from glossator.probes.black_boxes.word_solvers import FIRES
from glossator.prompts.fence import fenced

MOST_PAIRS, MOST_TRIED, MOST_WORDS = 18, 5, 14
_LONGEST = 60


def number(value: Value) -> str:
    """At most four digits."""
    return format(value, ".4g") if isinstance(value, float) else str(value)[:_LONGEST]


def domain_line(signature: Signature) -> str:
    """From where to where it takes numbers."""
    return fenced("D", f"x from {number(signature.low)} to {number(signature.high)}")


def number_line(pairs: Sequence[Pair]) -> list[str]:
    """Pairs in order of the inputs on one line, evenly thinned out; none where there are none."""
    ordered = sorted(pairs, key=lambda p: float(p.given))
    step = max(1.0, len(ordered) / MOST_PAIRS)
    kept = [ordered[int(i * step)] for i in range(min(MOST_PAIRS, len(ordered)))]
    said = "; ".join(f"{number(p.given)} -> {number(p.got)}" for p in kept)
    return [fenced("P", said)] if kept else []


def text_lines(pairs: Sequence[Pair]) -> list[str]:
    """One line for each pair."""
    return [
        fenced(i, f"{str(p.given)[:_LONGEST]} -> {str(p.got)[:_LONGEST]}")
        for i, p in enumerate(pairs[:MOST_PAIRS], 1)
    ]


def answered(pair: Pair) -> bool:
    """Whether a word fired, or has a partner."""
    return pair.got != "undefined" if isinstance(pair.got, str) else pair.got > FIRES


def fired_line(pairs: Sequence[Pair]) -> list[str]:
    """Words that were answered, with the answer; none where there are none."""
    said = [f"{p.given} -> {number(p.got)}" for p in pairs if answered(p)]
    return [fenced("A", "; ".join(said[:MOST_WORDS]))] if said else []


def silent_line(pairs: Sequence[Pair]) -> str:
    """Words that were not, the latest first: they were tried for a reason."""
    said = [str(p.given) for p in reversed(pairs) if not answered(p)]
    return fenced("S", ", ".join(said[:MOST_WORDS]) or "none yet")


def tried_lines(tried: Sequence[Fit]) -> list[str]:
    """What was tried and how well it does, best first."""
    ordered = sorted(tried, key=lambda f: f.loss)[:MOST_TRIED]
    said = [f"{_in_short(fit)}: {fit.quality:.2f}" for fit in ordered]
    return [fenced(f"T{i}", line) for i, line in enumerate(said, 1)]


def _in_short(fit: Fit) -> str:
    """A form by its names alone."""
    form = fit.form
    if isinstance(form, NumericForm):
        return (
            form.first.family
            if form.second is None
            else f"{form.first.family} {form.join} {form.second.family}"
        )
    if isinstance(form, StringForm):
        return ", then ".join(form.ops)
    if isinstance(form, RelationForm):
        names = [form.relation]
    else:
        names = [c.name for c in form.concepts if isinstance(c, NamedConcept)]
    assert isinstance(form, TextForm | RelationForm)
    return " or ".join(names) + (f" without {form.exempt}" if form.exempt else "")
